//! Orders and reports that get lost, and what cannot be read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::dead_letter::{DeadItem, DeadLetter};
use rethread_core::event::RunOutcome;
use rethread_core::failure::kind;
use rethread_core::ids::{NodeId, QueueName};
use rethread_core::record::Record;
use rethread_runtime::NodeOptions;
use rethread_sdk::{Entrypoint, Error, Registry, Task};
use rethread_storage::{Acquisition, Commit, OrderGroup, QueuedOrder};
use tokio::sync::Semaphore;

use crate::faulty::Faulty;
use crate::hand::{Hand, shut_down, until, worker};
use crate::runs::doubling;
use crate::support::{self, Counter, Driver, options, start};

/// A node that runs no tasks and looks for lost orders all the time.
fn coordinator(driver: &Driver, registry: Registry) -> NodeOptions {
    let mut options = support::coordinator("c", driver, registry);
    options.sweep_every = Duration::from_millis(20);
    options
}

async fn dead_letters(driver: &Driver, thread: &str) -> Vec<DeadLetter> {
    let partition = driver.partition(thread);
    let letters = driver.storage.list_dead_letters(partition, None, 100).await.expect("lists");
    letters.iter().map(|it| DeadLetter::from_record(&it.record).expect("reads")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_orders_are_made_again() {
    for evict_after in [Duration::from_secs(60), Duration::ZERO] {
        let driver = Driver::in_memory(2);
        let hand = Hand::new(&driver).await;
        let bodies = Counter::default();
        let mut options = coordinator(&driver, doubling(&bodies));
        options.evict_after = evict_after;
        let node = start(options).await;
        let run = driver.start("t", "sum", 5_u64).await;
        hand.lose(3).await;
        until("lost orders are found", || node.stats().repaired_orders >= 3).await;
        let other = start(worker(&driver, doubling(&bodies))).await;
        assert_eq!(driver.done::<u64>("t", run).await, 20);
        assert_eq!((bodies.get(), node.stats().repaired_orders), (5, 3));
        shut_down([node, other]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_again_and_again_keeps_no_thread_busy() {
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let bodies = Counter::default();
    let node = start(coordinator(&driver, doubling(&bodies))).await;
    let run = driver.start("t", "sum", 1_u64).await;
    hand.lose(1).await;
    let asking = async {
        loop {
            let refused = driver.start("t", "sum", 1_u64).await;
            let outcome = driver.outcome("t", refused).await;
            assert!(matches!(outcome, RunOutcome::Refused(_)), "{outcome:?}");
        }
    };
    tokio::select! {
        () = asking => {}
        () = until("the lost order is found", || node.stats().repaired_orders > 0) => {}
    }
    let other = start(worker(&driver, doubling(&bodies))).await;
    assert_eq!(driver.done::<u64>("t", run).await, 0);
    assert_eq!((bodies.get(), node.stats().repaired_orders), (1, 1));
    shut_down([node, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_read_becomes_a_dead_letter_and_its_task_runs_again() {
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let bodies = Counter::default();
    let node = start(coordinator(&driver, doubling(&bodies))).await;
    let run = driver.start("t", "sum", 1_u64).await;
    let order = hand.take(1).await.remove(0);
    hand.finish(order, vec![Bytes::from_static(b"garbage")]).await;
    let other = start(worker(&driver, doubling(&bodies))).await;
    assert_eq!(driver.done::<u64>("t", run).await, 0);
    assert_eq!((bodies.get(), node.stats().repaired_orders), (1, 1));
    let letters = dead_letters(&driver, "t").await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.what, DeadItem::Message(Bytes::from_static(b"garbage")));
    assert_eq!(node.stats().corrupt_messages, 1);
    shut_down([node, other]).await;
}

/// Puts an order into a queue that nobody can read.
async fn put_garbage(driver: &Driver) {
    let node = NodeId::new("vandal").expect("an id");
    let partition = driver.partition("t");
    let taken = driver.storage.acquire(partition, &node, Duration::from_millis(1)).await;
    let Ok(Acquisition::Acquired { lease, last_commit }) = taken else { panic!("{taken:?}") };
    let order = QueuedOrder {
        queue: QueueName::standard(),
        group: OrderGroup([7; 16]),
        order: Bytes::from_static(b"garbage"),
    };
    let commit = Commit { orders: vec![order], ..Commit::new(lease, last_commit + 1) };
    driver.storage.commit(commit).await.expect("commits");
    driver.storage.release(&lease).await.expect("releases");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_becomes_a_dead_letter() {
    let driver = Driver::in_memory(1);
    put_garbage(&driver).await;
    let node = start(options("a", &driver, doubling(&Counter::default()))).await;
    until("it is given up", || node.stats().corrupt_messages > 0).await;
    assert_eq!(driver.invoke::<u64>("t", "sum", 3_u64).await, 6);
    let letters = dead_letters(&driver, "t").await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.what, DeadItem::Order(Bytes::from_static(b"garbage")));
    let queued = driver.storage.queued_orders(driver.partition("t")).await.expect("reads");
    assert!(queued.is_empty(), "{queued:?}");
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_take_long_are_not_lost() {
    let (bodies, gate) = (Counter::default(), Arc::new(Semaphore::new(0)));
    let (counted, shared) = (bodies.clone(), Arc::clone(&gate));
    let step = Task::new("step", move |n: u64| {
        counted.add();
        let gate = Arc::clone(&shared);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, Error>(n)
        }
    });
    let call = step.clone();
    let main = Entrypoint::new("main", move |count: u64| {
        let calls: Vec<_> = (0..count).map(|n| call.call((n,))).collect();
        async move {
            let mut sum = 0;
            for call in calls {
                sum += call.await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    let registry = Registry::builder().entrypoint(main).task(step).build().expect("builds");
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let node = start(coordinator(&driver, registry.clone())).await;
    let run = driver.start("t", "main", 8_u64).await;
    let lost = hand.take(1).await.remove(0);
    // Four of them run, three wait in the queue.
    let other = start(worker(&driver, registry)).await;
    bodies.reaches(4).await;
    hand.finish(lost, Vec::new()).await;
    until("the lost one is found", || node.stats().repaired_orders > 0).await;
    gate.add_permits(8);
    assert_eq!(driver.done::<u64>("t", run).await, 28);
    assert_eq!((bodies.get(), node.stats().repaired_orders), (8, 1));
    shut_down([node, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_for_lost_while_operations_fail() {
    let driver = Faulty::driver(7, 0);
    let bodies = Counter::default();
    let mut options = options("a", &driver, doubling(&bodies));
    options.sweep_every = Duration::from_millis(1);
    options.evict_after = Duration::ZERO;
    let node = start(options).await;
    let mut runs = Vec::new();
    for n in 0..20 {
        let thread = format!("thread-{n}");
        let name = ["chain", "sum"][n % 2];
        runs.push((driver.start(&thread, name, 20_u64).await, thread));
    }
    for (run, thread) in runs {
        assert_eq!(driver.done::<u64>(&thread, run).await, 380, "{thread}");
    }
    assert_eq!((bodies.get(), node.stats().repaired_orders), (400, 0));
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_no_worker_survives_fails_its_run_and_becomes_a_dead_letter() {
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let bodies = Counter::default();
    let node = start(coordinator(&driver, doubling(&bodies))).await;
    let run = driver.start("t", "sum", 1_u64).await;
    let taken = hand.take(1).await;
    assert_eq!(taken.len(), 1, "a worker that says nothing more");
    let mut survivor = worker(&driver, doubling(&bodies));
    survivor.fetches_max = 1;
    survivor.heartbeat_every = Duration::from_millis(50);
    survivor.dead_after = Duration::from_millis(200);
    let other = start(survivor).await;
    let outcome = driver.outcome("t", run).await;
    assert!(
        matches!(&outcome, RunOutcome::Failed(failure) if failure.kind == kind::POISONED),
        "{outcome:?}"
    );
    assert_eq!((bodies.get(), other.stats().quarantined_tasks), (0, 1));
    let letters = dead_letters(&driver, "t").await;
    let [DeadLetter { what: DeadItem::Task { name, run: of, .. }, reason, .. }] = &letters[..]
    else {
        panic!("{letters:?}")
    };
    assert_eq!((name.as_str(), *of), ("double", run));
    assert!(reason.starts_with("1 workers took this task"), "{reason}");
    shut_down([node, other]).await;
}
