//! A small client, and the code that the tests run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rethread_core::event::{Event, EventKind, Interrupt, RunOutcome};
use rethread_core::ids::{
    CallId, InterruptId, NodeId, OpId, PartitionId, RunId, ThreadId, ThreadKey,
};
use rethread_core::journal::{Entry, Fact};
use rethread_core::message::{Action, Answers, Command, InboxMessage, Multitask};
use rethread_core::payload::Payload;
use rethread_core::record::Record;
use rethread_core::replay::Scope;
use rethread_runtime::{Node, NodeOptions, PoolOptions};
use rethread_sdk::Registry;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::{InboxCursor, InboxItem, Storage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// Long enough for a loaded machine; no test waits as long unless it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(180);

/// Submits commands and reads events.
#[derive(Debug, Clone)]
pub(crate) struct Driver {
    pub(crate) storage: Arc<dyn Storage>,
}

impl Driver {
    pub(crate) fn in_memory(partitions: u16) -> Self {
        Self { storage: Arc::new(MemoryStorage::new(partitions)) }
    }

    pub(crate) fn partition(&self, thread: &str) -> PartitionId {
        thread_id(thread).key().partition(self.storage.partitions())
    }

    /// What stands in the inbox of a thread's partition.
    pub(crate) async fn inbox(&self, thread: &str) -> Vec<InboxItem> {
        let start = [(self.partition(thread), InboxCursor::START)];
        self.storage.read_inboxes(&start, 1_000, Duration::ZERO).await.expect("reads")
    }

    pub(crate) async fn submit(&self, thread: &str, action: Action) -> RunId {
        let run = RunId::from_uuid(uuid::Uuid::new_v4());
        let command = Command {
            thread: thread_id(thread),
            run,
            settings: Box::default(),
            at: None,
            is_lenient: false,
            multitask: Multitask::default(),
            action,
        };
        let message = InboxMessage::Command(command).to_record();
        let op = OpId::from_random(run.as_uuid().as_u128());
        let submitted = self.storage.submit(self.partition(thread), op, message).await;
        submitted.expect("submits");
        run
    }

    pub(crate) async fn start<I: Serialize>(&self, thread: &str, name: &str, input: I) -> RunId {
        let input = payload(&input);
        self.submit(thread, Action::Start { entrypoint: name.into(), input }).await
    }

    pub(crate) async fn answer<T: Serialize>(&self, thread: &str, value: T) -> RunId {
        self.submit(thread, Action::Resume(Answers::Only(payload(&value)))).await
    }

    pub(crate) async fn answer_all(
        &self,
        thread: &str,
        answers: BTreeMap<InterruptId, Payload>,
    ) -> RunId {
        self.submit(thread, Action::Resume(Answers::ById(answers))).await
    }

    /// All events of a run so far; they are numbered without a gap.
    pub(crate) async fn events(&self, thread: &str, run: RunId) -> Vec<EventKind> {
        let mut kinds = Vec::new();
        loop {
            let after = kinds.len() as u64;
            let read = self.storage.read_events(self.partition(thread), run, after, 500).await;
            let records = read.expect("reads events");
            if records.is_empty() {
                return kinds;
            }
            for record in records {
                let event = Event::from_record(&record).expect("reads an event");
                kinds.push(event.kind);
                assert_eq!(event.seq, kinds.len() as u64, "events have no gap");
            }
        }
    }

    pub(crate) async fn outcome(&self, thread: &str, run: RunId) -> RunOutcome {
        self.wait_for(thread, run, |kind| match kind {
            EventKind::RunEnded(outcome) => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for an event of a run.
    pub(crate) async fn wait_for<T>(
        &self,
        thread: &str,
        run: RunId,
        wanted: impl Fn(&EventKind) -> Option<T>,
    ) -> T {
        let partition = self.partition(thread);
        let waiting = async {
            loop {
                let watch = self.storage.watch_events(partition, run).await;
                let mut watch = watch.expect("watches");
                if let Some(found) = self.events(thread, run).await.iter().find_map(&wanted) {
                    return found;
                }
                // Wake-ups are hints only.
                let _ = timeout(Duration::from_secs(2), watch.changed()).await;
            }
        };
        match timeout(DEADLINE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("thread {thread}: {:?}", self.events(thread, run).await),
        }
    }

    pub(crate) async fn done<T: DeserializeOwned>(&self, thread: &str, run: RunId) -> T {
        match self.outcome(thread, run).await {
            RunOutcome::Done(value) => value.decode("the result").expect("decodes"),
            other => panic!("thread {thread} should be done: {other:?}"),
        }
    }

    pub(crate) async fn invoke<T: DeserializeOwned>(
        &self,
        thread: &str,
        name: &str,
        input: impl Serialize,
    ) -> T {
        let run = self.start(thread, name, input).await;
        self.done(thread, run).await
    }

    pub(crate) async fn interrupted(&self, thread: &str, run: RunId) -> Vec<Interrupt> {
        match self.outcome(thread, run).await {
            RunOutcome::Interrupted(open) => open,
            other => panic!("thread {thread} should be interrupted: {other:?}"),
        }
    }
}

pub(crate) fn thread_id(text: &str) -> ThreadId {
    ThreadId::new(text).expect("an id")
}

pub(crate) fn payload<T: Serialize>(value: &T) -> Payload {
    Payload::encode(value, "a test value").expect("encodes")
}

/// The calls of a thread whose results are in its journal.
pub(crate) async fn recorded(
    storage: &dyn Storage,
    partition: PartitionId,
    thread: ThreadKey,
) -> BTreeSet<CallId> {
    let loaded = storage.load_thread(partition, thread).await.expect("loads");
    let journal = loaded.map(|loaded| loaded.journal).unwrap_or_default();
    let entries = journal.iter().map(|entry| Entry::from_record(entry).expect("reads an entry"));
    entries
        .filter_map(|entry| match entry.fact {
            Fact::Completed { delivery, .. } | Fact::Failed { delivery, .. } => Some(delivery.call),
            _ => None,
        })
        .collect()
}

/// The call that the current body serves, and its attempt.
pub(crate) fn current_call() -> (CallId, u32) {
    let scope = Scope::current().expect("in a body");
    (scope.info().scope, scope.info().attempt)
}

/// A coordinator with four slots for tasks and short leases.
pub(crate) fn options(name: &str, driver: &Driver, registry: Registry) -> NodeOptions {
    let node = NodeId::new(name).expect("an id");
    let mut options = NodeOptions::new(node, Arc::clone(&driver.storage), Arc::new(registry))
        .worker(PoolOptions::standard(4));
    options.lease_ttl = Duration::from_secs(2);
    options
}

/// A node that only drives threads.
pub(crate) fn coordinator(name: &str, driver: &Driver, registry: Registry) -> NodeOptions {
    let mut options = options(name, driver, registry);
    options.workers.clear();
    options
}

/// A node that only runs tasks.
pub(crate) fn worker(name: &str, driver: &Driver, registry: Registry) -> NodeOptions {
    let mut options = options(name, driver, registry);
    options.coordinator = false;
    options
}

pub(crate) async fn start(options: NodeOptions) -> Node {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
    let node = Node::start(options).await.expect("starts");
    timeout(DEADLINE, node.wait_ready()).await.expect("in time").expect("ready");
    node
}

/// Counts from within bodies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU32>);

impl Counter {
    pub(crate) fn add(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) async fn reaches(&self, wanted: u32) {
        let reached = async {
            while self.get() < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, reached).await.expect("counter moves");
    }
}
