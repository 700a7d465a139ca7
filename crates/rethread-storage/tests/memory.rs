//! The memory adapter against the conformance suite, and what is its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{NodeId, PartitionId, RunId, ThreadKey};
use rethread_storage::conformance::{INBOX_MAX, PARTITIONS};
use rethread_storage::memory::{MemoryOptions, MemoryStorage};
use rethread_storage::{Acquisition, Commit, Durability, EventWrite, Storage, ThreadWrite};

const P: PartitionId = PartitionId(0);

async fn storage() -> (Arc<dyn Storage>, ()) {
    let options =
        MemoryOptions { partitions: PARTITIONS, inbox_max: INBOX_MAX, ..MemoryOptions::default() };
    (Arc::new(MemoryStorage::with_options(options)), ())
}

rethread_storage::conformance_suite!(storage);

#[tokio::test(start_paused = true)]
async fn leases_follow_the_time_of_the_runtime() {
    let storage = MemoryStorage::new(1);
    let ttl = Duration::from_secs(10);
    let node = |name: &str| NodeId::new(name).expect("an id");
    storage.acquire(P, &node("a"), ttl).await.expect("acquire succeeds");
    tokio::time::sleep(Duration::from_secs(9)).await;
    let held = storage.acquire(P, &node("b"), ttl).await.expect("acquire succeeds");
    assert_eq!(held, Acquisition::Held { by: node("a"), expires_in_ms: 1_000 });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let taken = storage.acquire(P, &node("b"), ttl).await.expect("acquire succeeds");
    assert!(matches!(taken, Acquisition::Acquired { .. }), "{taken:?}");
}

#[test]
fn it_says_that_it_is_volatile() {
    assert_eq!(MemoryStorage::new(1).durability(), Durability::Volatile);
}

#[tokio::test(start_paused = true)]
async fn logs_of_ended_runs_are_dropped_after_their_time() {
    let retention = Duration::from_secs(60);
    let options = MemoryOptions { event_retention: retention, ..MemoryOptions::default() };
    let storage = MemoryStorage::with_options(options);
    let node = NodeId::new("node").expect("an id");
    let answer = storage.acquire(P, &node, retention).await.expect("acquire succeeds");
    let Acquisition::Acquired { lease, .. } = answer else { panic!("it is free: {answer:?}") };
    let run: RunId = "00000000-0000-0000-0000-000000000001".parse().expect("a UUID");
    let records = vec![Bytes::from_static(b"event")];
    let events = vec![EventWrite { run, first_seq: 1, records: records.clone(), ends: true }];
    let write = ThreadWrite { events, ..ThreadWrite::none(ThreadKey::from_bytes([1; 16])) };
    let commit = async |number, threads| {
        let (consumed_beyond, orders) = (Vec::new(), Vec::new());
        let commit = Commit { consumed_beyond, threads, orders, ..Commit::new(lease, number) };
        storage.commit(commit).await.expect("commit succeeds");
    };
    commit(1, vec![write]).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    commit(2, Vec::new()).await;
    assert_eq!(storage.read_events(P, run, 0, 9).await, Ok(records), "its time is not over");
    tokio::time::sleep(Duration::from_secs(1)).await;
    commit(3, Vec::new()).await;
    assert_eq!(storage.read_events(P, run, 0, 9).await, Ok(Vec::new()));
}
