//! What operators see: headers, lists of threads, orders and workers, and what goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{Millis, ThreadKey};

use super::kit::*;
use crate::{Activity, HeaderRecord, PartitionId, PartitionStatus, ThreadWrite, WorkerStatus};

pub(super) async fn a_header_is_read_by_itself(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    assert_eq!(storage.read_header(P0, thread(1)).await, Ok(None));
    owner.write(ThreadWrite { header: None, ..append(thread(1), texts("e", 0, 3)) }).await;
    assert_eq!(storage.read_header(P0, thread(1)).await, Ok(None), "it has none");
    owner.write(headed(thread(1))).await;
    let plain = HeaderRecord { header: bytes("header"), last_event: None };
    assert_eq!(storage.read_header(P0, thread(1)).await, Ok(Some(plain)));
    owner.write(eventful(thread(1), run(7), 1, texts("v", 0, 3))).await;
    let eventful = HeaderRecord { header: bytes("header"), last_event: Some((run(7), 3)) };
    assert_eq!(storage.read_header(P0, thread(1)).await, Ok(Some(eventful)));
    assert_eq!(storage.read_header(P1, thread(1)).await, Ok(None), "in its partition");
    owner.write(ThreadWrite { delete: true, ..ThreadWrite::none(thread(1)) }).await;
    assert_eq!(storage.read_header(P0, thread(1)).await, Ok(None));
}

/// Everything that is listed, page by page.
async fn listed(
    storage: &Shared,
    partition: PartitionId,
    max: usize,
) -> BTreeMap<ThreadKey, Bytes> {
    let mut seen = BTreeMap::new();
    let mut from = None;
    loop {
        let page = storage.list_threads(partition, from, max).await;
        let page = page.expect("list_threads succeeds");
        seen.extend(page.threads);
        from = page.next;
        if from.is_none() {
            return seen;
        }
    }
}

pub(super) async fn threads_are_listed_with_their_headers(storage: Shared) {
    assert_eq!(listed(&storage, P0, 10).await, BTreeMap::new());
    let mut owner = own(&storage, P0).await;
    let mut elsewhere = own(&storage, P1).await;
    let header =
        |n: u8| ThreadWrite { header: Some(bytes([n])), ..append(thread(n), texts("e", 0, 2)) };
    for n in [1, 2, 3] {
        owner.write(header(n)).await;
    }
    elsewhere.write(header(4)).await;
    owner.write(ThreadWrite { header: None, ..append(thread(5), texts("e", 0, 2)) }).await;
    owner.write(ThreadWrite { delete: true, ..ThreadWrite::none(thread(2)) }).await;
    let expected = BTreeMap::from([1, 3].map(|n| (thread(n), bytes([n]))));
    assert_eq!(listed(&storage, P0, 10).await, expected);
}

pub(super) async fn many_threads_are_listed_in_pages(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.commit(|commit| commit.threads = (0..=255u8).map(|n| headed(thread(n))).collect()).await;
    for max in [1, 7, 100, 100_000] {
        let all = listed(&storage, P0, max).await;
        assert!(all.into_keys().eq((0..=255u8).map(thread)), "in pages of {max}");
    }
}

async fn workers(storage: &Shared) -> Vec<WorkerStatus> {
    let mut workers = storage.list_workers().await.expect("list_workers succeeds");
    workers.sort_by(|a, b| a.worker.cmp(&b.worker));
    workers
}

async fn beat(storage: &Shared, name: &str) {
    storage.heartbeat(&worker(name), &[queue("q")]).await.expect("heartbeat succeeds");
}

async fn describe(storage: &Shared, name: &str, description: &str) {
    let described = storage.describe_worker(&worker(name), bytes(description)).await;
    described.expect("describe_worker succeeds");
}

pub(super) async fn workers_are_listed_with_what_they_say_of_themselves(storage: Shared) {
    describe(&storage, "a", "first").await;
    assert_eq!(workers(&storage).await, [], "it has sent no heartbeat");
    beat(&storage, "a").await;
    beat(&storage, "b").await;
    describe(&storage, "a", "second").await;
    let found = workers(&storage).await;
    let shown: Vec<_> =
        found.iter().map(|it| (it.worker.as_str(), text(&it.description))).collect();
    assert_eq!(shown, [("a", "second".to_owned()), ("b", String::new())]);
    assert!(found.iter().all(|it| it.silent_for_ms < 600_000), "{found:?}");
}

pub(super) async fn the_silence_of_a_worker_grows_until_it_is_heard(storage: Shared) {
    beat(&storage, "a").await;
    while workers(&storage).await[0].silent_for_ms < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    describe(&storage, "a", "x").await;
    assert!(workers(&storage).await[0].silent_for_ms >= 20, "a description is no heartbeat");
}

pub(super) async fn a_retired_worker_is_not_listed(storage: Shared) {
    describe(&storage, "a", "x").await;
    beat(&storage, "a").await;
    beat(&storage, "b").await;
    storage.retire(&worker("a"), &[queue("q")]).await.expect("retire succeeds");
    let names: Vec<_> = workers(&storage).await.into_iter().map(|it| it.worker).collect();
    assert_eq!(names, [worker("b")]);
    beat(&storage, "a").await;
    assert_eq!(workers(&storage).await[0].description, bytes(""), "it is forgotten");
}

