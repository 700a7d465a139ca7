use std::time::Duration;

use rethread_sdk::{Entrypoint, Error, Registry, Task, local, sleep};
use tokio::time::timeout;

use crate::runs::doubling;
use crate::support::{Counter, DEADLINE, Driver, options, start};

#[tokio::test(flavor = "multi_thread")]
async fn threads_that_leave_memory_at_once_come_to_the_same_results() {
    let driver = Driver::in_memory(2);
    let bodies = Counter::default();
    let mut options = options("a", &driver, doubling(&bodies));
    options.evict_after = Duration::ZERO;
    let node = start(options).await;
    let mut runs = Vec::new();
    for n in 0..10_u64 {
        let thread = format!("chain-{n}");
        runs.push((driver.start(&thread, "chain", n).await, thread, n));
        let thread = format!("sum-{n}");
        runs.push((driver.start(&thread, "sum", n).await, thread, n));
    }
    for (run, thread, n) in runs {
        assert_eq!(driver.done::<u64>(&thread, run).await, n * n.saturating_sub(1), "{thread}");
    }
    assert_eq!(bodies.get(), 90);
    assert!(node.stats().threads_loaded > 20 + 45, "{:?}", node.stats());
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_outlives_everything_that_is_known_of_its_thread() {
    let main = Entrypoint::new("main", |(): ()| async {
        sleep(Duration::from_secs(2)).await?;
        Ok::<_, Error>(1_u64)
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(main).build().expect("builds");
    let mut options = options("a", &driver, registry);
    options.evict_after = Duration::from_millis(100);
    let node = start(options).await;
    let run = driver.start("t", "main", ()).await;
    let done = timeout(DEADLINE, driver.done::<u64>("t", run)).await;
    assert_eq!(done, Ok(1));
    assert_eq!(node.stats().threads_loaded, 2, "it left memory while it slept");
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_waits_for_something_of_its_process_stays_in_memory() {
    let same = Task::new("same", |n: u64| async move { Ok::<_, Error>(n) });
    let here = same.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let here = here.clone();
        async move {
            tokio::select! {
                biased;
                () = local(tokio::time::sleep(Duration::from_millis(50))) => here.call((1,)).await,
                _ = sleep(Duration::from_secs(3)) => here.call((2,)).await,
            }
        }
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().task(same).entrypoint(main).build().expect("builds");
    let mut options = options("a", &driver, registry);
    options.evict_after = Duration::ZERO;
    let node = start(options).await;
    let run = driver.start("t", "main", ()).await;
    let done = timeout(DEADLINE, driver.done::<u64>("t", run)).await;
    assert_eq!(done, Ok(1));
    node.shutdown().await.expect("shuts down");
}
