//! Signs of progress: idle timeouts, and what one attempt leaves to the next.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::event::RunOutcome;
use rethread_core::failure::kind;
use rethread_core::replay::Scope;
use rethread_sdk::{Entrypoint, Error, Registry, Retry, Task, emit, heartbeat, last_progress};
use rethread_storage::{CacheKey, CacheLookup};
use tokio::time::timeout;

use crate::faulty::Faulty;
use crate::support::{
    Counter, DEADLINE, Driver, coordinator, current_call, options, start, worker,
};

/// An entrypoint `main` that calls one task.
fn calling(task: Task<((),), u64>) -> Registry {
    let call = task.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let task = call.clone();
        async move { task.call(((),)).await }
    });
    Registry::builder().entrypoint(main).task(task).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_shows_no_progress_is_dropped() {
    let silent = Task::new("silent", |(): ()| async {
        emit("the last sign of life")?;
        std::future::pending::<()>().await;
        Ok::<u64, Error>(0)
    })
    .timeout(Duration::from_secs(3_600))
    .idle_timeout(Duration::from_millis(30))
    .retry(Retry::attempts(1));
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, calling(silent))).await;
    let run = driver.start("t", "main", ()).await;
    let RunOutcome::Failed(failure) = driver.outcome("t", run).await else { panic!("must fail") };
    assert_eq!(failure.kind, kind::TIMEOUT);
    assert_eq!(failure.message, "task `silent` showed no progress for 30 ms");
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_shows_progress_may_take_longer() {
    let idle_timeout = Duration::from_secs(2);
    let busy = Task::new("busy", move |(): ()| async move {
        for nth in 0..30_u64 {
            tokio::time::sleep(idle_timeout / 20).await;
            if nth.is_multiple_of(2) { heartbeat(())? } else { emit(nth)? }
        }
        Ok::<_, Error>(1_u64)
    })
    .idle_timeout(idle_timeout)
    .retry(Retry::attempts(1));
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, calling(busy))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", ()).await, 1);
    node.shutdown().await.expect("shuts down");
}

/// A task that fails twice, each time ten steps further than the time before.
fn import() -> Task<((),), u64> {
    Task::new("import", |(): ()| async {
        let from: u64 = last_progress()?.unwrap_or(0);
        let (_, attempt) = current_call();
        for done in from..from + 10 {
            heartbeat(done + 1)?;
            tokio::task::yield_now().await;
        }
        if attempt < 3 { Err(Error::msg("not yet")) } else { Ok(from + 10) }
    })
    .retry(Retry::attempts(3).initial_interval(Duration::from_millis(10)).jitter(false))
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_kept_by_a_storage_that_fails_now_and_then() {
    let driver = Faulty::driver(5, 0);
    let node = start(options("a", &driver, calling(import()))).await;
    for thread in ["t", "u"] {
        assert_eq!(driver.invoke::<u64>(thread, "main", ()).await, 30);
    }
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_attempt_goes_on_from_the_progress_of_the_last() {
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, calling(import()))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", ()).await, 30);
    assert_eq!(driver.invoke::<u64>("u", "main", ()).await, 30, "each call begins at nothing");
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_outlives_its_worker() {
    let key: Arc<Mutex<Option<CacheKey>>> = Arc::default();
    let (bodies, slot) = (Counter::default(), Arc::clone(&key));
    let counted = bodies.clone();
    let import = Task::new("import", move |(): ()| {
        *slot.lock().expect("not poisoned") = Some(progress_key());
        let nth = counted.add();
        async move {
            if nth == 1 {
                heartbeat(7_u64)?;
                std::future::pending::<()>().await;
            }
            Ok::<_, Error>(last_progress::<u64>()?.unwrap_or_default())
        }
    });
    let registry = calling(import);
    let driver = Driver::in_memory(1);
    let coordinator = start(coordinator("c", &driver, registry.clone())).await;
    let worker = |name: &str| worker(name, &driver, registry.clone());
    let first = start(worker("a")).await;
    let run = driver.start("t", "main", ()).await;
    bodies.reaches(1).await;
    let written = async {
        loop {
            let key = key.lock().expect("not poisoned").clone().expect("the body has begun");
            let found = driver.storage.look_up_cache(&key, "test", Duration::ZERO).await;
            if matches!(found, Ok(CacheLookup::Hit(_))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, written).await.expect("progress is kept while the body runs");
    drop(first);
    let second = start(worker("b")).await;
    assert_eq!(driver.done::<u64>("t", run).await, 7);
    for node in [second, coordinator] {
        node.shutdown().await.expect("shuts down");
    }
}

/// Where the progress of the current body is kept.
fn progress_key() -> CacheKey {
    let scope = Scope::current().expect("in a body");
    let info = scope.info();
    let execution = *info.execution.as_uuid().as_bytes();
    let entry = [execution.as_slice(), info.scope.as_bytes()].concat();
    CacheKey { group: "progress".into(), entry: Bytes::from(entry) }
}