pub(super) async fn descriptions_are_binary(storage: Shared) {
    for description in awkward().into_iter().chain([mebibyte()]) {
        let described = storage.describe_worker(&worker("a"), description.clone()).await;
        described.expect("describe_worker succeeds");
        beat(&storage, "a").await;
        assert!(workers(&storage).await[0].description == description, "as it was");
    }
}

async fn status(storage: &Shared) -> PartitionStatus {
    let mut status = storage.partition_status(P0).await.expect("partition_status succeeds");
    status.queues.sort_by(|a, b| a.queue.cmp(&b.queue));
    status
}

pub(super) async fn the_status_of_an_untouched_partition_is_empty(storage: Shared) {
    let status = status(&storage).await;
    assert_eq!(status.owner, None);
    assert_eq!((status.last_commit, status.inbox), (0, 0));
    assert_eq!((status.active_threads, status.dead_letters), (0, 0));
    assert_eq!(status.queues, []);
}

pub(super) async fn the_status_names_the_owner_of_a_partition(storage: Shared) {
    let owner = own(&storage, P0).await;
    let holder = status(&storage).await.owner.expect("it is owned");
    assert_eq!((holder.node, holder.epoch), (node("owner"), owner.lease.token.epoch));
    assert!((1..=600_000).contains(&holder.expires_in_ms), "{}", holder.expires_in_ms);
    storage.release(&owner.lease).await.expect("release succeeds");
    assert_eq!(status(&storage).await.owner, None);
    own_as(&storage, P0, "short", SHORT).await;
    while status(&storage).await.owner.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn the_status_counts_what_is_in_a_partition(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    own(&storage, P1).await.order("q", &texts("elsewhere", 0, 5)).await;
    for n in 0..4 {
        submit(&storage, P0, n, "m").await;
    }
    let cursor = inbox(&storage, P0).await[0].cursor;
    let due = |n| ThreadWrite { activity: Some(Activity::Due(Millis(0))), ..headed(thread(n)) };
    owner
        .commit(|commit| {
            commit.consumed = Some(cursor);
            commit.threads = vec![due(1), due(2), headed(thread(3))];
            commit.dead_letters = texts("dead", 0, 2);
            commit.orders = ["q", "q", "q", "r"].map(|name| queued(name, &bytes("o"))).to_vec();
        })
        .await;
    let found = fetch(&storage, "w", &["q"], 100).await;
    let ours: Vec<_> = found.iter().filter(|delivery| delivery.receipt.partition == P0).collect();
    assert_eq!(ours.len(), 3);
    finish(&storage, "w", &ours[0].receipt, &["done"]).await;
    let status = status(&storage).await;
    assert_eq!((status.last_commit, status.inbox), (1, 4), "three were left, one was handed in");
    assert_eq!((status.active_threads, status.dead_letters), (2, 2));
    let queues: Vec<_> =
        status.queues.iter().map(|it| (it.queue.as_str(), it.waiting, it.assigned)).collect();
    assert_eq!(queues, [("q", 0, 2), ("r", 1, 0)]);
    assert!(status.queues.iter().all(|it| it.oldest_ms < 600_000), "{:?}", status.queues);
}

pub(super) async fn the_status_tells_the_age_of_the_oldest_order(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.order("q", &texts("o", 0, 1)).await;
    while status(&storage).await.queues[0].oldest_ms < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    owner.order("q", &texts("o", 1, 1)).await;
    fetch(&storage, "w", &["q"], 1).await;
    assert!(status(&storage).await.queues[0].oldest_ms >= 20, "also when it is assigned");
    let orders = storage.list_orders(P0, 10).await.expect("list_orders succeeds");
    assert!(orders[0].age_ms >= 20 && orders[1].age_ms < 600_000, "{orders:?}");
}

pub(super) async fn orders_are_listed_with_their_workers(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.order("q", &texts("o", 0, 3)).await;
    owner.order("r", &texts("p", 0, 2)).await;
    own(&storage, P1).await.order("q", &texts("elsewhere", 0, 1)).await;
    fetch(&storage, "w", &["q"], 1).await;
    fetch(&storage, "v", &["r"], 1).await;
    let listed = async |max| {
        let mut orders = storage.list_orders(P0, max).await.expect("list_orders succeeds");
        // Stable: the order within a queue stays.
        orders.sort_by(|a, b| a.queue.cmp(&b.queue));
        orders
    };
    let all = listed(100).await;
    let shown: Vec<_> = all.iter().map(|it| (text(&it.order), it.worker.clone())).collect();
    let expected = [
        ("o0", Some(worker("w"))),
        ("o1", None),
        ("o2", None),
        ("p0", Some(worker("v"))),
        ("p1", None),
    ];
    assert_eq!(shown, expected.map(|(order, worker)| (order.to_owned(), worker)));
    assert_eq!(listed(2).await.len(), 2);
    assert_eq!(listed(0).await, []);
}

pub(super) async fn looking_at_an_unknown_partition_is_refused(storage: Shared) {
    let none = PartitionId(storage.partitions());
    assert!(storage.partition_status(none).await.is_err());
    assert!(storage.list_orders(none, 1).await.is_err());
    assert!(storage.list_threads(none, None, 1).await.is_err());
    assert!(storage.read_header(none, thread(1)).await.is_err());
    assert!(storage.list_dead_letters(none, None, 1).await.is_err());
    assert!(storage.remove_dead_letter(none, crate::DeadLetterId(1, 1)).await.is_err());
}
