use std::time::Duration;

use rethread_core::event::RunOutcome;
use rethread_core::failure::{Failure, kind};
use rethread_core::message::Action;
use rethread_sdk::{Entrypoint, Error, Registry, Retry, Task};

use crate::support::{Counter, Driver, options, start};

async fn failed(driver: &Driver, entrypoint: &str) -> Failure {
    let run = driver.start("t", entrypoint, ()).await;
    match driver.outcome("t", run).await {
        RunOutcome::Failed(failure) => failure,
        other => panic!("should fail: {other:?}"),
    }
}

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
async fn a_failed_attempt_is_repeated() {
    let attempts = Counter::default();
    let counted = attempts.clone();
    let flaky = Task::new("flaky", move |(): ()| {
        let attempt = counted.add();
        async move {
            let info = rethread_sdk::run_info()?;
            assert_eq!(info.attempt, attempt);
            if attempt < 3 { Err(Error::msg("not yet")) } else { Ok(u64::from(attempt)) }
        }
    })
    .retry(Retry::attempts(3).initial_interval(Duration::from_millis(10)).jitter(false));
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, calling(flaky))).await;
    assert_eq!(driver.invoke::<u64>("t", "main", ()).await, 3);
    assert_eq!(attempts.get(), 3);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_a_task_is_its_failure() {
    let boom = Task::new("boom", |(): ()| async {
        if true {
            panic!("boom");
        }
        Ok::<u64, Error>(0)
    });
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, calling(boom))).await;
    let failure = failed(&driver, "main").await;
    assert_eq!((failure.kind.as_str(), failure.message.as_str()), (kind::PANIC, "panicked: boom"));
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_an_entrypoint_is_its_failure_and_a_retry_goes_on() {
    let runs = Counter::default();
    let counted = runs.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let run = counted.add();
        async move {
            assert!(run > 1, "not the first time");
            Ok::<_, Error>(u64::from(run))
        }
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(main).build().expect("builds");
    let node = start(options("a", &driver, registry)).await;
    let failure = failed(&driver, "main").await;
    assert_eq!(failure.kind, kind::PANIC);
    let run = driver.submit("t", Action::Retry).await;
    assert_eq!(driver.done::<u64>("t", run).await, 2);
    assert_eq!(runs.get(), 2);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_takes_too_long_is_dropped() {
    let dropped = Counter::default();
    let counted = dropped.clone();
    let slow = Task::new("slow", move |(): ()| {
        let guard = CountDrop(counted.clone());
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
            Ok::<u64, Error>(0)
        }
    })
    .timeout(Duration::from_millis(30));
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, calling(slow))).await;
    let failure = failed(&driver, "main").await;
    assert_eq!(failure.kind, kind::TIMEOUT);
    assert_eq!(failure.message, "task `slow` took longer than 30 ms");
    dropped.reaches(1).await;
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_blocks_past_its_time_is_timed_out_when_it_returns() {
    let slow = Task::new("slow", move |(): ()| async {
        std::thread::sleep(Duration::from_millis(50));
        Ok::<u64, Error>(0)
    });
    let limited = [
        (slow.clone().timeout(Duration::from_millis(20)), "task `slow` took longer than 20 ms"),
        (slow.idle_timeout(Duration::from_millis(20)), "task `slow` showed no progress for 20 ms"),
    ];
    for (task, message) in limited {
        let driver = Driver::in_memory(1);
        let node = start(options("a", &driver, calling(task))).await;
        let failure = failed(&driver, "main").await;
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), (kind::TIMEOUT, message));
        node.shutdown().await.expect("shuts down");
    }
}

struct CountDrop(Counter);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}
