//! SIGKILL at any moment loses nothing that was acknowledged.
//!
//! The test runs itself as a child process, which writes and says what was acknowledged, kills
//! it, opens the directory and looks.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey,
};
use rethread_core::store::Namespace;
use rethread_storage::disk::{DiskStorage, Sync};
use rethread_storage::{
    Acquisition, Activity, CacheKey, CacheLookup, CheckpointWrite, Commit, EventWrite, InboxCursor,
    ItemName, ItemRecord, JournalWrite, Lease, OrderGroup, QueuedOrder, Storage, ThreadWrite,
};

use crate::open;

const DIRECTORY: &str = "RETHREAD_KILL_TEST_DIRECTORY";
const SYNC: &str = "RETHREAD_KILL_TEST_SYNC";
const CYCLES: u64 = 6;
const P: PartitionId = PartitionId(1);
const THREAD: ThreadKey = ThreadKey::from_bytes([3; 16]);
const TTL: Duration = Duration::from_secs(600);

#[test]
fn acknowledged_writes_survive_a_kill_when_synced() {
    kill_cycles("kill::acknowledged_writes_survive_a_kill_when_synced", "group");
}

#[test]
fn acknowledged_writes_survive_a_kill_when_buffered() {
    kill_cycles("kill::acknowledged_writes_survive_a_kill_when_buffered", "buffered");
}

fn kill_cycles(test: &str, sync: &str) {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        let sync = if std::env::var(SYNC).as_deref() == Ok("group") {
            Sync::Group
        } else {
            Sync::Buffered
        };
        return write_until_killed(Path::new(&directory), sync);
    }
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let mut acknowledged = Acknowledged::default();
    let mut last_epoch = 0;
    for cycle in 0..CYCLES {
        let progress = run_and_kill(test, sync, directory.path(), 10 + 23 * cycle);
        acknowledged.commit = acknowledged.commit.max(progress.commit);
        acknowledged.submit = acknowledged.submit.max(progress.submit);
        assert!(progress.commit > 0, "cycle {cycle}: the child wrote something");
        last_epoch = check(directory.path(), &acknowledged, last_epoch);
    }
}

#[derive(Debug, Default)]
struct Acknowledged {
    commit: u64,
    submit: u64,
}

/// Runs a child, kills it after some acknowledgements and returns the last ones it printed.
fn run_and_kill(test: &str, sync: &str, directory: &Path, after: u64) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().expect("the path of this test"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(SYNC, sync)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let output = BufReader::new(child.stdout.take().expect("invariant: it is piped"));
    let mut acknowledged = Acknowledged::default();
    let mut count = 0;
    let mut lines = output.lines();
    // What is still in the pipe when the child is dead was acknowledged as well.
    while let Some(Ok(line)) = lines.next() {
        let mut words = line.split(' ');
        match (words.next(), words.next().and_then(|n| n.parse().ok())) {
            (Some("committed"), Some(number)) => acknowledged.commit = number,
            (Some("submitted"), Some(number)) => acknowledged.submit = number,
            _ => continue,
        }
        count += 1;
        if count == after {
            child.kill().expect("the child can be killed");
        }
    }
    child.wait().expect("the child is gone");
    assert!(count >= after, "the child ended by itself after {count} acknowledgements");
    acknowledged
}

fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    // Fails only when the parent is gone, and then nobody counts.
    let _ = writeln!(out, "{what} {number}");
    let _ = out.flush();
}

fn run_id() -> RunId {
    format!("{:032x}", 1).parse().expect("a UUID")
}

fn checkpoint_id(n: u64) -> CheckpointId {
    format!("{n:032x}").parse().expect("a UUID")
}

fn item_name(n: u64) -> ItemName {
    ItemName { namespace: Namespace::new(["n"]).expect("a namespace"), key: n.to_string() }
}

fn cache_key(n: u64) -> CacheKey {
    CacheKey { group: "g".into(), entry: record(n) }
}

fn record(n: u64) -> Bytes {
    Bytes::from(format!("record {n}"))
}

async fn acquire(storage: &DiskStorage) -> (Lease, u64) {
    let node = NodeId::new("node").expect("an id");
    match storage.acquire(P, &node, TTL).await.expect("acquire succeeds") {
        Acquisition::Acquired { lease, last_commit } => (lease, last_commit),
        held @ Acquisition::Held { .. } => panic!("leases end with the process: {held:?}"),
    }
}

