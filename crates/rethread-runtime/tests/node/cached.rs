//! Results that are reused by equal calls, and equal calls at the same time.

use std::sync::Arc;
use std::time::Duration;

use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::ids::RunId;
use rethread_runtime::{NodeOptions, PoolOptions};
use rethread_sdk::{Cache, Entrypoint, Error, Registry, Task, TaskRef, interrupt};
use tokio::sync::Semaphore;

use crate::faulty::Faulty;
use crate::support::{Counter, Driver, coordinator, options, start, worker};

/// An entrypoint `main` that calls the task `slow` as often as its input says, at once, with the
/// same argument each time.
fn equal_calls(bodies: &Counter, gate: &Arc<Semaphore>) -> Registry {
    let (bodies, gate) = (bodies.clone(), Arc::clone(gate));
    let slow = Task::new("slow", move |n: u64| {
        bodies.add();
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, Error>(n * 2)
        }
    })
    .cache(Cache::forever());
    let call = slow.clone();
    let main = Entrypoint::new("main", move |times: u64| {
        // A key each: otherwise they are as equal as calls of one loop are, which is fine too.
        let calls: Vec<_> =
            (0..times).map(|nth| call.call_keyed(&nth.to_string(), (21,))).collect();
        async move {
            let mut sum = 0;
            for call in calls {
                sum += call.await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    Registry::builder().entrypoint(main).task(slow).build().expect("builds")
}

async fn cached_results(driver: &Driver, thread: &str, run: RunId) -> usize {
    let events = driver.events(thread, run).await;
    let is_cached = |kind: &&EventKind| matches!(kind, EventKind::Updated { is_cached: true, .. });
    events.iter().filter(is_cached).count()
}

fn slots(slots: usize, mut options: NodeOptions) -> NodeOptions {
    options.workers = vec![PoolOptions::standard(slots)];
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn of_equal_calls_on_two_workers_one_runs_its_body() {
    let driver = Driver::in_memory(1);
    let (bodies, gate) = (Counter::default(), Arc::new(Semaphore::new(0)));
    let registry = equal_calls(&bodies, &gate);
    let coordinator = start(coordinator("c", &driver, registry.clone())).await;
    let first = start(slots(1, worker("a", &driver, registry.clone()))).await;
    let second = start(slots(3, worker("b", &driver, registry))).await;
    let run = driver.start("t", "main", 6_u64).await;
    bodies.reaches(1).await;
    gate.add_permits(1);
    assert_eq!(driver.done::<u64>("t", run).await, 6 * 42);
    assert_eq!(bodies.get(), 1);
    assert_eq!(cached_results(&driver, "t", run).await, 5);
    // Threads share it.
    let run = driver.start("u", "main", 1_u64).await;
    assert_eq!(driver.done::<u64>("u", run).await, 42);
    assert_eq!((bodies.get(), cached_results(&driver, "u", run).await), (1, 1));
    for node in [first, second, coordinator] {
        node.shutdown().await.expect("shuts down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_not_kept_and_the_next_in_line_tries() {
    let (bodies, gate) = (Counter::default(), Arc::new(Semaphore::new(0)));
    let (counted, guard) = (bodies.clone(), Arc::clone(&gate));
    let flaky = Task::new("flaky", move |(): ()| {
        let (nth, gate) = (counted.add(), Arc::clone(&guard));
        async move {
            gate.acquire().await?.forget();
            if nth == 1 { Err(Error::msg("not the first")) } else { Ok(nth) }
        }
    })
    .cache(Cache::ttl(Duration::from_secs(3_600)));
    let call = flaky.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let flaky = call.clone();
        async move { flaky.call(((),)).await }
    });
    let registry = Registry::builder().entrypoint(main).task(flaky).build().expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, registry)).await;
    let first = driver.start("t", "main", ()).await;
    bodies.reaches(1).await;
    let second = driver.start("u", "main", ()).await;
    gate.add_permits(2);
    assert!(matches!(driver.outcome("t", first).await, RunOutcome::Failed(_)));
    assert_eq!(driver.done::<u32>("u", second).await, 2);
    assert_eq!(driver.invoke::<u32>("v", "main", ()).await, 2);
    assert_eq!(bodies.get(), 2);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_asks_a_person_holds_up_nobody() {
    let bodies = Counter::default();
    let counted = bodies.clone();
    let asks = Task::new("asks", move |(): ()| {
        counted.add();
        async { Ok::<_, Error>(interrupt::<u64>("how many?").await? + 1) }
    })
    .cache(Cache::forever());
    let call = asks.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let asks = call.clone();
        async move { asks.call(((),)).await }
    });
    let registry = Registry::builder().entrypoint(main).task(asks).build().expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, registry)).await;
    for thread in ["t", "u"] {
        let run = driver.start(thread, "main", ()).await;
        assert_eq!(driver.interrupted(thread, run).await.len(), 1);
    }
    let run = driver.answer("u", 4_u64).await;
    assert_eq!(driver.done::<u64>("u", run).await, 5);
    let run = driver.answer("t", 7_u64).await;
    assert_eq!(driver.done::<u64>("t", run).await, 5, "the result of an equal call is there");
    assert_eq!(bodies.get(), 3);
    node.shutdown().await.expect("shuts down");
}

