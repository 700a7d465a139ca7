//! What threads that wait for a person cost in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{CheckpointId, Millis, NodeId, RunId};
use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{
    Acquisition, Activity, CheckpointWrite, EventWrite, InboxCursor, JournalWrite, Storage,
    ThreadWrite,
};
use uuid::Uuid;

use crate::support::{LEASE, P0, commit, op, tell, thread};

const THREADS: usize = 10_000;
const THREADS_PER_COMMIT: usize = 200;

/// Sizes of the records of a thread that has asked its first question, in bytes: what the
/// programs of the guide and of the benches leave.
struct Sizes {
    header: usize,
    checkpoint: usize,
    began: usize,
    results: &'static [usize],
    asked: usize,
    stopped: usize,
    events: &'static [usize],
}

/// The essay: one task, and a question that shows the essay in 72 bytes.
const ESSAY: Sizes = Sizes {
    header: 222,
    checkpoint: 181,
    began: 98,
    results: &[109],
    asked: 133,
    stopped: 138,
    events: &[74, 81, 82, 120],
};

/// A question of 23 bytes and nothing else.
const QUESTION: Sizes = Sizes {
    header: 151,
    checkpoint: 151,
    began: 117,
    results: &[],
    asked: 84,
    stopped: 89,
    events: &[74, 71],
};

fn record(size: usize) -> Bytes {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    n.to_be_bytes().into_iter().cycle().take(size).collect()
}

/// The writes of one thread: it begins, it gets results, it asks.
fn writes(number: usize, sizes: &Sizes) -> [ThreadWrite; 3] {
    let run = RunId::from_uuid(Uuid::from_u128(0x0190 << 112 | number as u128));
    let id = CheckpointId::from_uuid(Uuid::from_u128(0x0191 << 112 | number as u128));
    let append =
        |sizes: &[usize]| JournalWrite::Append(sizes.iter().map(|size| record(*size)).collect());
    let events = |first: usize, sizes: &[usize], ends: bool| EventWrite {
        run,
        first_seq: first as u64 + 1,
        records: sizes.iter().map(|size| record(*size)).collect(),
        ends,
    };
    let checkpoint = || vec![CheckpointWrite { id, record: record(sizes.checkpoint) }];
    let none = || ThreadWrite::none(thread(&format!("t{number}")));
    let last = sizes.events.len() - 1;
    [
        ThreadWrite {
            // Written again at the end, with the question.
            header: Some(record(sizes.header - 60)),
            journal: append(&[sizes.began]),
            checkpoints: checkpoint(),
            events: vec![events(0, &sizes.events[..1], false)],
            activity: Some(Activity::Due(Millis(0))),
            ..none()
        },
        ThreadWrite {
            journal: append(&[sizes.results, &[sizes.asked]].concat()),
            events: vec![events(1, &sizes.events[1..last], false)],
            ..none()
        },
        ThreadWrite {
            header: Some(record(sizes.header)),
            journal: append(&[sizes.stopped]),
            checkpoints: checkpoint(),
            events: vec![events(last, &sizes.events[last..], true)],
            activity: Some(Activity::Parked),
            ..none()
        },
    ]
}

async fn used_memory(server: &RedisServer) -> u64 {
    let info = tell(server, &["INFO", "memory"]).await;
    let info: String = redis::from_redis_value(info).expect("a text");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.and_then(|used| used.trim().parse().ok()).expect("a number")
}

struct Cost {
    /// Everything, with event logs and op ids, per thread.
    all: u64,
    /// The same without what expires.
    lasting: u64,
    keys: usize,
}

async fn cost(sizes: &Sizes) -> Cost {
    let server = RedisServer::start_with(&["--appendonly", "no"]);
    let options = RedisOptions::new(server.url()).partitions(1);
    let storage = RedisStorage::connect(options).await.expect("connects");
    let node = NodeId::new("node").expect("an id");
    let Ok(Acquisition::Acquired { lease, .. }) = storage.acquire(P0, &node, LEASE).await else {
        panic!("nobody else has it");
    };
    let mut number = 0;
    let mut before = 0;
    for first in (0..THREADS + THREADS_PER_COMMIT).step_by(THREADS_PER_COMMIT) {
        let threads = (first..first + THREADS_PER_COMMIT).map(|n| writes(n, sizes));
        let threads: Vec<_> = threads.collect();
        let submits = (0..THREADS_PER_COMMIT).map(|_| storage.submit(P0, op(), record(120)));
        futures::future::try_join_all(submits).await.expect("submits");
        let start = [(P0, InboxCursor::START)];
        let inbox = storage.read_inboxes(&start, THREADS_PER_COMMIT, Duration::ZERO).await;
        for step in 0..3 {
            number += 1;
            let mut write = commit(lease, number);
            write.threads = threads.iter().map(|writes| writes[step].clone()).collect();
            write.consumed = inbox.as_ref().expect("reads").last().map(|item| item.cursor);
            storage.commit(write).await.expect("commits");
        }
        if first == 0 {
            // Scripts and buffers do not count.
            before = used_memory(&server).await;
        }
    }
    let all = (used_memory(&server).await - before) / THREADS as u64;
    let client = redis::Client::open(server.url()).expect("a url");
    let mut raw = client.get_multiplexed_async_connection().await.expect("connects");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut raw).await.expect("lists");
    let (threads, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.contains(":t:"));
    let expires = others.into_iter().filter(|key| key.contains(":e:") || key.contains(":op:"));
    for keys in expires.collect::<Vec<_>>().chunks(1_000) {
        redis::cmd("DEL").arg(keys).exec_async(&mut raw).await.expect("removes");
    }
    let lasting = (used_memory(&server).await - before) / THREADS as u64;
    Cost { all, lasting, keys: threads.len() }
}

#[tokio::test]
async fn a_thread_that_asked_its_first_question_is_one_key_of_about_the_size_of_its_records() {
    for (name, sizes, all_max, lasting_max) in
        [("essay", ESSAY, 2_400, 1_350), ("question", QUESTION, 1_700, 1_100)]
    {
        let Cost { all, lasting, keys } = cost(&sizes).await;
        println!("{name}: {all} bytes per thread, {lasting} without what expires");
        assert_eq!(keys, THREADS + THREADS_PER_COMMIT);
        assert!(all <= all_max, "{name}: {all} bytes");
        assert!(lasting <= lasting_max, "{name}: {lasting} bytes");
    }
}
