//! A disk with little room, as the probe tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rethread_core::ids::{QueueName, WorkerId};
use tempfile::TempDir;

use crate::conformance::{PARTITIONS, history};
use crate::disk::room::Probe;
use crate::disk::{DiskOptions, DiskStorage};
use crate::{Storage, StorageError};

#[tokio::test]
async fn accepted_work_goes_on_when_nothing_new_is_taken() {
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let probe = {
        let free = Arc::clone(&free);
        Probe::new(move |_| Ok(free.load(Ordering::SeqCst)))
    };
    let options = DiskOptions { partitions: PARTITIONS, ..DiskOptions::default() };
    let min = options.free_bytes_min;
    let directory = TempDir::new().expect("a temporary directory");
    let storage = DiskStorage::open_with(directory.path(), options, probe).expect("it opens");
    let (lease, _) = history::acquire(&storage).await.expect("acquires");
    history::submit(&storage, 1).await.expect("submits");
    let is_full = |answer: &Result<(), StorageError>| {
        assert!(matches!(answer, Err(StorageError::Full { .. })), "{answer:?}");
    };

    free.store(min - 1, Ordering::SeqCst);
    is_full(&history::submit(&storage, 2).await);
    // An order is handed out, and what the owner decides is written.
    let commit = crate::Commit::new(lease, 1);
    crate::Storage::commit(&storage, commit).await.expect("commits");

    free.store(min / 2 - 1, Ordering::SeqCst);
    is_full(&crate::Storage::commit(&storage, crate::Commit::new(lease, 2)).await);
    is_full(&history::submit(&storage, 2).await);

    free.store(min, Ordering::SeqCst);
    crate::Storage::commit(&storage, crate::Commit::new(lease, 2)).await.expect("nothing happened");
    history::submit(&storage, 2).await.expect("the refusals are forgotten");
}

#[tokio::test]
async fn an_order_that_cannot_be_handed_out_is_handed_out_later() {
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let probe = {
        let free = Arc::clone(&free);
        Probe::new(move |_| Ok(free.load(Ordering::SeqCst)))
    };
    let options = DiskOptions { partitions: PARTITIONS, ..DiskOptions::default() };
    let directory = TempDir::new().expect("a temporary directory");
    let storage = DiskStorage::open_with(directory.path(), options, probe).expect("it opens");
    let (lease, _) = history::acquire(&storage).await.expect("acquires");
    history::submit(&storage, 1).await.expect("submits");
    history::commit(&storage, lease, 1).await.expect("commits");

    let worker = WorkerId::new("w").expect("an id");
    let queues = [QueueName::new("q").expect("a name")];
    free.store(0, Ordering::SeqCst);
    let refused = storage.fetch(&worker, &queues, 9, Duration::ZERO).await;
    assert!(matches!(refused, Err(StorageError::Full { .. })), "{refused:?}");
    free.store(u64::MAX, Ordering::SeqCst);
    let fetched = storage.fetch(&worker, &queues, 9, Duration::ZERO).await.expect("fetches");
    assert_eq!(fetched.iter().map(|order| order.fetches).collect::<Vec<_>>(), [1]);
}
