//! Everything acknowledged is there after a restart.

use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;
use rethread_storage::disk::{DiskStorage, Sync};
use rethread_storage::{
    Acquisition, Activity, CacheKey, CacheLookup, CheckpointWrite, Commit, EventWrite, HandIn,
    InboxCursor, ItemName, ItemRecord, JournalWrite, Lease, OrderGroup, QueuedOrder, Storage,
    StorageError, ThreadWrite,
};
use tempfile::TempDir;

use crate::open;

const P: PartitionId = PartitionId(2);
const THREAD: ThreadKey = ThreadKey::from_bytes([7; 16]);
const TTL: Duration = Duration::from_secs(600);
const BOTH: [Sync; 2] = [Sync::Group, Sync::Buffered];

fn temporary() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn run() -> RunId {
    "00000000-0000-0000-0000-000000000001".parse().expect("a UUID")
}

fn checkpoint() -> CheckpointId {
    "00000000-0000-0000-0000-000000000002".parse().expect("a UUID")
}

fn worker() -> WorkerId {
    WorkerId::new("w").expect("an id")
}

fn queue() -> QueueName {
    QueueName::new("q").expect("an id")
}

async fn acquire(storage: &DiskStorage) -> (Lease, u64) {
    let node = NodeId::new("node").expect("an id");
    match storage.acquire(P, &node, TTL).await.expect("acquire succeeds") {
        Acquisition::Acquired { lease, last_commit } => (lease, last_commit),
        held @ Acquisition::Held { .. } => panic!("leases end with the process: {held:?}"),
    }
}

fn commit(lease: Lease, number: u64) -> Commit {
    let (consumed_beyond, threads, orders) = (Vec::new(), Vec::new(), Vec::new());
    Commit { consumed_beyond, threads, orders, ..Commit::new(lease, number) }
}

async fn messages(storage: &DiskStorage) -> Vec<Bytes> {
    let from = [(P, InboxCursor::START)];
    let items = storage.read_inboxes(&from, 100, Duration::ZERO).await;
    items.expect("read_inboxes succeeds").into_iter().map(|item| item.message).collect()
}

#[tokio::test]
async fn threads_survive() {
    for sync in BOTH {
        let directory = temporary();
        let storage = open(directory.path(), sync);
        let (lease, _) = acquire(&storage).await;
        let events = EventWrite {
            run: run(),
            first_seq: 1,
            records: vec![text("one"), text("two")],
            ends: true,
        };
        let first = ThreadWrite {
            header: Some(text("header")),
            journal: JournalWrite::Append(vec![text("dropped"); 300]),
            checkpoints: vec![CheckpointWrite { id: checkpoint(), record: text("checkpoint") }],
            base: Some(checkpoint()),
            events: vec![events],
            activity: Some(Activity::Due(Millis(42))),
            ..ThreadWrite::none(THREAD)
        };
        let second = ThreadWrite {
            journal: JournalWrite::Replace(vec![text("a"), text("b")]),
            ..ThreadWrite::none(THREAD)
        };
        for (number, write) in [(1, first), (2, second)] {
            let commit = Commit { threads: vec![write], ..commit(lease, number) };
            storage.commit(commit).await.expect("commit succeeds");
        }
        let before = storage.load_thread(P, THREAD).await.expect("load_thread succeeds");
        drop(storage);

        let storage = open(directory.path(), sync);
        let loaded = storage.load_thread(P, THREAD).await.expect("load_thread succeeds");
        assert_eq!(loaded, before, "{sync:?}");
        let loaded = loaded.expect("the thread exists");
        assert_eq!(loaded.journal, [text("a"), text("b")], "{sync:?}");
        assert_eq!(loaded.base, Some(text("checkpoint")), "{sync:?}");
        assert_eq!(loaded.last_event, Some((run(), 2)), "{sync:?}");
        let events = storage.read_events(P, run(), 0, 10).await.expect("read_events succeeds");
        assert_eq!(events, [text("one"), text("two")], "{sync:?}");
        assert_eq!(storage.active_threads(P).await, Ok(vec![(THREAD, Millis(42))]), "{sync:?}");
    }
}

