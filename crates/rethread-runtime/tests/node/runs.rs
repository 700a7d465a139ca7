use rethread_core::event::{EventKind, Refusal, RunOutcome};
use rethread_core::ids::OpId;
use rethread_sdk::{Entrypoint, Error, Registry, Task, emit, previous};
use rethread_storage::disk::{DiskOptions, DiskStorage};
use std::sync::Arc;

use crate::support::{Counter, Driver, options, start};

/// `sum` calls `double` for each number below its input at once and adds up the results;
/// `chain` calls it one after the other.
pub(crate) fn doubling(bodies: &Counter) -> Registry {
    let bodies = bodies.clone();
    let double = Task::new("double", move |n: u64| {
        bodies.add();
        async move { Ok::<_, Error>(n * 2) }
    });
    let (summed, chained) = (double.clone(), double.clone());
    let sum = Entrypoint::new("sum", move |n: u64| {
        let double = summed.clone();
        async move {
            let calls: Vec<_> = (0..n).map(|i| double.call((i,))).collect();
            let mut sum = 0;
            for call in calls {
                sum += call.await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    let chain = Entrypoint::new("chain", move |n: u64| {
        let double = chained.clone();
        async move {
            let mut sum = 0;
            for i in 0..n {
                sum += double.call((i,)).await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    Registry::builder().entrypoint(sum).entrypoint(chain).task(double).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_from_its_command_to_its_result() {
    let driver = Driver::in_memory(1);
    let bodies = Counter::default();
    let node = start(options("a", &driver, doubling(&bodies))).await;
    let run = driver.start("t", "chain", 3_u64).await;
    assert_eq!(driver.done::<u64>("t", run).await, 6);
    assert_eq!(bodies.get(), 3);
    let events = driver.events("t", run).await;
    assert!(matches!(events.first(), Some(EventKind::RunStarted { .. })));
    assert!(matches!(events.last(), Some(EventKind::RunEnded(RunOutcome::Done(_)))));
    assert_eq!(
        events.len(),
        2 + 3 * 2 + 2,
        "start, three calls, update, checkpoint, end: {events:?}"
    );
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_tasks_all_run_once() {
    let driver = Driver::in_memory(4);
    let bodies = Counter::default();
    let node = start(options("a", &driver, doubling(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "sum", 2_500_u64).await, 2_500 * 2_499);
    assert_eq!(bodies.get(), 2_500);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let bodies = Counter::default();
    for round in 1..=2 {
        let storage = DiskStorage::open(directory.path(), DiskOptions::default()).expect("opens");
        let driver = Driver { storage: Arc::new(storage) };
        let node = start(options("a", &driver, doubling(&bodies))).await;
        assert_eq!(driver.invoke::<u64>("t", "sum", 20_u64).await, 380);
        assert_eq!(bodies.get(), round * 20);
        node.shutdown().await.expect("shuts down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_finds_what_the_last_one_returned() {
    let count = Entrypoint::new("count", |(): ()| async {
        let before: Option<u64> = previous()?;
        Ok::<_, Error>(before.unwrap_or_default() + 1)
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(count).build().expect("builds");
    let node = start(options("a", &driver, registry)).await;
    for expected in 1..=3_u64 {
        assert_eq!(driver.invoke::<u64>("t", "count", ()).await, expected);
    }
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_entrypoint_is_refused() {
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, doubling(&Counter::default()))).await;
    let run = driver.start("t", "missing", ()).await;
    let outcome = driver.outcome("t", run).await;
    let RunOutcome::Refused(Refusal::UnknownEntrypoint { name, known }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((name.as_str(), known.as_str()), ("missing", "chain, sum"));
    assert_eq!(driver.invoke::<u64>("t", "sum", 2_u64).await, 2, "the thread is as new");
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_task_emits_stands_before_its_result() {
    let chatty = Task::new("chatty", |()| async {
        for n in 0..3_u32 {
            emit(n)?;
            tokio::task::yield_now().await;
        }
        emit(3_u32)?;
        Ok::<_, Error>(())
    });
    let call = chatty.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let chatty = call.clone();
        async move { chatty.call(((),)).await }
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(main).task(chatty).build().expect("builds");
    let node = start(options("a", &driver, registry)).await;
    let run = driver.start("t", "main", ()).await;
    driver.done::<()>("t", run).await;
    let events = driver.events("t", run).await;
    let written: Vec<u32> = events
        .iter()
        .take_while(|kind| !matches!(kind, EventKind::Updated { .. }))
        .filter_map(|kind| match kind {
            EventKind::Custom { value, .. } => Some(value.decode("event").expect("decodes")),
            _ => None,
        })
        .collect();
    assert_eq!(written, [0, 1, 2, 3]);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_holds_up_nobody() {
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, doubling(&Counter::default()))).await;
    let garbage = bytes::Bytes::from_static(b"garbage");
    let partition = driver.partition("t");
    driver.storage.submit(partition, OpId::from_random(1), garbage).await.expect("submits");
    assert_eq!(driver.invoke::<u64>("t", "sum", 2_u64).await, 2);
    assert_eq!(node.stats().corrupt_messages, 1);
    node.shutdown().await.expect("shuts down");
}
