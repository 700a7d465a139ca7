//! Plays the coordinator: reads requests and writes what a test wants to come of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rethread_client::{
    CheckpointId, Client, Event, EventKind, Millis, Payload, RunId, RunOutcome, Source,
    ThreadStatus,
};
use rethread_core::checkpoint::{Checkpoint, Progress};
use rethread_core::event::Interrupt;
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{CallId, InterruptId, NodeId, PartitionId, ThreadId};
use rethread_core::journal::Entry;
use rethread_core::message::{Command, InboxMessage};
use rethread_core::record::Record;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::{
    Acquisition, CheckpointWrite, Commit, EventWrite, InboxCursor, JournalWrite, Lease, Storage,
    ThreadWrite,
};
use serde::Serialize;

pub(crate) struct Coordinator {
    storage: Arc<dyn Storage>,
    lease: Lease,
    commits: u64,
    read: InboxCursor,
    events: BTreeMap<RunId, u64>,
}

/// A client, and a coordinator of the storage that it speaks to.
pub(crate) async fn pair() -> (Client, Coordinator) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    (Client::from_storage(Arc::clone(&storage)), Coordinator::new(storage).await)
}

impl Coordinator {
    pub(crate) async fn new(storage: Arc<dyn Storage>) -> Self {
        let node = NodeId::new("node").expect("an id");
        let ttl = Duration::from_secs(3600);
        let acquired = storage.acquire(PartitionId(0), &node, ttl).await.expect("acquires");
        let Acquisition::Acquired { lease, last_commit } = acquired else {
            panic!("the partition is taken")
        };
        let read = InboxCursor::START;
        Self { storage, lease, commits: last_commit, read, events: BTreeMap::new() }
    }

    /// Waits for the next request.
    pub(crate) async fn command(&mut self) -> Command {
        let after = [(PartitionId(0), self.read)];
        let wait = Duration::from_secs(3600);
        let items = self.storage.read_inboxes(&after, 1, wait).await.expect("reads");
        self.read = items[0].cursor;
        match InboxMessage::from_record(&items[0].message) {
            Ok(InboxMessage::Command(command)) => command,
            other => panic!("no command: {other:?}"),
        }
    }

    /// The requests that are there.
    pub(crate) async fn commands_now(&mut self) -> usize {
        let after = [(PartitionId(0), self.read)];
        self.storage.read_inboxes(&after, 100, Duration::ZERO).await.expect("reads").len()
    }

    /// Appends events to the log of a run.
    pub(crate) async fn say(&mut self, thread: &ThreadId, run: RunId, kinds: Vec<EventKind>) {
        let seq = self.events.entry(run).or_default();
        let first_seq = *seq + 1;
        let ends = matches!(kinds.last(), Some(EventKind::RunEnded(_)));
        let records = kinds.into_iter().map(|kind| {
            *seq += 1;
            Event { seq: *seq, at: Millis(*seq), kind }.to_record()
        });
        let events = vec![EventWrite { run, first_seq, records: records.collect(), ends }];
        self.write(ThreadWrite { events, ..ThreadWrite::none(thread.key()) }).await;
    }

    /// Answers a request with the start and the end of its run.
    pub(crate) async fn answer(&mut self, command: &Command, outcome: RunOutcome) {
        let kinds = vec![started("workflow"), EventKind::RunEnded(outcome)];
        self.say(&command.thread, command.run, kinds).await;
    }

    /// Writes the header and checkpoints of a thread.
    pub(crate) async fn put(&mut self, header: Option<ThreadHeader>, made: Vec<Checkpoint>) {
        self.put_with_journal(header, made, Vec::new()).await;
    }

    /// Writes the header, checkpoints and journal of a thread.
    pub(crate) async fn put_with_journal(
        &mut self,
        header: Option<ThreadHeader>,
        made: Vec<Checkpoint>,
        journal: Vec<Entry>,
    ) {
        let thread = thread_id().key();
        let base = header.as_ref().and_then(|header| header.base);
        let checkpoints =
            made.iter().map(|made| CheckpointWrite { id: made.id, record: made.to_record() });
        self.write(ThreadWrite {
            checkpoints: checkpoints.collect(),
            header: header.map(|header| header.to_record()),
            base,
            journal: JournalWrite::Append(journal.iter().map(Record::to_record).collect()),
            ..ThreadWrite::none(thread)
        })
        .await;
    }

    async fn write(&mut self, write: ThreadWrite) {
        self.commits += 1;
        let commit = Commit { threads: vec![write], ..Commit::new(self.lease, self.commits) };
        self.storage.commit(commit).await.expect("commits");
    }
}

/// The thread that tests use.
pub(crate) fn thread_id() -> ThreadId {
    ThreadId::new("essay-1").expect("an id")
}

pub(crate) fn payload(value: impl Serialize) -> Payload {
    Payload::encode(&value, "test value").expect("encodes")
}

pub(crate) fn done(value: impl Serialize) -> RunOutcome {
    RunOutcome::Done(payload(value))
}

pub(crate) fn interrupt(id: u8, value: impl Serialize) -> Interrupt {
    Interrupt { id: interrupt_id(id), value: payload(value), path: Vec::new() }
}

pub(crate) fn interrupt_id(id: u8) -> InterruptId {
    InterruptId::from_bytes([id; 16])
}

pub(crate) fn started(entrypoint: &str) -> EventKind {
    let checkpoint = checkpoint_id(1);
    let root = CallId::root(run_id(1).into());
    let entrypoint = entrypoint.into();
    let before = Progress::default();
    let (continues, unkept, is_exit) = (false, None, false);
    EventKind::RunStarted { entrypoint, root, checkpoint, continues, before, unkept, is_exit }
}

pub(crate) fn checkpoint_id(nth: u64) -> CheckpointId {
    CheckpointId::at(Millis(nth), nth, run_id(1))
}

pub(crate) fn run_id(nth: u8) -> RunId {
    format!("00000000-0000-0000-0000-0000000000{nth:02}").parse().expect("a UUID")
}

/// An input checkpoint that a run made.
pub(crate) fn input_checkpoint(nth: u64, run: RunId, input: impl Serialize) -> Checkpoint {
    Checkpoint {
        id: checkpoint_id(nth),
        parent: None,
        created_at: Millis(nth),
        source: Source::Input,
        step: -1,
        run,
        entrypoint: "workflow".into(),
        values: Payload::NULL,
        saved: None,
        input: Some(payload(input)),
        goes_on: false,
        tasks: Vec::new(),
        progress: Progress::default(),
        metadata: BTreeMap::new(),
        children: BTreeMap::new(),
    }
}

pub(crate) fn header(run: RunId, status: ThreadStatus, head: u64) -> ThreadHeader {
    ThreadHeader {
        thread: thread_id(),
        entrypoint: "workflow".into(),
        status,
        run,
        execution: Some(run.into()),
        head: checkpoint_id(head),
        step: -1,
        base: None,
        asking: Vec::new(),
        children: BTreeMap::new(),
        checkpoints_made: head,
        updated_at: Millis(head),
    }
}
