//! What is not needed any more is deleted, in time and not before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{Millis, NodeId, OpId, PartitionId, RunId, ThreadKey};
use rethread_storage::disk::{DiskOptions, DiskStorage};
use rethread_storage::{Acquisition, Clock, Commit, EventWrite, Lease, Storage, ThreadWrite};
use tempfile::TempDir;

const P: PartitionId = PartitionId(0);
const RETENTION: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(60);

fn run(n: u128) -> RunId {
    format!("{n:032x}").parse().expect("a UUID")
}

async fn acquire(storage: &DiskStorage) -> Lease {
    let node = NodeId::new("node").expect("an id");
    match storage.acquire(P, &node, RETENTION).await.expect("acquire succeeds") {
        Acquisition::Acquired { lease, .. } => lease,
        held @ Acquisition::Held { .. } => panic!("it is free: {held:?}"),
    }
}

async fn write(storage: &DiskStorage, lease: Lease, number: u64, run: RunId, ends: bool) {
    let records = vec![Bytes::from_static(b"event"); 5_000];
    let events = vec![EventWrite { run, first_seq: 1, records, ends }];
    let write = ThreadWrite {
        header: Some(Bytes::new()),
        events,
        ..ThreadWrite::none(ThreadKey::from_bytes([1; 16]))
    };
    let threads = vec![write];
    let (consumed_beyond, orders) = (Vec::new(), Vec::new());
    let commit = Commit { consumed_beyond, threads, orders, ..Commit::new(lease, number) };
    storage.commit(commit).await.expect("commit succeeds");
}

async fn events(storage: &DiskStorage, run: RunId) -> usize {
    storage.read_events(P, run, 0, 10_000).await.expect("read_events succeeds").len()
}

#[tokio::test]
async fn logs_of_ended_runs_are_dropped_after_their_time() {
    let directory = TempDir::new().expect("a temporary directory");
    let time = Arc::new(AtomicU64::new(1_000));
    let clock = {
        let time = Arc::clone(&time);
        Clock::new(move || Millis(time.load(Ordering::SeqCst)))
    };
    let options =
        DiskOptions { event_retention: RETENTION, clock: Some(clock), ..DiskOptions::default() };
    let storage = DiskStorage::open(directory.path(), options.clone()).expect("it opens");
    let lease = acquire(&storage).await;
    write(&storage, lease, 1, run(1), true).await;
    write(&storage, lease, 2, run(2), false).await;
    time.fetch_add(59_999, Ordering::SeqCst);
    write(&storage, lease, 3, run(3), true).await;
    drop(storage);

    let storage = DiskStorage::open(directory.path(), options).expect("it opens");
    assert_eq!(events(&storage, run(1)).await, 5_000, "its time is not over");
    time.fetch_add(1, Ordering::SeqCst);
    let swept = async {
        // Any write gives the committer a reason to look.
        for n in 0.. {
            storage.submit(P, OpId::from_random(n), Bytes::new()).await.expect("submit succeeds");
            if events(&storage, run(1)).await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, swept).await.expect("the log is dropped");
    assert_eq!(events(&storage, run(2)).await, 5_000, "it has not ended");
    assert_eq!(events(&storage, run(3)).await, 5_000, "it ended later");
}
