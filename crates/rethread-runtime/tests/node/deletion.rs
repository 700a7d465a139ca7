//! Threads that are deleted, and begun anew.

use std::time::Duration;

use rethread_core::event::RunOutcome;
use rethread_core::message::{Action, Cancel};
use rethread_sdk::{Entrypoint, Error, Registry, Task, previous};

use crate::support::{Counter, Driver, options, start, thread_id};

/// `count` counts its runs by a task, `stuck` calls a task that never ends.
fn registry(begun: &Counter) -> Registry {
    let begun = begun.clone();
    let add = Task::new("add", |n: u64| async move { Ok::<_, Error>(n + 1) });
    let endless = Task::new("endless", move |(): ()| {
        begun.add();
        async {
            std::future::pending::<()>().await;
            Ok::<u64, Error>(0)
        }
    });
    let (call, never) = (add.clone(), endless.clone());
    let count = Entrypoint::new("count", move |(): ()| {
        let add = call.clone();
        async move {
            let before: Option<u64> = previous()?;
            add.call((before.unwrap_or_default(),)).await
        }
    });
    let stuck = Entrypoint::new("stuck", move |(): ()| {
        let endless = never.clone();
        async move { endless.call(((),)).await }
    });
    let builder = Registry::builder().entrypoint(count).entrypoint(stuck);
    builder.task(add).task(endless).build().expect("builds")
}

async fn delete(driver: &Driver, thread: &str) {
    let run = driver.submit(thread, Action::Delete).await;
    assert_eq!(driver.outcome(thread, run).await, RunOutcome::Edited(None));
    let (partition, key) = (driver.partition(thread), thread_id(thread).key());
    let loaded = driver.storage.load_thread(partition, key).await.expect("loads");
    assert_eq!(loaded, None);
    let checkpoints = driver.storage.list_checkpoints(partition, key, None, 10).await;
    assert_eq!(checkpoints.expect("lists"), Vec::<bytes::Bytes>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_thread_begins_anew() {
    for evict_after in [Duration::ZERO, Duration::from_secs(60)] {
        let driver = Driver::in_memory(1);
        let mut options = options("a", &driver, registry(&Counter::default()));
        options.evict_after = evict_after;
        let node = start(options).await;
        for _ in 0..3 {
            assert_eq!(driver.invoke::<u64>("t", "count", ()).await, 1);
            assert_eq!(driver.invoke::<u64>("t", "count", ()).await, 2);
            delete(&driver, "t").await;
        }
        delete(&driver, "t").await;
        node.shutdown().await.expect("shuts down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_of_a_deleted_thread_is_for_nobody() {
    let driver = Driver::in_memory(1);
    let begun = Counter::default();
    let mut first = options("a", &driver, registry(&begun));
    first.evict_after = Duration::ZERO;
    let node = start(first).await;
    let run = driver.start("t", "stuck", ()).await;
    begun.reaches(1).await;
    driver.submit("t", Action::Cancel(Cancel::default())).await;
    assert_eq!(driver.outcome("t", run).await, RunOutcome::Cancelled);
    delete(&driver, "t").await;
    assert_eq!(driver.invoke::<u64>("t", "count", ()).await, 1);
    node.drain().await.expect("drains");
    // The next owner finds nothing of it either.
    let node = start(options("b", &driver, registry(&begun))).await;
    assert_eq!(driver.invoke::<u64>("t", "count", ()).await, 2);
    assert_eq!(begun.get(), 1);
    node.shutdown().await.expect("shuts down");
}
