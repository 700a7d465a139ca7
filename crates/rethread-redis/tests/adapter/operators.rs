//! What operators see, and what they depend on: nodes, workers, partitions, dead letters.

use std::time::Duration;

use rethread_core::ids::{Millis, NodeId};
use rethread_redis::RedisStorage;
use rethread_storage::{Activity, DeadLetterId, Storage, StorageError, ThreadWrite};

use crate::support::{P0, Space, commit, op, orders, queues, text, thread, worker};

const LONG: Duration = Duration::from_secs(600);

fn node(name: &str) -> NodeId {
    NodeId::new(name).expect("an id")
}

#[tokio::test]
async fn nodes_live_for_as_long_as_they_said_by_the_clock_of_the_server() {
    let space = Space::new().await;
    let storage = &space.storage;
    assert_eq!(storage.announce_node(&node("b"), LONG).await, Ok(vec![node("b")]));
    // It does not live for any time at all.
    assert_eq!(storage.announce_node(&node("c"), Duration::ZERO).await, Ok(vec![node("b")]));
    let both = vec![node("a"), node("b")];
    assert_eq!(storage.announce_node(&node("a"), LONG).await, Ok(both));
    storage.withdraw_node(&node("b")).await.expect("withdraws");
    assert_eq!(storage.announce_node(&node("a"), LONG).await, Ok(vec![node("a")]));
    assert_eq!(space.keys_under("m").await.iter().filter(|it| it.ends_with("nodes")).count(), 1);
}

