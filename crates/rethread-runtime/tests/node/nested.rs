//! Tasks that call tasks, child entrypoints and durable sleeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::failure::kind;
use rethread_runtime::{NodeOptions, PoolOptions};
use rethread_sdk::{Entrypoint, Error, Registry, Retry, Task, TaskRef, emit, interrupt, sleep};
use tokio::sync::Semaphore;

use crate::faulty::Faulty;
use crate::support::{Counter, Driver, coordinator, options, payload, start, worker};

/// An entrypoint `main` that calls the task `outer` with its input.
fn main_calling_outer() -> Entrypoint<u64, u64> {
    Entrypoint::new("main", |n: u64| async move {
        TaskRef::<(u64,), u64>::named("outer").call((n,)).await
    })
}

/// A task that counts its bodies and gives this.
fn counted(name: &str, bodies: &Counter, result: u64) -> Task<((),), u64> {
    let bodies = bodies.clone();
    Task::new(name, move |(): ()| {
        bodies.add();
        async move { Ok::<_, Error>(result) }
    })
}

/// `outer` calls `inner` as often as its input says, at once, and adds up what comes back.
fn fan_out(bodies: &Counter) -> Registry {
    let bodies = bodies.clone();
    let inner = Task::new("inner", move |n: u64| {
        bodies.add();
        async move { Ok::<_, Error>(n) }
    });
    let call = inner.clone();
    let outer = Task::new("outer", move |n: u64| {
        let calls: Vec<_> = (0..n).map(|n| call.call((n,))).collect();
        async move {
            let mut sum = 0;
            for call in calls {
                sum += call.await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    let builder = Registry::builder().entrypoint(main_calling_outer());
    builder.task(inner).task(outer).build().expect("builds")
}

/// `outer` calls itself until its input is zero.
fn deep(bodies: &Counter) -> Registry {
    let bodies = bodies.clone();
    let outer = Task::new("outer", move |n: u64| {
        bodies.add();
        async move {
            match n.checked_sub(1) {
                None => Ok::<_, Error>(1),
                Some(less) => Ok(1 + TaskRef::<(u64,), u64>::named("outer").call((less,)).await?),
            }
        }
    });
    Registry::builder().entrypoint(main_calling_outer()).task(outer).build().expect("builds")
}

fn one_slot(driver: &Driver, registry: Registry) -> NodeOptions {
    let mut options = options("a", driver, registry);
    options.workers = vec![PoolOptions::standard(1)];
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_wait_give_their_slot_to_what_they_wait_for() {
    let driver = Driver::in_memory(1);
    let bodies = Counter::default();
    let node = start(one_slot(&driver, deep(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 5_u64).await, 6);
    assert_eq!(bodies.get(), 6);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_one_slot() {
    let driver = Driver::in_memory(2);
    let bodies = Counter::default();
    let node = start(one_slot(&driver, deep(&bodies))).await;
    let threads: Vec<_> = (0..20).map(|n| format!("thread-{n}")).collect();
    let mut runs = Vec::new();
    for thread in &threads {
        runs.push(driver.start(thread, "main", 5_u64).await);
    }
    for (thread, run) in threads.iter().zip(runs) {
        assert_eq!(driver.done::<u64>(thread, run).await, 6);
    }
    assert_eq!(bodies.get(), 120);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_calls_many_at_once() {
    let driver = Driver::in_memory(1);
    let bodies = Counter::default();
    let node = start(options("a", &driver, fan_out(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 50_u64).await, 1_225);
    assert_eq!(bodies.get(), 50);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_that_leave_memory_at_once_come_to_the_same_results() {
    let driver = Driver::in_memory(1);
    let bodies = Counter::default();
    let mut options = options("a", &driver, fan_out(&bodies));
    options.evict_after = Duration::ZERO;
    let node = start(options).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 50_u64).await, 1_225);
    assert_eq!(bodies.get(), 50);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_mail_is_lost_asks_again() {
    let driver = Faulty::losing_mail();
    let bodies = Counter::default();
    let node = start(one_slot(&driver, deep(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 2_u64).await, 3);
    assert_eq!(bodies.get(), 3);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_fail_lose_no_call() {
    let driver = Faulty::driver(5, 0);
    let bodies = Counter::default();
    let node = start(options("a", &driver, fan_out(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 50_u64).await, 1_225);
    assert_eq!(bodies.get(), 50);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_calls_an_entrypoint_that_calls_tasks_and_sleeps() {
    let add = Task::new("add", |a: u64, b: u64| async move { Ok::<_, Error>(a + b) });
    let call = add.clone();
    let child = Entrypoint::new("child", move |n: u64| {
        let add = call.clone();
        async move {
            sleep(Duration::from_millis(10)).await?;
            add.call((n, 1)).await
        }
    });
    let call = child.clone();
    let outer = Task::new("outer", move |n: u64| {
        let child = call.clone();
        async move {
            let (first, second) = (child.call(n), child.call(n + 10));
            sleep(Duration::from_millis(10)).await?;
            Ok::<_, Error>(first.await? + second.await?)
        }
    });
    let registry = Registry::builder()
        .entrypoint(main_calling_outer())
        .entrypoint(child)
        .task(add)
        .task(outer)
        .build()
        .expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(one_slot(&driver, registry)).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 1_u64).await, 14);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_a_called_task_is_its_callers_to_handle() {
    let fails = Task::new("fails", |(): ()| async { Err::<u64, _>(Error::msg("no luck")) });
    let (handled, unhandled) = (fails.clone(), fails.clone());
    let outer = Task::new("outer", move |n: u64| {
        let (handled, unhandled) = (handled.clone(), unhandled.clone());
        async move {
            if n == 0 {
                return unhandled.call(((),)).await;
            }
            Ok(handled.call(((),)).await.unwrap_or(n))
        }
    });
    let registry = Registry::builder()
        .entrypoint(main_calling_outer())
        .task(fails)
        .task(outer)
        .build()
        .expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, registry)).await;
    assert_eq!(driver.invoke::<u64>("handled", "main", 7_u64).await, 7);
    let run = driver.start("unhandled", "main", 0_u64).await;
    match driver.outcome("unhandled", run).await {
        RunOutcome::Failed(failure) => {
            assert!(failure.message.contains("no luck"), "{failure:?}");
        }
        other => panic!("should fail: {other:?}"),
    }
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_attempt_finds_what_an_earlier_one_has_finished() {
    let (outers, inners) = (Counter::default(), Counter::default());
    let counted = inners.clone();
    let inner = Task::new("inner", move |n: u64| {
        counted.add();
        async move { Ok::<_, Error>(n + 1) }
    });
    let (call, counted) = (inner.clone(), outers.clone());
    let outer = Task::new("outer", move |n: u64| {
        let inner = call.clone();
        let attempt = counted.add();
        async move {
            let value = inner.call((n,)).await?;
            if attempt < 3 { Err(Error::msg("not yet")) } else { inner.call((value,)).await }
        }
    })
    .retry(Retry::attempts(3).initial_interval(Duration::from_millis(10)).jitter(false));
    let call = outer.clone();
    let main = Entrypoint::new("main", move |n: u64| {
        let outer = call.clone();
        async move { outer.call((n,)).await }
    });
    let registry =
        Registry::builder().entrypoint(main).task(inner).task(outer).build().expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, registry)).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 1_u64).await, 3);
    assert_eq!((outers.get(), inners.get()), (3, 2));
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_called_tasks_give_up_every_callers_slot() {
    let done = Counter::default();
    let finished = counted("finished", &done, 100);
    let asks = Task::new("asks", |n: u64| async move {
        let answer: u64 = interrupt(n).await?;
        Ok::<_, Error>(answer)
    });
    let call = asks.clone();
    let middle = Task::new("middle", move |n: u64| {
        let asks = call.clone();
        async move { asks.call((n,)).await }
    });
    let (first, second) = (finished.clone(), middle.clone());
    let outer = Task::new("outer", move |n: u64| {
        let (finished, middle) = (first.clone(), second.clone());
        async move {
            let base = finished.call(((),)).await?;
            let (a, b) = (middle.call((n,)), middle.call((n + 1,)));
            Ok::<_, Error>(base + a.await? + b.await?)
        }
    });
    let registry = Registry::builder()
        .entrypoint(main_calling_outer())
        .task(finished)
        .task(asks)
        .task(middle)
        .task(outer)
        .build()
        .expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(one_slot(&driver, registry.clone())).await;
    let run = driver.start("t", "main", 1_u64).await;
    let open = driver.interrupted("t", run).await;
    assert_eq!(open.len(), 2);
    // Nothing waits on the worker: a drain has nothing to wait for.
    node.drain().await.expect("drains");
    let node = start(one_slot(&driver, registry)).await;
    let answers: BTreeMap<_, _> =
        open.iter().zip([10_u64, 20]).map(|(asked, n)| (asked.id, payload(&n))).collect();
    let run = driver.answer_all("t", answers).await;
    assert_eq!(driver.done::<u64>("t", run).await, 130);
    assert_eq!(done.get(), 1, "finished calls stay finished");
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_had_finished_is_kept() {
    let gate = Arc::new(Semaphore::new(0));
    let (outers, quick, slow) = (Counter::default(), Counter::default(), Counter::default());
    let registry = {
        let (outers, slow) = (outers.clone(), slow.clone());
        let gate = Arc::clone(&gate);
        let quick = counted("quick", &quick, 1);
        let slow = Task::new("slow", move |(): ()| {
            slow.add();
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await?.forget();
                Ok::<_, Error>(2_u64)
            }
        });
        let (first, second) = (quick.clone(), slow.clone());
        let outer = Task::new("outer", move |n: u64| {
            outers.add();
            let (quick, slow) = (first.clone(), second.clone());
            async move {
                let sum = n + quick.call(((),)).await?;
                Ok::<_, Error>(sum + slow.call(((),)).await?)
            }
        });
        let builder = Registry::builder().entrypoint(main_calling_outer());
        builder.task(quick).task(slow).task(outer).build().expect("builds")
    };
    let driver = Driver::in_memory(1);
    let coordinator = start(coordinator("c", &driver, registry.clone())).await;
    let worker = |name: &str| worker(name, &driver, registry.clone());
    let first = start(worker("a")).await;
    let run = driver.start("t", "main", 1_u64).await;
    slow.reaches(1).await;
    drop(first);
    let second = start(worker("b")).await;
    slow.reaches(2).await;
    outers.reaches(2).await;
    gate.add_permits(1);
    assert_eq!(driver.done::<u64>("t", run).await, 4);
    assert_eq!(quick.get(), 1, "its result was recorded");
    second.shutdown().await.expect("shuts down");
    coordinator.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_awaited_runs_all_the_same() {
    let bodies = Counter::default();
    let inner = counted("inner", &bodies, 1);
    let call = inner.clone();
    let outer = Task::new("outer", move |n: u64| {
        let inner = call.clone();
        async move {
            emit("before")?;
            inner.call(((),)).detach();
            emit("behind")?;
            Ok::<_, Error>(n)
        }
    });
    let registry = Registry::builder()
        .entrypoint(main_calling_outer())
        .task(inner)
        .task(outer)
        .build()
        .expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(one_slot(&driver, registry)).await;
    assert_eq!(driver.invoke::<u64>("t", "main", 3_u64).await, 3);
    bodies.reaches(1).await;
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_counts_while_a_task_waits_for_its_calls() {
    let endless = Entrypoint::new("endless", |(): ()| async {
        sleep(Duration::from_secs(3_600)).await?;
        Ok::<_, Error>(0_u64)
    });
    let call = endless.clone();
    let outer = Task::new("outer", move |_: u64| {
        let endless = call.clone();
        async move { endless.call(()).await }
    })
    .timeout(Duration::from_millis(50));
    let call = outer.clone();
    let main = Entrypoint::new("main", move |n: u64| {
        let outer = call.clone();
        async move { Ok::<_, Error>(outer.call((n,)).await.is_err()) }
    });
    let registry = Registry::builder()
        .entrypoint(main)
        .entrypoint(endless)
        .task(outer)
        .build()
        .expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(one_slot(&driver, registry)).await;
    let run = driver.start("t", "main", 1_u64).await;
    let failure = driver
        .wait_for("t", run, |kind| match kind {
            EventKind::CallFailed { failure, .. } => Some(failure.clone()),
            _ => None,
        })
        .await;
    assert_eq!(failure.kind, kind::TIMEOUT);
    node.shutdown().await.expect("shuts down");
}
