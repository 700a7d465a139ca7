//! Dead and departing workers: nothing is lost, nothing is stolen.

use std::sync::Arc;
use std::time::Duration;

use super::kit::*;

/// A worker takes `max` of the given orders.
async fn assigned(storage: &Shared, name: &str, count: usize, max: usize) -> Vec<crate::Delivery> {
    own(storage, P0).await.order("q", &texts("o", 0, count)).await;
    fetch(storage, name, &["q"], max).await
}

pub(super) async fn orders_of_a_dead_worker_are_taken_over(storage: Shared) {
    assigned(&storage, "dead", 2, 2).await;
    let found = reclaim_until_found(&storage, "heir", &["q"], 10).await;
    let mut names = orders(&found);
    names.sort();
    assert_eq!(names, ["o0", "o1"]);
    for delivery in &found {
        finish(&storage, "heir", &delivery.receipt, &["done"]).await;
    }
    assert_eq!(inbox_texts(&storage, P0).await, ["done", "done"], "the heir finishes them");
    assert_eq!(queued_texts(&storage, P0).await, [""; 0]);
}

pub(super) async fn a_reclaimed_order_counts_one_more_fetch(storage: Shared) {
    assigned(&storage, "first", 1, 1).await;
    let second = reclaim_until_found(&storage, "second", &["q"], 10).await;
    assert_eq!(second[0].fetches, 2);
    let third = reclaim_until_found(&storage, "third", &["q"], 10).await;
    assert_eq!(third[0].fetches, 3);
}

pub(super) async fn a_living_worker_keeps_its_orders(storage: Shared) {
    let found = assigned(&storage, "alive", 1, 1).await;
    let queues = [queue("q")];
    let taken = storage.reclaim(&worker("heir"), &queues, PATIENT, 10).await;
    assert_eq!(taken, Ok(Vec::new()), "its last heartbeat is young");
    tokio::time::sleep(SHORT * 2).await;
    storage.heartbeat(&worker("alive"), &queues).await.expect("heartbeat succeeds");
    let taken = storage.reclaim(&worker("heir"), &queues, PATIENT, 10).await;
    assert_eq!(taken, Ok(Vec::new()), "it goes on");
    finish(&storage, "alive", &found[0].receipt, &["done"]).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["done"]);
}

pub(super) async fn a_worker_without_heartbeat_is_dead(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    let queues = [queue("q")];
    let found = storage.fetch(&worker("mute"), &queues, 1, NO_WAIT).await;
    assert_eq!(found.expect("fetch succeeds").len(), 1);
    let taken = reclaim_until_found(&storage, "heir", &["q"], 10).await;
    assert_eq!(orders(&taken), ["o0"]);
}

pub(super) async fn a_reclaim_stops_at_the_maximum(storage: Shared) {
    assigned(&storage, "dead", 5, 5).await;
    let mut all = Vec::new();
    for expected in [2, 2, 1] {
        let found = reclaim_until_found(&storage, "heir", &["q"], 2).await;
        assert_eq!(found.len(), expected);
        all.extend(orders(&found));
    }
    all.sort();
    assert_eq!(all, ["o0", "o1", "o2", "o3", "o4"]);
}

pub(super) async fn a_reclaim_asks_its_own_queues_only(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.order("a", &texts("a", 0, 1)).await;
    owner.order("b", &texts("b", 0, 1)).await;
    assert_eq!(fetch(&storage, "dead", &["a", "b"], 2).await.len(), 2);
    assert_eq!(orders(&reclaim_until_found(&storage, "heir", &["b"], 10).await), ["b0"]);
    assert_eq!(orders(&reclaim_until_found(&storage, "heir", &["a"], 10).await), ["a0"]);
}

pub(super) async fn a_worker_does_not_reclaim_from_itself(storage: Shared) {
    assigned(&storage, "late", 1, 1).await;
    tokio::time::sleep(SHORT * 2).await;
    let taken = storage.reclaim(&worker("late"), &[queue("q")], Duration::ZERO, 10).await;
    assert_eq!(taken, Ok(Vec::new()));
}

pub(super) async fn a_dead_worker_that_wakes_hands_in_nothing(storage: Shared) {
    let old = assigned(&storage, "dead", 1, 1).await;
    let new = reclaim_until_found(&storage, "heir", &["q"], 10).await;
    finish(&storage, "dead", &old[0].receipt, &["too late"]).await;
    assert_eq!(inbox_texts(&storage, P0).await, [""; 0], "the heir has the order");
    assert_eq!(queued_texts(&storage, P0).await, ["o0"], "and still has it");
    finish(&storage, "heir", &new[0].receipt, &["done"]).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["done"]);
}

pub(super) async fn retire_puts_orders_back_at_once(storage: Shared) {
    let found = assigned(&storage, "leaving", 3, 2).await;
    finish(&storage, "leaving", &found[0].receipt, &["done"]).await;
    storage.retire(&worker("leaving"), &[queue("q")]).await.expect("retire succeeds");
    let mut names = orders(&fetch(&storage, "staying", &["q"], 10).await);
    names.sort();
    assert_eq!(names, ["o1", "o2"], "what it had not finished, and what was queued");
}

