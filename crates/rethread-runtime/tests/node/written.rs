//! What task bodies write: live, in order, few messages, and void when they run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rethread_core::event::EventKind;
use rethread_core::ids::WorkerId;
use rethread_core::message::InboxMessage;
use rethread_core::record::Record;
use rethread_runtime::NodeOptions;
use rethread_sdk::{Entrypoint, Error, Registry, Retry, Task, emit, emit_message, run_info};
use rethread_storage::memory::MemoryStorage;
use rethread_storage::testing::{Tamper, Tampered};
use rethread_storage::{HandIn, Result, Storage};
use tokio::sync::Semaphore;

use crate::hand::worker;
use crate::support::{Driver, options, start};

/// Counts the messages with events that workers hand in.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Storage>,
    messages: Arc<AtomicUsize>,
}

#[async_trait]
impl Tamper for Counted {
    fn behind(&self) -> &dyn Storage {
        &*self.inner
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        let messages = parts.iter().flat_map(|part| &part.messages);
        let written = messages.filter(|message| {
            matches!(InboxMessage::from_record(message), Ok(InboxMessage::Emitted(_)))
        });
        self.messages.fetch_add(written.count(), Ordering::SeqCst);
        self.inner.hand_in(worker, parts).await
    }
}

fn calling(task: &Task<((),), u32>) -> Entrypoint<(), u32> {
    let task = task.clone();
    Entrypoint::new("main", move |(): ()| {
        let task = task.clone();
        async move { task.call(((),)).await }
    })
}

/// What a task on a worker wrote, in order; `-N` where attempt N begins anew.
async fn written(driver: &Driver, run: rethread_core::ids::RunId) -> Vec<String> {
    let events = driver.events("t", run).await;
    let written = events.iter().filter_map(|kind| match kind {
        EventKind::Custom { value, attempt, .. } => {
            Some(format!("{}@{attempt}", value.decode::<String>("event").expect("decodes")))
        }
        EventKind::Message { value, attempt, .. } => {
            Some(format!("{}@{attempt}", value.decode::<String>("message").expect("decodes")))
        }
        EventKind::Reset { call: Some(_), attempt } => Some(format!("-{attempt}")),
        _ => None,
    });
    written.collect()
}

/// A coordinator without workers, and a worker elsewhere.
async fn apart(
    driver: &Driver,
    registry: &Registry,
    emit_batch: Duration,
) -> [rethread_runtime::Node; 2] {
    let coordinator =
        NodeOptions { workers: Vec::new(), ..options("coordinator", driver, registry.clone()) };
    let worker = NodeOptions { emit_batch, ..worker(driver, registry.clone()) };
    [start(coordinator).await, start(worker).await]
}

async fn shut_down(nodes: [rethread_runtime::Node; 2]) {
    for node in nodes {
        node.shutdown().await.expect("shuts down");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_remote_task_writes_is_seen_while_it_runs() {
    let gate = Arc::new(Semaphore::new(0));
    let shared = Arc::clone(&gate);
    let task = Task::new("chatty", move |(): ()| {
        let gate = Arc::clone(&shared);
        async move {
            emit("begun")?;
            // It goes on only when this was seen, long after the window of the batch.
            gate.acquire().await?.forget();
            emit_message("going", ())?;
            gate.acquire().await?.forget();
            Ok::<_, Error>(1)
        }
    });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(calling(&task)).task(task).build();
    let nodes = apart(&driver, &registry.expect("builds"), Duration::from_millis(20)).await;
    let run = driver.start("t", "main", ()).await;
    let is_custom = |kind: &EventKind| matches!(kind, EventKind::Custom { .. }).then_some(());
    driver.wait_for("t", run, is_custom).await;
    gate.add_permits(1);
    let is_message = |kind: &EventKind| matches!(kind, EventKind::Message { .. }).then_some(());
    driver.wait_for("t", run, is_message).await;
    gate.add_permits(1);
    assert_eq!(driver.done::<u32>("t", run).await, 1);
    assert_eq!(written(&driver, run).await, ["begun@1", "going@1"]);
    shut_down(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_writes_often_costs_few_messages_and_no_order() {
    const EVENTS: usize = 2_000;
    let task = Task::new("chatty", |(): ()| async {
        for n in 0..EVENTS {
            emit(n.to_string())?;
            tokio::task::yield_now().await;
        }
        Ok::<_, Error>(1)
    });
    let registry = Registry::builder().entrypoint(calling(&task)).task(task).build();
    let registry = registry.expect("builds");
    let messages = Arc::new(AtomicUsize::new(0));
    let inner: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    let counted = Counted { inner, messages: Arc::clone(&messages) };
    let driver = Driver { storage: Arc::new(Tampered::new(counted)) };
    // So long that all of it is over before the window is.
    let nodes = apart(&driver, &registry, Duration::from_secs(3_600)).await;
    let run = driver.start("t", "main", ()).await;
    assert_eq!(driver.done::<u32>("t", run).await, 1);
    let expected: Vec<_> = (0..EVENTS).map(|n| format!("{n}@1")).collect();
    assert_eq!(written(&driver, run).await, expected);
    assert_eq!(messages.load(Ordering::SeqCst), 2, "the first at once, and all the others");
    shut_down(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_tried_again_takes_back_half_a_sentence() {
    let retry = Retry::attempts(3).initial_interval(Duration::ZERO).jitter(false);
    let task = Task::new("chatty", |(): ()| async {
        let attempt = run_info()?.attempt;
        emit_message("half", ())?;
        if attempt < 3 {
            return Err(Error::msg("connection lost"));
        }
        emit_message("a sentence", ())?;
        Ok(attempt)
    });
    let task = task.retry(retry);
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(calling(&task)).task(task).build();
    let nodes = apart(&driver, &registry.expect("builds"), Duration::from_millis(1)).await;
    let run = driver.start("t", "main", ()).await;
    assert_eq!(driver.done::<u32>("t", run).await, 3);
    let expected = ["half@1", "-2", "half@2", "-3", "half@3", "a sentence@3"];
    assert_eq!(written(&driver, run).await, expected);
    shut_down(nodes).await;
}
