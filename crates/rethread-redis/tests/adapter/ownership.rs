//! Leases and fencing.

use std::time::Duration;

use rethread_core::ids::NodeId;
use rethread_storage::{Acquisition, Storage, StorageError};

use crate::support::{P0, Space, commit, events_of, eventually, orders, queues, run, worker};

#[tokio::test]
async fn a_fenced_off_owner_can_write_nothing_and_enqueue_nothing() {
    let space = Space::new().await;
    let (old, last) = space.own(P0).await;
    let (new, _) = space.own(P0).await;
    assert!(new.token.epoch > old.token.epoch);
    let mut late = commit(old, last + 1);
    late.threads.push(events_of(run(), 1, &["x"], false));
    late.orders = orders(["late".to_owned()]);
    let error = space.storage.commit(late).await.expect_err("fenced");
    assert_eq!(error, StorageError::Fenced { partition: P0 });
    assert!(space.storage.queued_orders(P0).await.expect("reads").is_empty());
    let none = space.storage.fetch(&worker("w"), &queues(), 1, Duration::ZERO).await;
    assert!(none.expect("fetches").is_empty());
    assert_eq!(space.storage.renew(&[old, new], Duration::from_secs(9)).await, Ok(vec![old]));
    assert_eq!(space.storage.commit(commit(new, last + 1)).await, Ok(()));
}

#[tokio::test]
async fn a_lease_runs_out_by_the_clock_of_the_server() {
    let space = Space::new().await;
    let node = |name: &str| NodeId::new(name).expect("an id");
    let first = space.storage.acquire(P0, &node("a"), Duration::from_millis(50)).await;
    assert!(matches!(first, Ok(Acquisition::Acquired { .. })));
    let held = space.storage.acquire(P0, &node("b"), Duration::from_secs(60)).await;
    if let Ok(Acquisition::Held { by, expires_in_ms }) = held {
        assert_eq!((by.as_str(), expires_in_ms <= 50), ("a", true));
    }
    eventually("the lease runs out", async || {
        let answer = space.storage.acquire(P0, &node("b"), Duration::from_secs(60)).await?;
        Ok(matches!(answer, Acquisition::Acquired { .. }).then_some(()))
    })
    .await;
    let held = space.storage.acquire(P0, &node("a"), Duration::from_secs(60)).await;
    assert!(matches!(held, Ok(Acquisition::Held { by, .. }) if by.as_str() == "b"));
}

#[tokio::test]
async fn a_commit_has_its_effect_once_and_a_gap_is_a_rollback() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.orders = orders(["once".to_owned()]);
    assert_eq!(space.storage.commit(write.clone()).await, Ok(()));
    assert_eq!(space.storage.commit(write).await, Ok(()));
    assert_eq!(space.storage.queued_orders(P0).await.expect("reads").len(), 1);
    let error = space.storage.commit(commit(lease, last + 3)).await.expect_err("a gap");
    let expected = StorageError::RolledBack { partition: P0, expected: last + 2, found: last + 1 };
    assert_eq!(error, expected);

    // Under a new token the same number is not the same commit.
    let (lease, last) = space.own(P0).await;
    let error = space.storage.commit(commit(lease, last)).await.expect_err("not ours");
    assert!(matches!(error, StorageError::RolledBack { .. }), "{error}");
}

#[tokio::test]
async fn events_that_do_not_follow_are_refused_before_anything_is_written() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let run = run();
    let mut first = commit(lease, last + 1);
    first.threads.push(events_of(run, 1, &["a", "b"], false));
    assert_eq!(space.storage.commit(first).await, Ok(()));
    for first_seq in [2, 4] {
        let mut other = commit(lease, last + 2);
        other.threads.push(events_of(run, first_seq, &["x"], false));
        other.orders = orders(["x".to_owned()]);
        let error = space.storage.commit(other).await.expect_err("does not follow");
        assert!(matches!(error, StorageError::Corrupt { .. }), "{error}");
    }
    assert!(space.storage.queued_orders(P0).await.expect("reads").is_empty());
    let mut next = commit(lease, last + 2);
    next.threads.push(events_of(run, 3, &["c"], false));
    assert_eq!(space.storage.commit(next).await, Ok(()));
    let events = space.storage.read_events(P0, run, 1, 9).await.expect("reads");
    assert_eq!(events, ["b", "c"]);
}
