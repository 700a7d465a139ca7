//! Work queues: each order to one worker, each result once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::kit::*;
use crate::{HandIn, InboxCursor};

pub(super) async fn an_order_is_fetched_once(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    assert_eq!(orders(&fetch(&storage, "w", &["q"], 10).await), ["o0"]);
    assert!(fetch(&storage, "w", &["q"], 10).await.is_empty(), "the same worker again");
    assert!(fetch(&storage, "v", &["q"], 10).await.is_empty(), "another worker");
}

pub(super) async fn orders_come_oldest_first(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for first in [0, 3, 6] {
        owner.order("q", &texts("o", first, 3)).await;
    }
    let found: Vec<_> =
        fetch(&storage, "w", &["q"], 100).await.into_iter().map(|d| d.order).collect();
    assert_eq!(found, texts("o", 0, 9));
}

pub(super) async fn a_fetch_stops_at_the_maximum(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 5)).await;
    assert_eq!(orders(&fetch(&storage, "w", &["q"], 2).await), ["o0", "o1"]);
    assert_eq!(orders(&fetch(&storage, "w", &["q"], 2).await), ["o2", "o3"]);
    assert_eq!(orders(&fetch(&storage, "w", &["q"], 2).await), ["o4"]);
}

pub(super) async fn a_fetch_asks_its_own_queues_only(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    assert!(fetch(&storage, "w", &["other"], 10).await.is_empty());
    assert!(fetch(&storage, "w", &[], 10).await.is_empty());
    assert_eq!(fetch(&storage, "w", &["q"], 10).await.len(), 1);
}

pub(super) async fn a_fetch_asks_several_queues(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.order("a", &texts("a", 0, 2)).await;
    owner.order("b", &texts("b", 0, 2)).await;
    owner.order("c", &texts("c", 0, 2)).await;
    let found = fetch(&storage, "w", &["a", "b"], 100).await;
    let names: BTreeSet<_> = orders(&found).into_iter().collect();
    assert_eq!(names, BTreeSet::from(["a0", "a1", "b0", "b1"].map(String::from)));
    for delivery in &found {
        let name = delivery.receipt.queue.as_str();
        assert!(
            text(&delivery.order).starts_with(name),
            "the receipt names the queue: {delivery:?}"
        );
    }
}

pub(super) async fn several_workers_share_a_queue(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 4)).await;
    let mut all = orders(&fetch(&storage, "w", &["q"], 2).await);
    all.extend(orders(&fetch(&storage, "v", &["q"], 2).await));
    assert_eq!(all, ["o0", "o1", "o2", "o3"]);
}

pub(super) async fn a_waiting_fetch_is_woken(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let waiting = Arc::clone(&storage);
    let waiting = tokio::spawn(async move {
        let queues = [queue("idle"), queue("q")];
        waiting.heartbeat(&worker("w"), &queues).await.expect("heartbeat succeeds");
        waiting.fetch(&worker("w"), &queues, 10, PATIENT).await
    });
    tokio::time::sleep(BRIEF).await;
    owner.order("q", &texts("o", 0, 1)).await;
    let found = waiting.await.expect("no panic").expect("fetch succeeds");
    assert_eq!(orders(&found), ["o0"], "the wait ends with the order");
}

pub(super) async fn a_waiting_fetch_gives_up(storage: Shared) {
    let found = storage.fetch(&worker("w"), &[queue("q")], 10, BRIEF).await;
    assert_eq!(found, Ok(Vec::new()));
}

pub(super) async fn the_first_fetch_counts_one(storage: Shared) {
    own(&storage, P1).await.order("q", &texts("o", 0, 3)).await;
    for delivery in fetch(&storage, "w", &["q"], 10).await {
        assert_eq!(delivery.fetches, 1);
        assert_eq!(delivery.receipt.partition, P1, "the receipt names the partition");
    }
}