#[tokio::test]
async fn messages_and_op_ids_survive() {
    for sync in BOTH {
        let directory = temporary();
        let storage = open(directory.path(), sync);
        let (lease, _) = acquire(&storage).await;
        for n in 0..12u8 {
            let op = OpId::from_random(u128::from(n));
            storage.submit(P, op, Bytes::from(vec![n])).await.expect("submit succeeds");
        }
        let from = [(P, InboxCursor::START)];
        let items = storage.read_inboxes(&from, 100, Duration::ZERO).await.expect("reads");
        let consumed = Some(items[3].cursor);
        let commit = Commit { consumed, ..commit(lease, 1) };
        storage.commit(commit).await.expect("commit succeeds");
        drop(storage);

        for _ in 0..2 {
            let storage = open(directory.path(), sync);
            let left: Vec<_> = (4..12u8).map(|n| Bytes::from(vec![n])).collect();
            assert_eq!(messages(&storage).await, left, "{sync:?}");
            for n in [0, 7] {
                let again = storage.submit(P, OpId::from_random(n), text("again")).await;
                assert_eq!(again, Ok(()), "{sync:?}");
            }
            assert_eq!(messages(&storage).await, left, "both were accepted before, {sync:?}");
        }
        let storage = open(directory.path(), sync);
        let fresh = storage.submit(P, OpId::from_random(99), text("fresh")).await;
        assert_eq!(fresh, Ok(()));
        assert_eq!(messages(&storage).await.last(), Some(&text("fresh")), "new ones go behind");
    }
}

#[tokio::test]
async fn epochs_and_commit_numbers_go_on() {
    let directory = temporary();
    let mut last = 0;
    for round in 0..4 {
        let storage = open(directory.path(), Sync::Buffered);
        let (lease, last_commit) = acquire(&storage).await;
        assert!(lease.token.epoch > last, "an epoch is never given twice");
        assert_eq!(last_commit, round);
        last = lease.token.epoch;
        storage.commit(commit(lease, round + 1)).await.expect("commit succeeds");
        drop(storage);
        let storage = open(directory.path(), Sync::Buffered);
        let refused = storage.commit(commit(lease, round + 2)).await;
        assert_eq!(refused, Err(StorageError::Fenced { partition: P }), "an old token");
    }
}

#[tokio::test]
async fn orders_survive_with_their_fetches() {
    for sync in BOTH {
        let directory = temporary();
        let storage = open(directory.path(), sync);
        let (lease, _) = acquire(&storage).await;
        let orders = (0..20).map(|n| QueuedOrder {
            queue: queue(),
            group: OrderGroup([1; 16]),
            order: text(&format!("o{n}")),
        });
        let commit = Commit { orders: orders.collect(), ..commit(lease, 1) };
        storage.commit(commit).await.expect("commit succeeds");
        storage.fetch(&worker(), &[queue()], 3, Duration::ZERO).await.expect("fetch succeeds");
        drop(storage);

        let storage = open(directory.path(), sync);
        assert_eq!(storage.queued_orders(P).await.map(|orders| orders.len()), Ok(20));
        let all = storage.fetch(&worker(), &[queue()], 99, Duration::ZERO).await.expect("fetches");
        let found: Vec<_> = all.iter().map(|d| (d.order.clone(), d.fetches)).collect();
        let expected: Vec<_> =
            (0..20).map(|n| (text(&format!("o{n}")), if n < 3 { 2 } else { 1 })).collect();
        assert_eq!(found, expected, "in order, {sync:?}");
    }
}

/// Puts one order into the queue, as the first commit of the partition.
async fn write_order(storage: &DiskStorage) {
    let (lease, _) = acquire(storage).await;
    let orders =
        vec![QueuedOrder { queue: queue(), group: OrderGroup([1; 16]), order: text("order") }];
    storage.commit(Commit { orders, ..commit(lease, 1) }).await.expect("commit succeeds");
}

