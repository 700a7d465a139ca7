use std::sync::Arc;
use std::time::Duration;

use rethread_core::event::{EventKind, Refusal, RunOutcome};
use rethread_core::ids::QueueName;
use rethread_runtime::PoolOptions;
use rethread_sdk::{Entrypoint, Error, Registry, Task, local, sleep};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::{DEADLINE, Driver, coordinator, options, start, worker};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_is_refused_while_one_is_in_progress() {
    let gate = Arc::new(Notify::new());
    let waiting = Arc::clone(&gate);
    let wait = Task::new("wait", move |()| {
        let gate = Arc::clone(&waiting);
        async move {
            gate.notified().await;
            Ok::<_, Error>(7_u64)
        }
    });
    let call = wait.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let wait = call.clone();
        async move { wait.call(((),)).await }
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(main).task(wait).build().expect("builds");
    let node = start(options("a", &driver, registry)).await;
    let first = driver.start("t", "main", ()).await;
    let started = |kind: &EventKind| matches!(kind, EventKind::CallStarted { .. }).then_some(());
    driver.wait_for("t", first, started).await;
    let second = driver.start("t", "main", ()).await;
    let refused = RunOutcome::Refused(Refusal::Busy { run: first });
    assert_eq!(driver.outcome("t", second).await, refused);
    gate.notify_one();
    assert_eq!(driver.done::<u64>("t", first).await, 7);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_a_worker_that_knows_it() {
    let add = Task::new("add", |a: u64, b: u64| async move { Ok::<_, Error>(a + b) });
    let call = add.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let add = call.clone();
        async move { add.call((1, 2)).await }
    });
    let driver = Driver::in_memory(1);
    let without = Registry::builder().entrypoint(main).build().expect("builds");
    let with = Registry::builder().task(add).build().expect("builds");
    let coordinator = start(coordinator("a", &driver, without.clone())).await;
    let run = driver.start("t", "main", ()).await;
    let partition = driver.partition("t");
    let has_order = async |wanted: bool| {
        let queued = async || driver.storage.queued_orders(partition).await.expect("reads");
        while queued().await.is_empty() == wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, has_order(true)).await.expect("is ordered");
    let stranger = start(worker("b", &driver, without)).await;
    timeout(DEADLINE, has_order(false)).await.expect("is taken and not known");
    stranger.shutdown().await.expect("shuts down");

    let worker = start(worker("c", &driver, with)).await;
    assert_eq!(driver.done::<u64>("t", run).await, 3);
    assert_eq!(worker.stats().attempts, 1);
    worker.shutdown().await.expect("shuts down");
    coordinator.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_go_to_their_queue() {
    let here = Task::new("here", |()| async { Ok::<_, Error>(1_u64) }).queue("special");
    let call = here.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let here = call.clone();
        async move { here.call(((),)).await }
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(main).task(here).build().expect("builds");
    let special = PoolOptions { queue: QueueName::new("special").expect("an id"), slots: 1 };
    let node = start(options("a", &driver, registry).worker(special)).await;
    assert_eq!(driver.invoke::<u64>("t", "main", ()).await, 1);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_and_foreign_futures_move_a_run_on() {
    let main = Entrypoint::new("main", |(): ()| async {
        sleep(Duration::from_millis(30)).await?;
        local(tokio::time::sleep(Duration::from_millis(30))).await;
        sleep(Duration::from_millis(30)).await?;
        Ok::<_, Error>(1_u64)
    });
    for evict_after in [Duration::from_secs(60), Duration::ZERO] {
        let driver = Driver::in_memory(1);
        let registry = Registry::builder().entrypoint(main.clone()).build().expect("builds");
        let mut options = options("a", &driver, registry);
        options.evict_after = evict_after;
        let node = start(options).await;
        assert_eq!(driver.invoke::<u64>("t", "main", ()).await, 1);
        node.shutdown().await.expect("shuts down");
    }
}
