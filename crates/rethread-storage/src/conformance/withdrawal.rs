//! Orders that are taken back.

use std::time::Duration;

use super::kit::*;
use crate::{OrderGroup, QueuedOrder, StorageError};

const A: OrderGroup = OrderGroup([0xa; 16]);
const B: OrderGroup = OrderGroup([0xb; 16]);

fn of(group: OrderGroup, name: &str, record: &str) -> QueuedOrder {
    QueuedOrder { queue: queue(name), group, order: bytes(record) }
}

async fn order(owner: &mut Owner, orders: &[QueuedOrder]) {
    owner.commit(|commit| commit.orders = orders.to_vec()).await;
}

async fn withdraw(owner: &mut Owner, groups: &[OrderGroup]) {
    owner.commit(|commit| commit.withdrawn = groups.to_vec()).await;
}

pub(super) async fn queued_orders_tell_their_group(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let orders = [of(A, "q", "1"), of(B, "q", "2"), of(OrderGroup([0; 16]), "r", "3")];
    order(&mut owner, &orders).await;
    fetch(&storage, "w", &["q"], 1).await;
    let mut listed = storage.queued_orders(P0).await.expect("queued_orders succeeds");
    listed.sort_by(|a, b| a.order.cmp(&b.order));
    assert_eq!(listed, orders, "also the assigned");
}

pub(super) async fn a_withdrawn_order_is_not_fetched(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let orders =
        [of(A, "q", "1"), of(B, "q", "2"), of(A, "q", "3"), of(A, "r", "4"), of(B, "r", "5")];
    order(&mut owner, &orders).await;
    withdraw(&mut owner, &[A]).await;
    assert_eq!(queued_texts(&storage, P0).await, ["2", "5"]);
    assert_eq!(orders_of(&storage, "w", &["q", "r"]).await, ["2", "5"]);
    assert_eq!(queued_texts(&storage, P0).await, ["2", "5"]);
}

async fn orders_of(storage: &Shared, name: &str, queues: &[&str]) -> Vec<String> {
    let mut found = orders(&fetch(storage, name, queues, 100).await);
    found.sort();
    found
}

pub(super) async fn a_withdrawn_order_is_not_confirmed(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "1"), of(B, "q", "2")]).await;
    let found = fetch(&storage, "w", &["q"], 2).await;
    let receipts: Vec<_> = found.into_iter().map(|delivery| delivery.receipt).collect();
    withdraw(&mut owner, &[A]).await;
    let confirmed = storage.confirm(&worker("w"), &receipts).await;
    assert_eq!(confirmed, Ok(vec![false, true]));
}

pub(super) async fn a_withdrawn_order_is_handed_in_without_effect(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "1"), of(B, "q", "2")]).await;
    let found = fetch(&storage, "w", &["q"], 2).await;
    withdraw(&mut owner, &[A]).await;
    for delivery in &found {
        finish(&storage, "w", &delivery.receipt, &[&text(&delivery.order)]).await;
    }
    assert_eq!(inbox_texts(&storage, P0).await, ["2"], "its messages are dropped");
    assert_eq!(queued_texts(&storage, P0).await, [""; 0]);
}

pub(super) async fn a_withdrawn_order_is_not_reclaimed(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "1"), of(B, "q", "2")]).await;
    fetch(&storage, "dead", &["q"], 2).await;
    withdraw(&mut owner, &[A]).await;
    let found = reclaim_until_found(&storage, "w", &["q"], 9).await;
    assert_eq!(orders(&found), ["2"]);
    let again = storage.reclaim(&worker("v"), &[queue("q")], Duration::ZERO, 9).await;
    assert_eq!(orders(&again.expect("reclaim succeeds")), ["2"]);
}

pub(super) async fn a_withdrawn_order_is_not_put_back(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "1"), of(B, "q", "2")]).await;
    fetch(&storage, "w", &["q"], 2).await;
    withdraw(&mut owner, &[A]).await;
    storage.retire(&worker("w"), &[queue("q")]).await.expect("retire succeeds");
    assert_eq!(orders_of(&storage, "v", &["q"]).await, ["2"]);
}