/// Fetches the order and hands in these messages as its end.
async fn hand_in(storage: &DiskStorage, messages: Vec<Bytes>) {
    let found = storage.fetch(&worker(), &[queue()], 9, Duration::ZERO).await;
    let finished = Some(found.expect("fetch succeeds").remove(0).receipt);
    let part = HandIn { partition: P, finished, messages };
    storage.hand_in(&worker(), vec![part]).await.expect("hand_in succeeds");
}

#[tokio::test]
async fn what_was_handed_back_is_uncounted_after_a_restart() {
    for sync in BOTH {
        let directory = temporary();
        let storage = open(directory.path(), sync);
        write_order(&storage).await;
        drop(storage);
        for round in 1..4 {
            let storage = open(directory.path(), sync);
            let found = storage.fetch(&worker(), &[queue()], 9, Duration::ZERO).await;
            let found = found.expect("fetch succeeds").remove(0);
            assert_eq!((found.fetches, found.given), (1, round), "{sync:?}");
            storage.retire(&worker(), &[queue()]).await.expect("retire succeeds");
        }
    }
}

#[tokio::test]
async fn an_order_runs_again_until_its_result_is_committed() {
    let directory = temporary();
    let storage = open(directory.path(), Sync::Group);
    write_order(&storage).await;
    hand_in(&storage, vec![text("emitted"), text("result")]).await;
    drop(storage);

    let storage = open(directory.path(), Sync::Group);
    assert_eq!(messages(&storage).await, Vec::<Bytes>::new(), "the result was not recorded");
    assert_eq!(storage.queued_orders(P).await.map(|orders| orders.len()), Ok(1));
    hand_in(&storage, vec![text("emitted"), text("result")]).await;
    let (lease, last_commit) = acquire(&storage).await;
    let from = [(P, InboxCursor::START)];
    let items = storage.read_inboxes(&from, 9, Duration::ZERO).await.expect("reads");
    let half = Commit { consumed: Some(items[0].cursor), ..commit(lease, last_commit + 1) };
    storage.commit(half).await.expect("commit succeeds");
    drop(storage);

    let storage = open(directory.path(), Sync::Group);
    let left = storage.queued_orders(P).await.map(|orders| orders.len());
    assert_eq!(left, Ok(1), "the last of its messages was not consumed");
    hand_in(&storage, vec![text("emitted"), text("result")]).await;
    let (lease, last_commit) = acquire(&storage).await;
    let items = storage.read_inboxes(&from, 9, Duration::ZERO).await.expect("reads");
    let whole = Commit { consumed: Some(items[1].cursor), ..commit(lease, last_commit + 1) };
    storage.commit(whole).await.expect("commit succeeds");
    drop(storage);

    let storage = open(directory.path(), Sync::Group);
    assert_eq!(storage.queued_orders(P).await, Ok(Vec::new()), "the result is recorded");
    assert_eq!(messages(&storage).await, Vec::<Bytes>::new());
}

#[tokio::test]
async fn an_order_that_ended_without_messages_stays_gone() {
    let directory = temporary();
    let storage = open(directory.path(), Sync::Group);
    write_order(&storage).await;
    hand_in(&storage, Vec::new()).await;
    drop(storage);
    let storage = open(directory.path(), Sync::Group);
    assert_eq!(storage.queued_orders(P).await, Ok(Vec::new()));
}

fn item(labels: &[&str], key: &str) -> ItemName {
    let namespace = Namespace::new(labels.iter().copied()).expect("a namespace");
    ItemName { namespace, key: key.to_owned() }
}

