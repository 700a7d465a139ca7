//! What a newer version has written is left to that version.

use std::time::Duration;

use bytes::Bytes;
use rethread_core::event::{Refusal, RunOutcome};
use rethread_core::ids::{NodeId, OpId, QueueName};
use rethread_core::message::{Action, InboxMessage, TaskOrder};
use rethread_core::record::{Record, RecordError};
use rethread_storage::{Acquisition, Commit, InboxCursor, OrderGroup, QueuedOrder};

use crate::hand::{Hand, shut_down, until, worker};
use crate::ownership::coordinator;
use crate::runs::doubling;
use crate::support::{Counter, Driver, start};

/// The record as a newer version would have written it.
fn newer<T: Record + std::fmt::Debug>(record: &[u8]) -> Bytes {
    let mut bytes = record.to_vec();
    bytes[2] += 1;
    let sum = xxhash_rust::xxh3::xxh3_64(&[&bytes[1..4], &bytes[8..]].concat());
    bytes[4..8].copy_from_slice(&sum.to_le_bytes()[..4]);
    let error = T::from_record(&bytes).expect_err("it is newer");
    assert!(matches!(error, RecordError::TooNew { .. }), "{error}");
    Bytes::from(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_only_its_worker_cannot_read_waits_for_another_worker() {
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let bodies = Counter::default();
    let node = start(coordinator("a", &driver, doubling(&bodies))).await;
    let run = driver.start("t", "sum", 1_u64).await;
    let order = hand.take(1).await.remove(0);
    let unreadable = InboxMessage::Unreadable(order.order.clone()).to_record();
    hand.finish(order, vec![unreadable]).await;
    let other = start(worker(&driver, doubling(&bodies))).await;
    assert_eq!(driver.done::<u64>("t", run).await, 0);
    assert_eq!(bodies.get(), 1);
    let letters = driver.storage.list_dead_letters(driver.partition("t"), None, 10).await;
    assert_eq!(letters.expect("lists"), []);
    assert_eq!((node.stats().corrupt_messages, node.stats().repaired_orders), (0, 0));
    shut_down([node, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_newer_version_stays_in_the_inbox() {
    let driver = Driver::in_memory(1);
    let bodies = Counter::default();
    let first = start(coordinator("a", &driver, doubling(&bodies))).await;
    let partition = driver.partition("t");
    let command = driver.submit("t", Action::Retry).await;
    driver.outcome("t", command).await;
    let message = newer::<InboxMessage>(&InboxMessage::Unreadable(Bytes::new()).to_record());
    let op = OpId::from_random(7);
    driver.storage.submit(partition, op, message.clone()).await.expect("submits");
    until("it is seen", || first.stats().newer_messages == 1).await;

    let other = start(worker(&driver, doubling(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "sum", 3_u64).await, 6, "others go on");
    first.shutdown().await.expect("shuts down");
    let second = start(coordinator("b", &driver, doubling(&bodies))).await;
    until("it is seen again", || second.stats().newer_messages == 1).await;
    assert_eq!(driver.invoke::<u64>("t", "sum", 3_u64).await, 6);
    let stands = || async {
        let start = [(partition, InboxCursor::START)];
        let items = driver.storage.read_inboxes(&start, 10, Duration::ZERO).await.expect("reads");
        items.into_iter().map(|item| item.message).collect::<Vec<_>>()
    };
    while stands().await.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stands().await, [message]);
    assert_eq!(second.stats().corrupt_messages, 0);
    shut_down([second, other]).await;
}

/// Takes a message out of the inbox, as a coordinator of the newer version does.
async fn consume(driver: &Driver, thread: &str) {
    let node = NodeId::new("newer").expect("an id");
    let partition = driver.partition(thread);
    let item = driver.inbox(thread).await.remove(0);
    let taken = driver.storage.acquire(partition, &node, Duration::from_secs(1)).await;
    let Ok(Acquisition::Acquired { lease, last_commit }) = taken else { panic!("{taken:?}") };
    let commit = Commit { consumed: Some(item.cursor), ..Commit::new(lease, last_commit + 1) };
    driver.storage.commit(commit).await.expect("commits");
    driver.storage.release(&lease).await.expect("releases");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_coordinator_orders_nothing_again_that_a_newer_worker_has_reported() {
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let bodies = Counter::default();
    let first = start(coordinator("a", &driver, doubling(&bodies))).await;
    let run = driver.start("t", "sum", 1_u64).await;
    let order = hand.take(1).await.remove(0);
    let report = newer::<InboxMessage>(&InboxMessage::Unreadable(Bytes::new()).to_record());
    hand.finish(order, vec![report.clone()]).await;
    until("it is seen", || first.stats().newer_messages == 1).await;
    first.shutdown().await.expect("shuts down");

    let mut options = coordinator("b", &driver, doubling(&bodies));
    options.sweep_every = Duration::from_millis(5);
    let second = start(options).await;
    let refused = driver.start("t", "sum", 1_u64).await;
    let outcome = driver.outcome("t", refused).await;
    assert!(matches!(outcome, RunOutcome::Refused(Refusal::Busy { .. })), "{outcome:?}");
    let other = start(worker(&driver, doubling(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("u", "sum", 3_u64).await, 6, "others go on");
    assert_eq!((bodies.get(), second.stats().repaired_orders), (3, 0));
    second.shutdown().await.expect("shuts down");

    // It held no report of the call after all.
    consume(&driver, "t").await;
    let third = start(coordinator("c", &driver, doubling(&bodies))).await;
    assert_eq!(driver.done::<u64>("t", run).await, 0);
    assert_eq!(bodies.get(), 4);
    shut_down([third, other]).await;
}

/// Puts an order into its queue again, as a coordinator of the newer version writes it.
async fn order_newly(driver: &Driver, thread: &str, order: &[u8]) {
    let node = NodeId::new("newer").expect("an id");
    let taken = driver.storage.acquire(driver.partition(thread), &node, Duration::from_secs(1));
    let taken = taken.await;
    let Ok(Acquisition::Acquired { lease, last_commit }) = taken else { panic!("{taken:?}") };
    let (queue, order) = (QueueName::standard(), newer::<TaskOrder>(order));
    let orders = vec![QueuedOrder { queue, group: OrderGroup([1; 16]), order }];
    let commit = Commit { orders, ..Commit::new(lease, last_commit + 1) };
    driver.storage.commit(commit).await.expect("commits");
    driver.storage.release(&lease).await.expect("releases");
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_outlives_eviction_and_ends_when_nothing_newer_is_left() {
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let bodies = Counter::default();
    let first = start(coordinator("a", &driver, doubling(&bodies))).await;
    let run = driver.start("t", "sum", 1_u64).await;
    let order = hand.take(1).await.remove(0);
    first.shutdown().await.expect("shuts down");
    let record = order.order.clone();
    hand.finish(order, Vec::new()).await;
    order_newly(&driver, "t", &record).await;

    let mut options = coordinator("b", &driver, doubling(&bodies));
    (options.sweep_every, options.evict_after) = (Duration::from_millis(5), Duration::ZERO);
    let second = start(options).await;
    while second.stats().threads_loaded < 4 {
        let refused = driver.start("t", "sum", 1_u64).await;
        let outcome = driver.outcome("t", refused).await;
        assert!(matches!(outcome, RunOutcome::Refused(Refusal::Busy { .. })), "{outcome:?}");
    }
    assert_eq!(second.stats().repaired_orders, 0, "a newer coordinator has ordered it");

    hand.lose(1).await;
    let other = start(worker(&driver, doubling(&bodies))).await;
    assert_eq!(driver.done::<u64>("t", run).await, 0);
    assert_eq!((bodies.get(), second.stats().repaired_orders), (1, 1));
    shut_down([second, other]).await;
}