pub(super) async fn an_order_that_was_put_back_is_withdrawn(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "1"), of(B, "q", "2")]).await;
    fetch(&storage, "w", &["q"], 2).await;
    storage.retire(&worker("w"), &[queue("q")]).await.expect("retire succeeds");
    withdraw(&mut owner, &[A]).await;
    assert_eq!(orders_of(&storage, "v", &["q"]).await, ["2"]);
}

pub(super) async fn an_order_that_was_reclaimed_is_withdrawn(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "1")]).await;
    fetch(&storage, "dead", &["q"], 1).await;
    let found = reclaim_until_found(&storage, "w", &["q"], 9).await;
    withdraw(&mut owner, &[A]).await;
    assert_eq!(storage.confirm(&worker("w"), &[found[0].receipt.clone()]).await, Ok(vec![false]));
    assert_eq!(queued_texts(&storage, P0).await, [""; 0]);
}

pub(super) async fn orders_that_come_with_a_withdrawal_stay(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "old")]).await;
    let mut commit = owner.next();
    commit.withdrawn = vec![A];
    commit.orders = vec![of(A, "q", "new")];
    for attempt in 1..=2 {
        assert_eq!(storage.commit(commit.clone()).await, Ok(()), "attempt {attempt}");
        assert_eq!(queued_texts(&storage, P0).await, ["new"], "attempt {attempt}");
    }
    assert_eq!(orders_of(&storage, "w", &["q"]).await, ["new"]);
}

pub(super) async fn groups_of_partitions_are_kept_apart(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut elsewhere = own(&storage, P1).await;
    order(&mut owner, &[of(A, "q", "ours")]).await;
    order(&mut elsewhere, &[of(A, "q", "theirs")]).await;
    withdraw(&mut owner, &[A]).await;
    assert_eq!(orders_of(&storage, "w", &["q"]).await, ["theirs"]);
}

pub(super) async fn several_groups_are_withdrawn_at_once(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let others: Vec<_> = (100..150).map(|n| OrderGroup([n; 16])).collect();
    let all: Vec<_> = others.iter().map(|group| of(*group, "q", "gone")).collect();
    order(&mut owner, &all).await;
    order(&mut owner, &[of(A, "q", "stays")]).await;
    withdraw(&mut owner, &others).await;
    assert_eq!(orders_of(&storage, "w", &["q"]).await, ["stays"]);
}

pub(super) async fn withdrawing_nothing_is_nothing(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    order(&mut owner, &[of(A, "q", "1")]).await;
    withdraw(&mut owner, &[B, B]).await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    finish(&storage, "w", &found[0].receipt, &["done"]).await;
    withdraw(&mut owner, &[A]).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["done"], "what was handed in before stays");
}

pub(super) async fn a_refused_commit_withdraws_nothing(storage: Shared) {
    let mut old = own(&storage, P0).await;
    order(&mut old, &[of(A, "q", "1")]).await;
    let refused = old
        .try_commit(|commit| {
            commit.number += 5;
            commit.withdrawn = vec![A];
        })
        .await;
    assert!(matches!(refused, Err(StorageError::RolledBack { .. })), "{refused:?}");
    own(&storage, P0).await;
    let refused = old.try_commit(|commit| commit.withdrawn = vec![A]).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }));
    assert_eq!(orders_of(&storage, "w", &["q"]).await, ["1"]);
}

pub(super) async fn thousands_of_orders_are_withdrawn(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let group = |n: usize| if n.is_multiple_of(3) { A } else { B };
    let all: Vec<_> = (0..6_000).map(|n| of(group(n), "q", &n.to_string())).collect();
    order(&mut owner, &all).await;
    fetch(&storage, "w", &["q"], 3_000).await;
    withdraw(&mut owner, &[B]).await;
    let left = storage.queued_orders(P0).await.expect("queued_orders succeeds");
    assert_eq!(left.len(), 2_000);
    assert!(left.iter().all(|order| order.group == A));
    storage.retire(&worker("w"), &[queue("q")]).await.expect("retire succeeds");
    assert_eq!(fetch(&storage, "v", &["q"], 6_000).await.len(), 2_000);
}
