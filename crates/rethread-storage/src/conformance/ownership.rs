//! Leases: who may write.

use std::time::Duration;

use rethread_core::ids::PartitionId;

use super::kit::*;
use crate::{Acquisition, StorageError};

pub(super) async fn acquire_gives_a_free_partition(storage: Shared) {
    let owner = own(&storage, P0).await;
    assert!(owner.lease.token.epoch > 0, "epochs count from 1");
}

pub(super) async fn a_new_partition_has_no_commit(storage: Shared) {
    assert_eq!(own(&storage, P0).await.last_commit, 0);
}

pub(super) async fn a_held_partition_names_its_holder(storage: Shared) {
    own_as(&storage, P0, "a", LONG).await;
    match storage.acquire(P0, &node("b"), LONG).await {
        Ok(Acquisition::Held { by, expires_in_ms }) => {
            assert_eq!(by, node("a"));
            assert!(expires_in_ms > 0, "the lease of the holder runs");
            assert!(u128::from(expires_in_ms) <= LONG.as_millis(), "{expires_in_ms} ms");
        }
        other => panic!("it should be held: {other:?}"),
    }
}

pub(super) async fn an_expired_lease_can_be_taken(storage: Shared) {
    let mut old = own_as(&storage, P0, "a", SHORT).await;
    let new = own_after_expiry(&storage, P0, "b").await;
    assert!(new.lease.token.epoch > old.lease.token.epoch, "the epoch grows");
    let refused = old.try_commit(|_| {}).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }));
}

pub(super) async fn the_same_node_acquires_again_and_fences_itself(storage: Shared) {
    let mut first = own_as(&storage, P0, "a", LONG).await;
    let mut second = own_as(&storage, P0, "a", LONG).await;
    assert!(second.lease.token.epoch > first.lease.token.epoch, "the epoch grows");
    let refused = first.try_commit(|_| {}).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }), "the older token");
    second.commit(|_| {}).await;
}

pub(super) async fn epochs_grow_and_nonces_differ(storage: Shared) {
    let mut tokens = Vec::new();
    for _ in 0..20 {
        tokens.push(own_as(&storage, P0, "a", LONG).await.lease.token);
    }
    assert!(tokens.windows(2).all(|t| t[0].epoch < t[1].epoch), "{tokens:?}");
    assert!(tokens.windows(2).all(|t| t[0].nonce != t[1].nonce), "{tokens:?}");
}

pub(super) async fn renew_keeps_a_lease_alive(storage: Shared) {
    let owner = own_as(&storage, P0, "a", SHORT).await;
    let lost = storage.renew(&[owner.lease], LONG).await.expect("renew succeeds");
    assert_eq!(lost, [], "nothing is lost");
    tokio::time::sleep(SHORT * 2).await;
    let other = storage.acquire(P0, &node("b"), LONG).await;
    assert!(matches!(other, Ok(Acquisition::Held { .. })), "it was extended: {other:?}");
}

pub(super) async fn renew_returns_what_is_lost(storage: Shared) {
    let lost = own_as(&storage, P0, "a", SHORT).await;
    let kept = own_as(&storage, P1, "a", LONG).await;
    own_after_expiry(&storage, P0, "b").await;
    let answer = storage.renew(&[lost.lease, kept.lease], LONG).await.expect("renew succeeds");
    assert_eq!(answer, [lost.lease]);
}

pub(super) async fn renew_revives_an_expired_lease(storage: Shared) {
    let mut owner = own_as(&storage, P0, "a", Duration::from_millis(1)).await;
    tokio::time::sleep(SHORT).await;
    let lost = storage.renew(&[owner.lease], LONG).await.expect("renew succeeds");
    assert_eq!(lost, [], "nobody has taken it");
    owner.commit(|_| {}).await;
    let other = storage.acquire(P0, &node("b"), LONG).await;
    assert!(matches!(other, Ok(Acquisition::Held { .. })), "it is held again: {other:?}");
}

pub(super) async fn release_frees_at_once(storage: Shared) {
    let old = own_as(&storage, P0, "a", LONG).await;
    storage.release(&old.lease).await.expect("release succeeds");
    let new = own_as(&storage, P0, "b", LONG).await;
    assert!(new.lease.token.epoch > old.lease.token.epoch, "the epoch grows");
}

pub(super) async fn release_of_a_lost_lease_changes_nothing(storage: Shared) {
    let old = own_as(&storage, P0, "a", SHORT).await;
    let mut new = own_after_expiry(&storage, P0, "b").await;
    storage.release(&old.lease).await.expect("release succeeds");
    let other = storage.acquire(P0, &node("c"), LONG).await;
    assert!(matches!(other, Ok(Acquisition::Held { .. })), "b still holds it: {other:?}");
    new.commit(|_| {}).await;
}

pub(super) async fn a_released_token_is_refused(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    storage.release(&owner.lease).await.expect("release succeeds");
    let refused = owner.try_commit(|_| {}).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }));
    let lost = storage.renew(&[owner.lease], LONG).await.expect("renew succeeds");
    assert_eq!(lost, [owner.lease], "it is not ours any more");
}

pub(super) async fn partitions_are_owned_one_by_one(storage: Shared) {
    let mut a = own_as(&storage, P0, "a", LONG).await;
    let mut b = own_as(&storage, P1, "b", LONG).await;
    a.commit(|_| {}).await;
    b.commit(|_| {}).await;
    let mut mixed = b.next();
    mixed.lease.partition = P0;
    let refused = storage.commit(mixed).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }), "a token of P1 on P0");
}

pub(super) async fn acquire_tells_the_last_commit(storage: Shared) {
    let mut owner = own_as(&storage, P0, "a", LONG).await;
    for _ in 0..3 {
        owner.commit(|_| {}).await;
    }
    assert_eq!(own_as(&storage, P0, "a", LONG).await.last_commit, 3);
}

pub(super) async fn an_unknown_partition_is_refused(storage: Shared) {
    let beyond = PartitionId(storage.partitions());
    let answer = storage.acquire(beyond, &node("a"), LONG).await;
    assert!(matches!(answer, Err(StorageError::Config { .. })), "acquire: {answer:?}");
    let answer = storage.submit(beyond, op(1), bytes("x")).await;
    assert!(matches!(answer, Err(StorageError::Config { .. })), "submit: {answer:?}");
}