pub(super) async fn a_fetch_that_is_handed_back_does_not_count(storage: Shared) {
    assigned(&storage, "first", 1, 1).await;
    let mut given = 1;
    for name in ["a", "b", "c"] {
        storage.retire(&worker("first"), &[queue("q")]).await.expect("retire succeeds");
        let found = fetch(&storage, "first", &["q"], 1).await;
        given += 1;
        assert_eq!((found[0].fetches, found[0].given), (1, given), "only the last one counts");
        storage.retire(&worker("first"), &[queue("q")]).await.expect("retire succeeds");
        let found = fetch(&storage, name, &["q"], 1).await;
        given += 1;
        assert_eq!((found[0].fetches, found[0].given), (1, given), "nor for others");
        storage.retire(&worker(name), &[queue("q")]).await.expect("retire succeeds");
        assert_eq!(fetch(&storage, "first", &["q"], 1).await.len(), 1);
        given += 1;
    }
    let found = reclaim_until_found(&storage, "heir", &["q"], 1).await;
    assert_eq!((found[0].fetches, found[0].given), (2, given + 1), "a death counts");
    storage.retire(&worker("heir"), &[queue("q")]).await.expect("retire succeeds");
    let found = fetch(&storage, "next", &["q"], 1).await;
    assert_eq!((found[0].fetches, found[0].given), (2, given + 2), "and still does");
}

pub(super) async fn an_assigned_order_is_confirmed(storage: Shared) {
    let found = assigned(&storage, "w", 3, 2).await;
    let receipts: Vec<_> = found.into_iter().map(|delivery| delivery.receipt).collect();
    assert_eq!(storage.confirm(&worker("w"), &receipts).await, Ok(vec![true, true]));
    assert_eq!(storage.confirm(&worker("v"), &receipts).await, Ok(vec![false, false]));
    assert_eq!(storage.confirm(&worker("w"), &[]).await, Ok(Vec::new()));
}

pub(super) async fn a_finished_order_is_not_confirmed(storage: Shared) {
    let found = assigned(&storage, "w", 2, 2).await;
    let receipts = [found[0].receipt.clone(), found[1].receipt.clone()];
    finish(&storage, "w", &receipts[0], &["done"]).await;
    assert_eq!(storage.confirm(&worker("w"), &receipts).await, Ok(vec![false, true]));
}

pub(super) async fn a_reclaimed_order_is_confirmed_to_its_heir(storage: Shared) {
    let old = assigned(&storage, "dead", 1, 1).await.remove(0).receipt;
    let new = reclaim_until_found(&storage, "heir", &["q"], 10).await.remove(0).receipt;
    // The dead one wakes up.
    storage.heartbeat(&worker("dead"), &[queue("q")]).await.expect("heartbeat succeeds");
    assert_eq!(storage.confirm(&worker("dead"), &[old]).await, Ok(vec![false]));
    assert_eq!(storage.confirm(&worker("heir"), &[new]).await, Ok(vec![true]));
}

pub(super) async fn a_retired_workers_orders_are_not_confirmed(storage: Shared) {
    let old = [assigned(&storage, "leaving", 1, 1).await.remove(0).receipt];
    storage.retire(&worker("leaving"), &[queue("q")]).await.expect("retire succeeds");
    assert_eq!(storage.confirm(&worker("leaving"), &old).await, Ok(vec![false]), "queued");
    let new = [fetch(&storage, "leaving", &["q"], 1).await.remove(0).receipt];
    assert_eq!(storage.confirm(&worker("leaving"), &old).await, Ok(vec![false]), "another fetch");
    assert_eq!(storage.confirm(&worker("leaving"), &new).await, Ok(vec![true]));
}

pub(super) async fn retire_wakes_a_waiting_fetch(storage: Shared) {
    assigned(&storage, "leaving", 1, 1).await;
    let waiting = Arc::clone(&storage);
    let waiting = tokio::spawn(async move {
        waiting.heartbeat(&worker("w"), &[queue("q")]).await.expect("heartbeat succeeds");
        waiting.fetch(&worker("w"), &[queue("q")], 10, PATIENT).await
    });
    tokio::time::sleep(BRIEF).await;
    storage.retire(&worker("leaving"), &[queue("q")]).await.expect("retire succeeds");
    let found = waiting.await.expect("no panic").expect("fetch succeeds");
    assert_eq!(orders(&found), ["o0"]);
}

pub(super) async fn a_retired_worker_hands_in_nothing(storage: Shared) {
    let found = assigned(&storage, "leaving", 1, 1).await;
    storage.retire(&worker("leaving"), &[queue("q")]).await.expect("retire succeeds");
    finish(&storage, "leaving", &found[0].receipt, &["too late"]).await;
    assert_eq!(inbox_texts(&storage, P0).await, [""; 0]);
    assert_eq!(orders(&fetch(&storage, "w", &["q"], 1).await), ["o0"]);
}

pub(super) async fn retiring_an_unknown_worker_is_nothing(storage: Shared) {
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    storage.retire(&worker("nobody"), &[queue("q")]).await.expect("retire succeeds");
    assert_eq!(queued_texts(&storage, P0).await, ["o0"]);
}
