//! Which order a worker gets, and tasks that no worker knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rethread_core::message::TaskOrder;
use rethread_core::record::Record;
use rethread_core::thread::Limits;
use rethread_core::worker_card::WorkerCard;
use rethread_runtime::{NodeOptions, PoolOptions};
use rethread_sdk::{Entrypoint, Error, Registry, Task};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::hand::{shut_down, until, worker};
use crate::support::{Counter, DEADLINE, Driver, options, start, thread_id};

/// `many` calls the task `gated` as often as its input says, `one` calls `other` once.
fn many_and_one(gated: &Task<(u64,), u64>, other: &Task<((),), u32>) -> Registry {
    let call = gated.clone();
    let many = Entrypoint::new("many", move |count: u64| {
        let calls: Vec<_> = (0..count).map(|n| call.call((n,))).collect();
        async move {
            let mut done = 0;
            for call in calls {
                call.await?;
                done += 1;
            }
            Ok::<u64, Error>(done)
        }
    });
    let call = other.clone();
    let one = Entrypoint::new("one", move |(): ()| {
        let call = call.clone();
        async move { call.call(((),)).await }
    });
    let builder = Registry::builder().entrypoint(many).entrypoint(one);
    builder.task(gated.clone()).task(other.clone()).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_fan_out_does_not_keep_others_waiting() {
    const SLOTS: u32 = 4;
    const WINDOW: u32 = 40;
    let (begun, gate) = (Counter::default(), Arc::new(Semaphore::new(0)));
    let begun_before = Arc::new(AtomicU32::new(u32::MAX));
    let (counted, shared) = (begun.clone(), Arc::clone(&gate));
    let gated = Task::new("gated", move |n: u64| {
        counted.add();
        let gate = Arc::clone(&shared);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, Error>(n)
        }
    });
    let (counted, noted) = (begun.clone(), Arc::clone(&begun_before));
    let other = Task::new("other", move |(): ()| {
        noted.store(counted.get(), Ordering::SeqCst);
        async move { Ok::<_, Error>(1) }
    });
    let driver = Driver::in_memory(1);
    let mut options = options("a", &driver, many_and_one(&gated, &other));
    options.workers = vec![PoolOptions::standard(SLOTS as usize)];
    options.limits = Limits { orders_max: WINDOW, ..Limits::default() };
    let node = start(options).await;
    let many = driver.start("many", "many", 5_000_u64).await;
    begun.reaches(SLOTS).await;

    let one = driver.start("one", "one", ()).await;
    let partition = driver.partition("one");
    let key = thread_id("one").key();
    let is_queued = async {
        loop {
            let orders = driver.storage.queued_orders(partition).await.expect("reads");
            let of_thread = |order: &_| TaskOrder::from_record(order).expect("reads").target.thread;
            assert!(orders.len() <= WINDOW as usize + 1, "{} orders", orders.len());
            if orders.iter().any(|it| of_thread(&it.order) == key) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, is_queued).await.expect("it is ordered");
    gate.add_permits(10_000);
    assert_eq!(driver.done::<u32>("one", one).await, 1);
    let before = begun_before.load(Ordering::SeqCst);
    // Bodies that were fetched later may begin a little earlier.
    assert!(before <= 3 * (WINDOW + SLOTS), "{before} others began before it");
    assert_eq!(driver.done::<u64>("many", many).await, 5_000);
    assert_eq!(begun.get(), 5_000);
    node.shutdown().await.expect("shuts down");
}

/// A registry with the entrypoint `main`, which calls the task `late`, and one that has the task.
fn with_and_without_task() -> (Registry, Registry) {
    let late = Task::new("late", |n: u64| async move { Ok::<_, Error>(n * 2) });
    let call = late.clone();
    let main = Entrypoint::new("main", move |n: u64| {
        let late = call.clone();
        async move { late.call((n,)).await }
    });
    let without = Registry::builder().entrypoint(main).build().expect("builds");
    (Registry::builder().task(late).build().expect("builds"), without)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_no_worker_knows_waits_for_one_that_does() {
    let (with, without) = with_and_without_task();
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, without)).await;
    let run = driver.start("t", "main", 21_u64).await;
    until("it is handed back", || node.stats().unknown_task_orders >= 2).await;
    let other = start(worker(&driver, with)).await;
    assert_eq!(driver.done::<u64>("t", run).await, 42);
    shut_down([node, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_say_what_they_can_do() {
    let (with, _) = with_and_without_task();
    let driver = Driver::in_memory(1);
    let options = NodeOptions { workers: vec![PoolOptions::standard(3)], ..worker(&driver, with) };
    let node = start(options).await;
    let described = async {
        loop {
            let workers = driver.storage.list_workers().await.expect("lists");
            match &workers[..] {
                [worker] if !worker.description.is_empty() => {
                    return WorkerCard::from_record(&worker.description).expect("reads");
                }
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let card = timeout(DEADLINE, described).await.expect("it describes itself");
    let queues: Vec<_> =
        card.queues.iter().map(|(queue, slots)| (queue.as_str(), *slots)).collect();
    assert_eq!((queues, card.tasks), (vec![("default", 3)], vec!["late".to_owned()]));
    node.shutdown().await.expect("shuts down");
    assert!(driver.storage.list_workers().await.expect("lists").is_empty(), "it has signed off");
}
