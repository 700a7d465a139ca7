//! Withdrawn orders, waiting commands and dead letters over a restart.

use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{NodeId, PartitionId, QueueName, ThreadKey, WorkerId};
use rethread_storage::disk::{DiskStorage, Sync};
use rethread_storage::{
    Acquisition, Commit, HandIn, Lease, OrderGroup, QueuedOrder, Storage, ThreadWrite,
    WaitingChange,
};
use tempfile::TempDir;

use crate::open;

const P: PartitionId = PartitionId(1);
const THREAD: ThreadKey = ThreadKey::from_bytes([7; 16]);
const A: OrderGroup = OrderGroup([0xa; 16]);
const B: OrderGroup = OrderGroup([0xb; 16]);

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn queue() -> QueueName {
    QueueName::new("q").expect("an id")
}

fn worker() -> WorkerId {
    WorkerId::new("w").expect("an id")
}

async fn acquire(storage: &DiskStorage) -> (Lease, u64) {
    let node = NodeId::new("node").expect("an id");
    match storage.acquire(P, &node, Duration::from_secs(600)).await.expect("acquire succeeds") {
        Acquisition::Acquired { lease, last_commit } => (lease, last_commit),
        held @ Acquisition::Held { .. } => panic!("leases end with the process: {held:?}"),
    }
}

fn orders(orders: &[(OrderGroup, &str)]) -> Vec<QueuedOrder> {
    let queued = |(group, order): &(OrderGroup, &str)| QueuedOrder {
        queue: queue(),
        group: *group,
        order: text(order),
    };
    orders.iter().map(queued).collect()
}

#[tokio::test]
async fn groups_and_withdrawals_survive() {
    let directory = TempDir::new().expect("a temporary directory");
    let storage = open(directory.path(), Sync::Group);
    let (lease, _) = acquire(&storage).await;
    let entering = orders(&[(A, "queued"), (B, "stays"), (A, "queued too")]);
    storage.commit(Commit { orders: entering, ..Commit::new(lease, 1) }).await.expect("commits");
    drop(storage);
    let storage = open(directory.path(), Sync::Group);
    let (lease, last) = acquire(&storage).await;
    let withdrawn = vec![A];
    storage.commit(Commit { withdrawn, ..Commit::new(lease, last + 1) }).await.expect("commits");
    drop(storage);
    let storage = open(directory.path(), Sync::Group);
    assert_eq!(storage.queued_orders(P).await, Ok(orders(&[(B, "stays")])));
}

#[tokio::test]
async fn a_withdrawn_order_does_not_come_back_when_its_report_is_lost() {
    let directory = TempDir::new().expect("a temporary directory");
    let storage = open(directory.path(), Sync::Group);
    let (lease, _) = acquire(&storage).await;
    let entering = orders(&[(A, "reported"), (B, "reported too")]);
    storage.commit(Commit { orders: entering, ..Commit::new(lease, 1) }).await.expect("commits");
    let found = storage.fetch(&worker(), &[queue()], 9, Duration::ZERO).await;
    let parts = found.expect("fetches").into_iter().map(|delivery| HandIn {
        partition: P,
        finished: Some(delivery.receipt),
        messages: vec![text("report")],
    });
    storage.hand_in(&worker(), parts.collect()).await.expect("hands in");
    let withdrawn = vec![A];
    storage.commit(Commit { withdrawn, ..Commit::new(lease, 2) }).await.expect("commits");
    drop(storage);
    // The reports were in memory only. What is not withdrawn is run again.
    let storage = open(directory.path(), Sync::Group);
    assert_eq!(storage.queued_orders(P).await, Ok(orders(&[(B, "reported too")])));
}

#[tokio::test]
async fn a_withdrawal_finds_orders_of_the_commits_it_is_written_with() {
    let directory = TempDir::new().expect("a temporary directory");
    let storage = open(directory.path(), Sync::Group);
    let (lease, _) = acquire(&storage).await;
    // Sent together, most of them are written as one group.
    for round in 0..20 {
        let number = 2 * round + 1;
        let entering = Commit { orders: orders(&[(A, "a")]), ..Commit::new(lease, number) };
        let leaving = Commit { withdrawn: vec![A], ..Commit::new(lease, number + 1) };
        let (entered, left) = tokio::join!(storage.commit(entering), storage.commit(leaving));
        assert_eq!((entered, left), (Ok(()), Ok(())));
        assert_eq!(storage.queued_orders(P).await, Ok(Vec::new()));
    }
    drop(storage);
    let storage = open(directory.path(), Sync::Group);
    assert_eq!(storage.queued_orders(P).await, Ok(Vec::new()));
}

#[tokio::test]
async fn waiting_commands_and_dead_letters_survive() {
    for sync in [Sync::Group, Sync::Buffered] {
        let directory = TempDir::new().expect("a temporary directory");
        let storage = open(directory.path(), sync);
        let (lease, _) = acquire(&storage).await;
        let append = |command| WaitingChange::Append(text(command));
        let changes = vec![append("a"), append("b"), WaitingChange::DropFirst(1), append("c")];
        let header = Some(text("header"));
        let write = ThreadWrite { header, waiting: changes, ..ThreadWrite::none(THREAD) };
        let dead_letters = vec![text("first"), text("second"), text("third")];
        let commit = Commit { threads: vec![write], dead_letters, ..Commit::new(lease, 1) };
        storage.commit(commit).await.expect("commits");
        let letters = storage.list_dead_letters(P, None, 9).await.expect("lists");
        assert_eq!(storage.remove_dead_letter(P, letters[1].id).await, Ok(true));
        drop(storage);

        let storage = open(directory.path(), sync);
        let loaded = storage.load_thread(P, THREAD).await.expect("loads").expect("is there");
        assert_eq!(loaded.waiting, ["b", "c"], "{sync:?}");
        let left = storage.list_dead_letters(P, None, 9).await.expect("lists");
        assert_eq!(left, [letters[0].clone(), letters[2].clone()], "{sync:?}");
        let status = storage.partition_status(P).await.expect("says");
        assert_eq!((status.dead_letters, status.last_commit), (2, 1), "{sync:?}");
    }
}