#[tokio::test]
async fn workers_are_listed_with_what_they_say_of_themselves_until_they_retire() {
    let space = Space::new().await;
    let storage = &space.storage;
    let (a, b) = (worker("a"), worker("b"));
    storage.describe_worker(&a, text("12:tasks")).await.expect("describes");
    assert_eq!(storage.list_workers().await, Ok(Vec::new()));
    storage.heartbeat(&a, &queues()).await.expect("beats");
    storage.heartbeat(&b, &queues()).await.expect("beats");
    let listed = storage.list_workers().await.expect("lists");
    let shown: Vec<_> = listed.iter().map(|it| (&it.worker, &it.description[..])).collect();
    assert_eq!(shown, [(&a, &b"12:tasks"[..]), (&b, &b""[..])]);
    assert!(listed.iter().all(|it| it.silent_for_ms < 600_000));
    storage.retire(&a, &queues()).await.expect("retires");
    storage.retire(&b, &queues()).await.expect("retires");
    assert_eq!(storage.list_workers().await, Ok(Vec::new()));
    assert_eq!(space.keys_under("w").await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_known_of_workers_goes_after_an_hour_of_silence() {
    let space = Space::new().await;
    let storage = &space.storage;
    storage.describe_worker(&worker("old"), text("old")).await.expect("describes");
    storage.heartbeat(&worker("old"), &queues()).await.expect("beats");
    let mut raw = space.raw().await;
    let key = |name: &str| format!("rt:{{{}.w}}:{name}", space.escaped());
    let _: redis::Value = redis::pipe()
        .cmd("ZADD")
        .arg(key("hb"))
        .arg(1)
        .arg("old")
        .cmd("HSET")
        .arg(key("about"))
        .arg("old")
        .arg("1:old")
        .query_async(&mut raw)
        .await
        .expect("makes it old");
    assert_eq!(storage.list_workers().await, Ok(Vec::new()));
    storage.describe_worker(&worker("new"), text("new")).await.expect("describes");
    let known: Vec<String> =
        redis::cmd("HKEYS").arg(key("about")).query_async(&mut raw).await.expect("asks");
    assert_eq!(known, ["new"]);
}

#[tokio::test]
async fn the_status_of_a_partition_counts_what_is_there() {
    let space = Space::new().await;
    let storage = &space.storage;
    let empty = storage.partition_status(P0).await.expect("says");
    assert_eq!((empty.owner, empty.last_commit, empty.queues.len()), (None, 0, 0));
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    let mut active = ThreadWrite::none(thread("t"));
    active.header = Some(text("header"));
    active.activity = Some(Activity::Due(Millis(0)));
    write.threads.push(active);
    write.orders = orders((0..3).map(|n| format!("order {n}")));
    write.dead_letters = vec![text("poison")];
    storage.commit(write).await.expect("commits");
    storage.submit(P0, op(), text("m")).await.expect("submits");
    let name = worker("w");
    storage.fetch(&name, &queues(), 1, LONG).await.expect("fetches");

    let status = storage.partition_status(P0).await.expect("says");
    let owner = status.owner.expect("it has an owner");
    assert_eq!((owner.node.as_str(), owner.epoch), ("node", lease.token.epoch));
    assert!((1..=600_000).contains(&owner.expires_in_ms));
    assert_eq!(status.last_commit, last + 1);
    assert_eq!((status.inbox, status.active_threads, status.dead_letters), (1, 1, 1));
    assert_eq!(status.queues.len(), 1);
    let queue = &status.queues[0];
    assert_eq!((&queue.queue, queue.waiting, queue.assigned), (&queues()[0], 2, 1));
    assert!(queue.oldest_ms < 600_000);

    let listed = storage.list_orders(P0, 2).await.expect("lists");
    let shown: Vec<_> = listed.iter().map(|it| (&it.order[..], it.worker.clone())).collect();
    assert_eq!(shown, [(&b"order 0"[..], Some(name)), (&b"order 1"[..], None)]);
    assert_eq!(storage.list_orders(P0, 2_000).await.expect("lists").len(), 3);
    storage.release(&lease).await.expect("releases");
    assert_eq!(storage.partition_status(P0).await.expect("says").owner, None);
}

#[tokio::test]
async fn dead_letters_are_kept_for_their_time_and_up_to_their_number() {
    let space = Space::new().await;
    let storage = &space.storage;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.dead_letters = (0..10_005).map(|n| text(format!("{n}"))).collect();
    storage.commit(write).await.expect("commits");
    let all = storage.list_dead_letters(P0, None, 20_000).await.expect("lists");
    assert_eq!((all.len(), &all[0].record[..]), (10_000, &b"5"[..]));
    let page = storage.list_dead_letters(P0, Some(all[1].id), 2).await.expect("lists");
    assert_eq!(page, all[2..4]);
    assert_eq!(storage.remove_dead_letter(P0, all[2].id).await, Ok(true));
    assert_eq!(storage.remove_dead_letter(P0, all[2].id).await, Ok(false));
    assert_eq!(storage.remove_dead_letter(P0, DeadLetterId(0, 1)).await, Ok(false));
    let page = storage.list_dead_letters(P0, Some(all[1].id), 1).await.expect("lists");
    assert_eq!(page, all[3..4]);
    let key = space.keys(":dl").await.remove(0);
    assert!(space.time_left(&key).await > 0);

    // With a shorter retention time they are over.
    let mut options = space.options();
    options.dead_letter_retention = Duration::from_millis(1);
    let short = RedisStorage::connect(options).await.expect("connects");
    crate::support::eventually("they are over", async || {
        Ok(short.list_dead_letters(P0, None, 1).await?.is_empty().then_some(()))
    })
    .await;
    assert_eq!(short.partition_status(P0).await.expect("says").dead_letters, 0);
}

#[tokio::test]
async fn a_full_inbox_refuses_new_messages_and_nothing_else() {
    let space = Space::new().await;
    let mut options = space.options();
    options.inbox_max = 2;
    let storage = RedisStorage::connect(options).await.expect("connects");
    let (first, second) = (op(), op());
    storage.submit(P0, first, text("a")).await.expect("submits");
    storage.submit(P0, second, text("b")).await.expect("submits");
    let third = op();
    let full = Err(StorageError::Overloaded { partition: P0, waiting: 2 });
    assert_eq!(storage.submit(P0, third, text("c")).await, full);
    // What was accepted stays accepted.
    storage.submit(P0, first, text("a")).await.expect("submits");
    let part = rethread_storage::HandIn {
        partition: P0,
        finished: None,
        messages: vec![text("reported")],
    };
    storage.hand_in(&worker("w"), vec![part]).await.expect("hands in");
    let (lease, last) = space.own(P0).await;
    let start = [(P0, rethread_storage::InboxCursor::START)];
    let items = storage.read_inboxes(&start, 9, Duration::ZERO).await.expect("reads");
    assert_eq!(items.len(), 3);
    let mut write = commit(lease, last + 1);
    write.consumed = Some(items[2].cursor);
    storage.commit(write).await.expect("commits");
    // Refused before, it goes through now.
    storage.submit(P0, third, text("c")).await.expect("submits");
}