pub(super) async fn orders_of_all_partitions_share_a_queue(storage: Shared) {
    for (n, partition) in [P0, P1, P2, P3].into_iter().enumerate() {
        own(&storage, partition).await.order("q", &texts("o", n, 1)).await;
    }
    let mut found = orders(&fetch(&storage, "w", &["q"], 10).await);
    found.sort();
    assert_eq!(found, ["o0", "o1", "o2", "o3"]);
}

pub(super) async fn handed_in_messages_reach_the_inbox(storage: Shared) {
    own(&storage, P1).await.order("q", &texts("o", 0, 1)).await;
    submit(&storage, P1, 1, "before").await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    finish(&storage, "w", &found[0].receipt, &["first", "second"]).await;
    assert_eq!(inbox_texts(&storage, P1).await, ["before", "first", "second"]);
}

pub(super) async fn a_finished_order_is_gone(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    finish(&storage, "w", &found[0].receipt, &["done"]).await;
    assert_eq!(queued_texts(&storage, P0).await, [""; 0]);
    storage.retire(&worker("w"), &[queue("q")]).await.expect("retire succeeds");
    assert!(fetch(&storage, "v", &["q"], 10).await.is_empty(), "it never comes back");
}

pub(super) async fn a_second_hand_in_is_dropped_with_its_messages(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    finish(&storage, "w", &found[0].receipt, &["done"]).await;
    finish(&storage, "w", &found[0].receipt, &["done again"]).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["done"]);
}

pub(super) async fn a_foreign_receipt_is_dropped_with_its_messages(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    fetch(&storage, "thief", &["q"], 1).await;
    finish(&storage, "thief", &found[0].receipt, &["stolen"]).await;
    assert_eq!(inbox_texts(&storage, P0).await, [""; 0]);
    finish(&storage, "w", &found[0].receipt, &["done"]).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["done"], "its own worker can still finish it");
}

pub(super) async fn a_part_without_a_receipt_is_taken(storage: Shared) {
    for text in ["one", "two"] {
        let part = HandIn { partition: P0, finished: None, messages: vec![bytes(text)] };
        storage.hand_in(&worker("w"), vec![part]).await.expect("hand_in succeeds");
    }
    assert_eq!(inbox_texts(&storage, P0).await, ["one", "two"]);
}

pub(super) async fn an_order_finishes_without_messages(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    finish(&storage, "w", &found[0].receipt, &[]).await;
    assert_eq!(queued_texts(&storage, P0).await, [""; 0]);
    assert_eq!(inbox_texts(&storage, P0).await, [""; 0]);
}

pub(super) async fn one_hand_in_serves_several_parts(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("a", 0, 2)).await;
    own(&storage, P1).await.order("q", &texts("b", 0, 1)).await;
    let found = fetch(&storage, "w", &["q"], 10).await;
    let stale = found[0].receipt.clone();
    finish(&storage, "w", &stale, &["early"]).await;
    let part = |receipt: &crate::Receipt| HandIn {
        partition: receipt.partition,
        finished: Some(receipt.clone()),
        messages: vec![bytes("done")],
    };
    let mut parts: Vec<_> = found.iter().map(|delivery| part(&delivery.receipt)).collect();
    parts.push(HandIn { partition: P2, finished: None, messages: vec![bytes("emitted")] });
    storage.hand_in(&worker("w"), parts).await.expect("hand_in succeeds");
    let mut counts = [0; 3];
    for (n, partition) in [P0, P1, P2].into_iter().enumerate() {
        counts[n] = inbox(&storage, partition).await.len();
    }
    assert_eq!(counts, [2, 1, 1], "only the part of the stale receipt is dropped");
}

pub(super) async fn hand_in_wakes_a_reader(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    let reader = Arc::clone(&storage);
    let waiting =
        tokio::spawn(
            async move { reader.read_inboxes(&[(P0, InboxCursor::START)], 10, PATIENT).await },
        );
    tokio::time::sleep(BRIEF).await;
    finish(&storage, "w", &found[0].receipt, &["done"]).await;
    let items = waiting.await.expect("no panic").expect("read_inboxes succeeds");
    assert_eq!(items.len(), 1);
}

