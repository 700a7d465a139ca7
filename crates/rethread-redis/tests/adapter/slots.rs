//! On a cluster, a script may touch keys of one hash tag only. A single server does not mind, so
//! everything that scripts touch is looked at here.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rethread_core::ids::{CheckpointId, Millis, NodeId};
use rethread_storage::{
    Activity, CheckpointWrite, ItemRecord, JournalWrite, OrderGroup, Storage, ThreadWrite,
    WaitingChange,
};
use uuid::Uuid;

use crate::support::{
    P0, Space, cached, commit, events_of, finished, item, item_name, op, orders, queues, run, text,
    thread, worker,
};

const LONG: Duration = Duration::from_secs(600);

/// Shows every command of a server, also those that scripts run.
struct Monitor {
    lines: BufReader<TcpStream>,
}

impl Monitor {
    fn start(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("sets");
        stream.write_all(b"MONITOR\r\n").expect("asks");
        let mut lines = BufReader::new(stream);
        let mut answer = String::new();
        lines.read_line(&mut answer).expect("answers");
        assert_eq!(answer, "+OK\r\n");
        Self { lines }
    }

    /// What was run until `mark` was.
    fn until(mut self, mark: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("shows the mark in time");
            if line.contains(mark) {
                return seen;
            }
            seen.push(line);
        }
    }
}

/// The hash tags in a line.
fn tags(line: &str) -> Vec<&str> {
    let after = line.split("\"rt:{").skip(1);
    after.filter_map(|key| key.split_once('}')).map(|(tag, _)| tag).collect()
}

async fn everything(space: &Space) {
    let storage = &space.storage;
    let (lease, last) = space.own(P0).await;
    storage.submit(P0, op(), text("m")).await.expect("submits");
    let mut write = commit(lease, last + 1);
    let mut full = events_of(run(), 1, &["e"], true);
    full.journal = JournalWrite::Replace(vec![text("entry")]);
    let id = CheckpointId::from_uuid(Uuid::from_u128(1));
    full.checkpoints = vec![CheckpointWrite { id, record: text("record") }];
    full.base = Some(id);
    full.activity = Some(Activity::Due(Millis(0)));
    full.waiting = vec![WaitingChange::Append(text("command")), WaitingChange::DropFirst(1)];
    write.threads.push(full);
    write.orders = orders(["o".to_owned()]);
    write.dead_letters = vec![text("letter")];
    storage.commit(write).await.expect("commits");
    let mut write = commit(lease, last + 2);
    let mut drop = ThreadWrite::none(thread("t"));
    drop.drop_checkpoints = vec![id];
    write.threads.push(drop);
    let mut delete = ThreadWrite::none(thread("u"));
    delete.delete = true;
    write.threads.push(delete);
    write.withdrawn = vec![OrderGroup([7; 16])];
    storage.commit(write).await.expect("commits");
    storage.announce_node(&NodeId::new("n").expect("an id"), LONG).await.expect("announces");
    storage.list_dead_letters(P0, None, 9).await.expect("lists");
    storage.list_orders(P0, 9).await.expect("lists");
    storage.partition_status(P0).await.expect("says");
    storage.load_thread(P0, thread("t")).await.expect("loads");
    storage.list_checkpoints(P0, thread("t"), None, 9).await.expect("lists");

    let name = worker("w");
    storage.heartbeat(&name, &queues()).await.expect("beats");
    let taken = storage.fetch(&name, &queues(), 9, LONG).await.expect("fetches");
    storage.hand_in(&name, finished(&taken[0], "done")).await.expect("hands in");
    storage.describe_worker(&name, text("worker")).await.expect("describes");
    storage.list_workers().await.expect("lists");
    storage.reclaim(&name, &queues(), LONG, 9).await.expect("reclaims");
    storage.retire(&name, &queues()).await.expect("retires");

    for group in ["g", "{h}"] {
        let key = cached(group, "e}");
        storage.look_up_cache(&key, "me", LONG).await.expect("looks up");
        storage.abandon_cache(&key, "me").await.expect("abandons");
        storage.fill_cache(&key, text("v"), Some(LONG)).await.expect("fills");
        storage.fill_cache(&key, text("v"), None).await.expect("fills");
        storage.look_up_cache(&key, "me", LONG).await.expect("looks up");
    }
    storage.clear_cache(None).await.expect("clears");

    let kept = item_name(&["n"], "k");
    let expired = item_name(&["n", "m"], "k");
    storage.put_item(&kept, item("v")).await.expect("puts");
    storage.put_item(&expired, item("v")).await.expect("puts");
    storage.touch_item(&expired, Millis(1)).await.expect("touches");
    storage.read_item(&kept).await.expect("reads");
    storage.scan_items(&[], None, 9).await.expect("scans");
    let past = ItemRecord { record: text("v"), expires_at: Some(Millis(1)) };
    storage.put_item(&expired, past).await.expect("puts");
    storage.item_namespaces(&[]).await.expect("lists");
    storage.delete_item(&kept).await.expect("deletes");
    storage.renew(&[lease], LONG).await.expect("renews");
    storage.release(&lease).await.expect("releases");
}

#[tokio::test]
async fn a_script_touches_keys_of_one_hash_tag() {
    let space = Space::alone().await;
    let monitor = Monitor::start(space.server.port());
    everything(&space).await;
    let mut raw = space.raw().await;
    let mark = "all is done";
    let _: String = redis::cmd("ECHO").arg(mark).query_async(&mut raw).await.expect("marks");
    let lines = monitor.until(mark);

    // Commands of a script stand behind its call, and have `lua` for an address.
    let mut script: Option<(String, &str)> = None;
    let mut touched: BTreeMap<String, usize> = BTreeMap::new();
    for line in &lines {
        let is_call = line.contains("\"EVALSHA\"") || line.contains("\"EVAL\"");
        let is_inside = line.contains(" lua] ");
        if is_call {
            let hash = line.split('"').nth(3).expect("names its script");
            let tag = tags(line).first().copied().expect("has a key");
            script = Some((hash.to_owned(), tag));
        } else if !is_inside {
            script = None;
        }
        if is_call || is_inside {
            let (hash, tag) = script.as_ref().expect("a script was called");
            for other in tags(line) {
                assert_eq!(other, *tag, "{line}");
            }
            *touched.entry(hash.clone()).or_default() += usize::from(is_inside);
        }
    }
    assert!(touched.len() >= 26, "only {} scripts ran", touched.len());
    assert!(touched.values().all(|commands| *commands > 0), "{touched:?}");
}