/// `outer` and `inner` are cached, and `outer` calls `inner` with half of its input.
fn cached_and_nested(bodies: &Counter) -> Registry {
    let (outers, inners) = (bodies.clone(), bodies.clone());
    let inner = Task::new("inner", move |n: u64| {
        inners.add();
        async move { Ok::<_, Error>(n) }
    })
    .cache(Cache::forever());
    let outer = Task::new("outer", move |n: u64| {
        outers.add();
        async move { TaskRef::<(u64,), u64>::named("inner").call((n / 2,)).await }
    })
    .cache(Cache::forever());
    let (call, below) = (outer.clone(), inner.reference().clone());
    let main = Entrypoint::new("main", move |count: u64| {
        let calls: Vec<_> = (0..count).map(|n| call.call_keyed(&n.to_string(), (n % 4,))).collect();
        let more: Vec<_> = (0..count).map(|n| below.call_keyed(&n.to_string(), (n % 2,))).collect();
        async move {
            let mut sum = 0;
            for call in calls.into_iter().chain(more) {
                sum += call.await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    Registry::builder().entrypoint(main).task(inner).task(outer).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slot_is_enough_for_calls_that_wait_for_each_other() {
    let driver = Driver::in_memory(1);
    let bodies = Counter::default();
    let mut options = options("a", &driver, cached_and_nested(&bodies));
    options.workers = vec![PoolOptions::standard(1)];
    let node = start(options).await;
    let runs = [driver.start("t", "main", 8_u64).await, driver.start("u", "main", 8_u64).await];
    for (thread, run) in ["t", "u"].into_iter().zip(runs) {
        assert_eq!(driver.done::<u64>(thread, run).await, 8);
    }
    // `inner` is not named as cached where `outer` calls it, so those calls all run.
    assert_eq!(bodies.get(), 4 + 4 + 2);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_fails_now_and_then_changes_no_result() {
    let driver = Faulty::driver(5, 0);
    let bodies = Counter::default();
    let node = start(options("a", &driver, cached_and_nested(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 8_u64).await, 8);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_runs_are_reused_by_their_input() {
    let bodies = Counter::default();
    let counted = bodies.clone();
    let main = Entrypoint::new("main", move |n: u64| {
        counted.add();
        async move { Ok::<_, Error>(n + 1) }
    })
    .cache(Cache::forever());
    let registry = Registry::builder().entrypoint(main).build().expect("builds");
    let driver = Driver::in_memory(2);
    let node = start(options("a", &driver, registry)).await;
    for thread in ["t", "u", "t"] {
        assert_eq!(driver.invoke::<u64>(thread, "main", 1_u64).await, 2);
    }
    let run = driver.start("u", "main", 1_u64).await;
    assert_eq!(driver.done::<u64>("u", run).await, 2);
    assert_eq!((bodies.get(), cached_results(&driver, "u", run).await), (1, 1));
    assert_eq!(driver.invoke::<u64>("u", "main", 2_u64).await, 3);
    assert_eq!(bodies.get(), 2);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_duty_of_a_killed_worker_goes_to_the_next() {
    let driver = Driver::in_memory(1);
    let (bodies, gate) = (Counter::default(), Arc::new(Semaphore::new(0)));
    let registry = equal_calls(&bodies, &gate);
    let coordinator = start(coordinator("c", &driver, registry.clone())).await;
    let first = start(slots(2, worker("a", &driver, registry.clone()))).await;
    let run = driver.start("t", "main", 3_u64).await;
    bodies.reaches(1).await;
    drop(first);
    let second = start(slots(2, worker("b", &driver, registry))).await;
    bodies.reaches(2).await;
    gate.add_permits(1);
    assert_eq!(driver.done::<u64>("t", run).await, 3 * 42);
    assert_eq!(bodies.get(), 2);
    for node in [second, coordinator] {
        node.shutdown().await.expect("shuts down");
    }
}