/// Commit `n` writes record `n` everywhere and consumes message `n`.
#[tokio::main(flavor = "current_thread")]
async fn write_until_killed(directory: &Path, sync: Sync) {
    let storage = open(directory, sync);
    let (lease, last_commit) = acquire(&storage).await;
    for number in last_commit + 1.. {
        // After a kill between the two it is there already; the op id makes it one message.
        storage.submit(P, OpId::from_random(number.into()), record(number)).await.expect("submits");
        say("submitted", number);
        let from = [(P, InboxCursor::START)];
        let items = storage.read_inboxes(&from, 9, Duration::ZERO).await.expect("reads");
        assert_eq!(items[0].message, record(number), "the oldest message");
        let write = ThreadWrite {
            header: Some(record(number)),
            journal: JournalWrite::Append(vec![record(number)]),
            checkpoints: vec![CheckpointWrite {
                id: checkpoint_id(number),
                record: record(number),
            }],
            base: Some(checkpoint_id(number)),
            events: vec![EventWrite {
                run: run_id(),
                first_seq: number,
                records: vec![record(number)],
                ends: false,
            }],
            activity: Some(Activity::Due(Millis(number))),
            ..ThreadWrite::none(THREAD)
        };
        let item = ItemRecord { record: record(number), expires_at: None };
        storage.put_item(&item_name(number), item).await.expect("puts");
        storage.fill_cache(&cache_key(number), record(number), None).await.expect("fills");
        let queue = QueueName::new("q").expect("an id");
        let commit = Commit {
            consumed: Some(items[0].cursor),
            threads: vec![write],
            orders: vec![QueuedOrder { queue, group: OrderGroup([1; 16]), order: record(number) }],
            ..Commit::new(lease, number)
        };
        storage.commit(commit).await.expect("commits");
        say("committed", number);
    }
}

/// Everything acknowledged is there and nothing is half there; returns the newest epoch.
#[tokio::main(flavor = "current_thread")]
async fn check(directory: &Path, acknowledged: &Acknowledged, last_epoch: u64) -> u64 {
    let storage = open(directory, Sync::Buffered);
    let (lease, last) = acquire(&storage).await;
    assert!(lease.token.epoch > last_epoch, "an epoch is never given twice");
    assert!(last >= acknowledged.commit, "{last} commits are left, {acknowledged:?}");
    assert!(last <= acknowledged.commit + 1, "{last} commits, {acknowledged:?}");
    let all: Vec<_> = (1..=last).map(record).collect();
    let thread = storage.load_thread(P, THREAD).await.expect("loads").expect("the thread exists");
    assert_eq!(thread.header, record(last));
    assert!(thread.journal == all, "the journal has {} of {last}", thread.journal.len());
    assert_eq!(thread.base, Some(record(last)));
    assert_eq!(thread.last_event, Some((run_id(), last)));
    let events = storage.read_events(P, run_id(), 0, 1 << 20).await.expect("reads");
    assert!(events == all, "the log has {} of {last}", events.len());
    let checkpoints = storage.list_checkpoints(P, THREAD, None, 1 << 20).await.expect("lists");
    assert!(checkpoints.iter().rev().eq(&all), "{} of {last} checkpoints", checkpoints.len());
    let orders = storage.queued_orders(P).await.expect("lists");
    assert!(orders.iter().map(|order| &order.order).eq(&all), "{} of {last} orders", orders.len());
    assert_eq!(storage.active_threads(P).await, Ok(vec![(THREAD, Millis(last))]));
    for number in 1..=last {
        let item = storage.read_item(&item_name(number)).await.expect("reads");
        assert_eq!(item.map(|item| item.record), Some(record(number)), "item {number} of {last}");
        let cached = storage.look_up_cache(&cache_key(number), "test", TTL).await;
        assert_eq!(cached, Ok(CacheLookup::Hit(record(number))), "entry {number} of {last}");
    }
    let from = [(P, InboxCursor::START)];
    let items = storage.read_inboxes(&from, 9, Duration::ZERO).await.expect("reads");
    let left: Vec<_> = items.into_iter().map(|item| item.message).collect();
    let may_be_left = [record(last + 1)];
    let expected: &[Bytes] = if left.is_empty() { &[] } else { &may_be_left };
    assert_eq!(left, expected, "consumed messages do not come back");
    assert!(acknowledged.submit <= last || !left.is_empty(), "message {}", acknowledged.submit);
    lease.token.epoch
}
