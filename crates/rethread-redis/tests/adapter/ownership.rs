//! Leases and fencing.

use std::time::Duration;

use rethread_core::ids::NodeId;
use rethread_redis::RedisStorage;
use rethread_storage::{Acquisition, Lease, Storage, StorageError};

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

/// An owner loses its lease while the server goes back to an older state; the next owner, which
/// knows nothing of what was lost, is beyond it by now. Gives what the first one held, what it was
/// told of last, and what is left of that.
async fn succeeded_behind_its_commits(space: &Space) -> (Lease, u64, u64) {
    let (lease, last) = space.own(P0).await;
    space.storage.commit(commit(lease, last + 1)).await.expect("commits");
    let key = space.keys(":lease").await.remove(0);
    let mut raw = space.raw().await;
    let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut raw).await.expect("dumps");
    for number in 2..=4 {
        space.storage.commit(commit(lease, last + number)).await.expect("commits");
    }
    let mut restore = redis::cmd("RESTORE");
    restore.arg(&key).arg(0).arg(dump).arg("REPLACE");
    let _: redis::Value = restore.query_async(&mut raw).await.expect("restores");
    let mut expire = redis::cmd("HSET");
    expire.arg(&key).arg("x").arg(0);
    let _: redis::Value = expire.query_async(&mut raw).await.expect("expires");
    let other = RedisStorage::connect(space.options()).await.expect("connects");
    let node = NodeId::new("other").expect("an id");
    let taken = other.acquire(P0, &node, Duration::from_secs(60)).await.expect("acquires");
    let Acquisition::Acquired { lease: next, last_commit } = taken else { panic!("{taken:?}") };
    for number in 1..=6 {
        other.commit(commit(next, last_commit + number)).await.expect("commits");
    }
    (lease, last + 4, last + 1)
}

#[tokio::test]
async fn a_former_owner_tells_of_a_rollback_that_its_successor_wrote_over() {
    let space = Space::new().await;
    let (lease, expected, found) = succeeded_behind_its_commits(&space).await;
    let error = space.storage.commit(commit(lease, expected + 1)).await.expect_err("behind");
    assert_eq!(error, StorageError::RolledBack { partition: P0, expected, found });
    let error = space.storage.commit(commit(lease, expected + 1)).await.expect_err("not ours");
    assert_eq!(error, StorageError::Fenced { partition: P0 });
}

#[tokio::test]
async fn a_former_owner_that_asks_for_its_partition_tells_of_it_too() {
    let space = Space::new().await;
    let (_, expected, found) = succeeded_behind_its_commits(&space).await;
    let node = NodeId::new("node").expect("an id");
    let ttl = Duration::from_secs(60);
    let error = space.storage.acquire(P0, &node, ttl).await.expect_err("behind");
    assert_eq!(error, StorageError::RolledBack { partition: P0, expected, found });
    let held = space.storage.acquire(P0, &node, ttl).await;
    assert!(matches!(&held, Ok(Acquisition::Held { .. })), "told once: {held:?}");
}

#[tokio::test]
async fn a_successor_that_knows_all_is_no_rollback() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    for number in 1..=3 {
        space.storage.commit(commit(lease, last + number)).await.expect("commits");
    }
    space.storage.release(&lease).await.expect("releases");
    let error = space.storage.commit(commit(lease, last + 4)).await.expect_err("given up");
    assert_eq!(error, StorageError::Fenced { partition: P0 });
    let other = RedisStorage::connect(space.options()).await.expect("connects");
    let (node, ttl) = (NodeId::new("other").expect("an id"), Duration::from_secs(60));
    let taken = other.acquire(P0, &node, ttl).await;
    assert!(matches!(taken, Ok(Acquisition::Acquired { .. })), "{taken:?}");
    let node = NodeId::new("node").expect("an id");
    let held = space.storage.acquire(P0, &node, ttl).await;
    assert!(matches!(held, Ok(Acquisition::Held { .. })), "{held:?}");
}