#[tokio::test]
async fn items_survive() {
    for sync in BOTH {
        let directory = temporary();
        let storage = open(directory.path(), sync);
        let lasting = |record| ItemRecord { record: text(record), expires_at: None };
        let ending = |at| ItemRecord { record: text("ends"), expires_at: Some(Millis(at)) };
        let puts = [
            (item(&["a"], "kept"), lasting("old")),
            (item(&["a"], "kept"), lasting("new")),
            (item(&["a"], "deleted"), lasting("gone")),
            (item(&["a", "b"], "ends late"), ending(u64::MAX - 1)),
            (item(&["a", "b"], "ended"), ending(1)),
            (item(&["c"], "touched"), lasting("touched")),
        ];
        for (name, record) in puts {
            storage.put_item(&name, record).await.expect("put_item succeeds");
        }
        storage.delete_item(&item(&["a"], "deleted")).await.expect("delete_item succeeds");
        let touched = storage.touch_item(&item(&["c"], "touched"), Millis(u64::MAX - 2)).await;
        touched.expect("touch_item succeeds");
        drop(storage);

        let storage = open(directory.path(), sync);
        let found = storage.scan_items(&[], None, 100).await.expect("scan_items succeeds");
        let touched =
            ItemRecord { record: text("touched"), expires_at: Some(Millis(u64::MAX - 2)) };
        let expected = vec![
            (item(&["a"], "kept"), lasting("new")),
            (item(&["a", "b"], "ends late"), ending(u64::MAX - 1)),
            (item(&["c"], "touched"), touched),
        ];
        assert_eq!(found, expected, "{sync:?}");
        let namespaces = storage.item_namespaces(&[]).await.expect("item_namespaces succeeds");
        assert_eq!(namespaces.len(), 3, "{sync:?}");
    }
}

#[tokio::test]
async fn the_cache_survives_and_duties_do_not() {
    for sync in BOTH {
        let directory = temporary();
        let storage = open(directory.path(), sync);
        let key = |entry: &str| CacheKey { group: "g".into(), entry: text(entry) };
        let ask = async |storage: &DiskStorage, entry: &str| {
            storage.look_up_cache(&key(entry), "holder", TTL).await.expect("look_up_cache succeeds")
        };
        let entries = [("lasting", None), ("long", Some(TTL)), ("short", Some(Duration::ZERO))];
        for (entry, ttl) in entries {
            let filled = storage.fill_cache(&key(entry), text(entry), ttl).await;
            filled.expect("fill_cache succeeds");
        }
        let cleared = CacheKey { group: "h".into(), entry: text("cleared") };
        storage.fill_cache(&cleared, text("cleared"), None).await.expect("fill_cache succeeds");
        storage.clear_cache(Some("h")).await.expect("clear_cache succeeds");
        let other = storage.look_up_cache(&key("made"), "other", TTL).await;
        assert_eq!(other, Ok(CacheLookup::Vacant));
        assert_eq!(ask(&storage, "made").await, CacheLookup::Filling);
        drop(storage);

        let storage = open(directory.path(), sync);
        for entry in ["lasting", "long"] {
            assert_eq!(ask(&storage, entry).await, CacheLookup::Hit(text(entry)), "{sync:?}");
        }
        for entry in ["short", "made"] {
            assert_eq!(ask(&storage, entry).await, CacheLookup::Vacant, "{entry}, {sync:?}");
        }
        let cleared = storage.look_up_cache(&cleared, "holder", TTL).await;
        assert_eq!(cleared, Ok(CacheLookup::Vacant), "{sync:?}");
    }
}

#[tokio::test]
async fn a_deleted_thread_stays_gone() {
    for sync in BOTH {
        let directory = temporary();
        let storage = open(directory.path(), sync);
        let (lease, _) = acquire(&storage).await;
        let full = ThreadWrite {
            header: Some(text("header")),
            journal: JournalWrite::Append(vec![text("entry"); 300]),
            checkpoints: vec![CheckpointWrite { id: checkpoint(), record: text("checkpoint") }],
            base: Some(checkpoint()),
            activity: Some(Activity::Due(Millis(42))),
            ..ThreadWrite::none(THREAD)
        };
        let deletion = ThreadWrite { delete: true, ..ThreadWrite::none(THREAD) };
        for (number, write) in [(1, full.clone()), (2, deletion.clone()), (3, full), (4, deletion)]
        {
            let commit = Commit { threads: vec![write], ..commit(lease, number) };
            storage.commit(commit).await.expect("commit succeeds");
        }
        drop(storage);

        let storage = open(directory.path(), sync);
        assert_eq!(storage.load_thread(P, THREAD).await, Ok(None), "{sync:?}");
        assert_eq!(storage.list_checkpoints(P, THREAD, None, 9).await, Ok(Vec::new()), "{sync:?}");
        assert_eq!(storage.active_threads(P).await, Ok(Vec::new()), "{sync:?}");
    }
}