pub(super) async fn queued_orders_are_what_is_not_finished(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.order("q", &texts("o", 0, 3)).await;
    owner.order("r", &texts("o", 3, 1)).await;
    let found = fetch(&storage, "w", &["q"], 2).await;
    assert_eq!(queued_texts(&storage, P0).await, ["o0", "o1", "o2", "o3"], "also the assigned");
    finish(&storage, "w", &found[1].receipt, &["done"]).await;
    assert_eq!(queued_texts(&storage, P0).await, ["o0", "o2", "o3"]);
    let listed = storage.queued_orders(P0).await.expect("queued_orders succeeds");
    let other = listed.iter().find(|order| order.queue == queue("r"));
    assert_eq!(other.map(|order| text(&order.order)).as_deref(), Some("o3"), "with its queue");
}

pub(super) async fn queued_orders_are_listed_per_partition(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("a", 0, 2)).await;
    own(&storage, P1).await.order("q", &texts("b", 0, 1)).await;
    assert_eq!(queued_texts(&storage, P0).await, ["a0", "a1"]);
    assert_eq!(queued_texts(&storage, P1).await, ["b0"]);
    assert_eq!(queued_texts(&storage, P2).await, [""; 0]);
}

pub(super) async fn odd_names_are_kept_apart(storage: Shared) {
    let long = "x".repeat(256);
    let names = [
        "a", "A", " a", "a ", "a:b", "a}b{", "{a}", "a\r\nb", "a\0b", "ä", "a\u{308}", "*", "?",
        "[a]", "a/../b", "%00", "\"", "'", "\\", "🦀", &long,
    ];
    let mut owner = own(&storage, P0).await;
    for name in names {
        owner.order(name, &[bytes(name)]).await;
    }
    for name in names {
        // The same odd text names the worker.
        let found = fetch(&storage, name, &[name], 10).await;
        assert_eq!(orders(&found), [name], "queue {name:?}");
        finish(&storage, name, &found[0].receipt, &[name]).await;
    }
    assert_eq!(inbox_texts(&storage, P0).await, names);
    assert_eq!(queued_texts(&storage, P0).await, [""; 0]);
}

pub(super) async fn orders_are_binary(storage: Shared) {
    let mut records = awkward();
    records.push(mebibyte());
    own(&storage, P0).await.order("q", &records).await;
    let found = fetch(&storage, "w", &["q"], 100).await;
    assert!(found.iter().map(|delivery| &delivery.order).eq(&records), "as they were");
    let parts = found.iter().map(|delivery| HandIn {
        partition: P0,
        finished: Some(delivery.receipt.clone()),
        messages: vec![delivery.order.clone()],
    });
    storage.hand_in(&worker("w"), parts.collect()).await.expect("hand_in succeeds");
    let messages: Vec<_> = inbox(&storage, P0).await.into_iter().map(|item| item.message).collect();
    assert!(messages == records, "messages too");
}

pub(super) async fn concurrent_workers_do_each_order_once(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut workers = Vec::new();
    for n in 0..8 {
        let storage = Arc::clone(&storage);
        workers.push(tokio::spawn(async move {
            let name = format!("w{n}");
            let mut done = 0;
            while inbox(&storage, P0).await.len() < 200 {
                for delivery in fetch(&storage, &name, &["q"], 3).await {
                    let message = text(&delivery.order);
                    finish(&storage, &name, &delivery.receipt, &[&message]).await;
                    done += 1;
                }
                tokio::task::yield_now().await;
            }
            done
        }));
    }
    for first in (0..200).step_by(20) {
        owner.order("q", &texts("o", first, 20)).await;
    }
    let mut done = 0;
    for worker in workers {
        done += worker.await.expect("no panic");
    }
    assert_eq!(done, 200, "each order was given to one worker");
    let results: BTreeSet<_> = inbox_texts(&storage, P0).await.into_iter().collect();
    assert_eq!(results.len(), 200, "each result came once");
}
