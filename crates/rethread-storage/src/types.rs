//! What goes into and comes out of the port.

use std::any::Any;
use std::fmt;

use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, ExecutionId, Millis, NodeId, OwnerToken, PartitionId, QueueName, RunId,
    ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;
use tokio::sync::watch;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it is gone with the process. For tests.
    Volatile,
    /// A crash of any process of ours; after power loss the last second or two may be missing. On
    /// Redis with `appendfsync everysec` that holds for a crash of the server itself too: it puts
    /// off writes while it syncs. An owner notices what is missing.
    Process,
    /// A crash of any process and power loss.
    Disk,
    /// A crash of any process, and loss of the server: so many replicas had each acknowledged
    /// write. Holds if one of those is promoted in its place.
    Replicated(u16),
}

/// Ownership of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The partition.
    pub partition: PartitionId,
    /// The proof.
    pub token: OwnerToken,
}

/// The answer to an attempt to acquire a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquisition {
    /// It is ours now.
    Acquired {
        /// The lease.
        lease: Lease,
        /// Number of the last commit of the partition; the next one is this plus one.
        last_commit: u64,
    },
    /// Another node holds it.
    Held {
        /// The holder.
        by: NodeId,
        /// Time until its lease expires, in milliseconds.
        expires_in_ms: u64,
    },
}

/// A place in the inbox of a partition. `InboxCursor::START` stands before the oldest message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxCursor(pub u64, pub u64);

impl InboxCursor {
    /// Before the oldest message.
    pub const START: Self = Self(0, 0);
}

/// One message of an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxItem {
    /// The partition.
    pub partition: PartitionId,
    /// Where the message stands.
    pub cursor: InboxCursor,
    /// The message as it was submitted or handed in.
    pub message: Bytes,
}

/// Everything that an owner writes in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The lease under which it is written.
    pub lease: Lease,
    /// Number of this commit in the partition: that of the last one plus one.
    pub number: u64,
    /// Messages up to this place are consumed and leave the inbox.
    pub consumed: Option<InboxCursor>,
    /// Single messages behind that place that are consumed and leave the inbox, oldest first.
    /// One that is not there (any more) is passed over. The messages of one
    /// [`HandIn`](crate::HandIn) are consumed in their order.
    pub consumed_beyond: Vec<InboxCursor>,
    /// Changes of threads, each thread at most once.
    pub threads: Vec<ThreadWrite>,
    /// Orders that leave their queues without a report, assigned ones too: from then on none of
    /// them is given to a worker, confirmed or handed in. Before `orders` enter theirs.
    pub withdrawn: Vec<OrderGroup>,
    /// Orders that enter work queues.
    pub orders: Vec<QueuedOrder>,
    /// Records for operators of what was given up, such as a poisonous order. Each is kept for
    /// the retention time of dead letters.
    pub dead_letters: Vec<Bytes>,
}

impl Commit {
    /// A commit that changes nothing.
    pub fn new(lease: Lease, number: u64) -> Self {
        Self {
            lease,
            number,
            consumed: None,
            consumed_beyond: Vec::new(),
            threads: Vec::new(),
            withdrawn: Vec::new(),
            orders: Vec::new(),
            dead_letters: Vec::new(),
        }
    }

    /// The runs whose event logs it appends to, each with whether it ends.
    pub fn runs_with_events(&self) -> Vec<(RunId, bool)> {
        let events = self.threads.iter().flat_map(|write| &write.events);
        events.map(|events| (events.run, events.ends)).collect()
    }
}

/// The changes of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadWrite {
    /// The thread.
    pub thread: ThreadKey,
    /// Replaces the header.
    pub header: Option<Bytes>,
    /// Changes the journal.
    pub journal: JournalWrite,
    /// Writes or replaces checkpoints.
    pub checkpoints: Vec<CheckpointWrite>,
    /// Sets which checkpoint [`LoadedThread::base`] is.
    pub base: Option<CheckpointId>,
    /// Appends to event logs.
    pub events: Vec<EventWrite>,
    /// Sets whether the thread is loaded by the next owner.
    pub activity: Option<Activity>,
    /// Removes these checkpoints, before others are written. If the base goes with them, the
    /// thread has none until another is named.
    pub drop_checkpoints: Vec<CheckpointId>,
    /// Removes everything that is stored of the thread, before anything else is written: its
    /// header, journal, checkpoints, waiting commands and activity. Event logs go with their
    /// retention time.
    pub delete: bool,
    /// Changes the commands that wait for the thread's run in progress, one after the other.
    pub waiting: Vec<WaitingChange>,
}

/// A change of the commands that wait on a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingChange {
    /// Adds one at the end.
    Append(Bytes),
    /// Removes this many at the front.
    DropFirst(usize),
    /// Removes the one at this place, counted from 0; none, if there are not so many.
    Remove(usize),
}

impl ThreadWrite {
    /// No change of `thread`.
    pub fn none(thread: ThreadKey) -> Self {
        Self {
            thread,
            header: None,
            journal: JournalWrite::Keep,
            checkpoints: Vec::new(),
            base: None,
            events: Vec::new(),
            activity: None,
            drop_checkpoints: Vec::new(),
            delete: false,
            waiting: Vec::new(),
        }
    }

    /// Whether a base that was named earlier goes with the checkpoints that are removed.
    pub(crate) fn drops(&self, base: CheckpointId) -> bool {
        let is_written = self.checkpoints.iter().any(|checkpoint| checkpoint.id == base);
        self.drop_checkpoints.contains(&base) && !is_written
    }

    /// The change of its activity: what is written, or that a deleted thread has nothing to do.
    pub(crate) fn activity_change(&self) -> Option<Activity> {
        self.activity.or_else(|| self.delete.then_some(Activity::Parked))
    }
}

/// A change of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalWrite {
    /// None.
    Keep,
    /// Adds entries at the end.
    Append(Vec<Bytes>),
    /// Drops all entries and adds these.
    Replace(Vec<Bytes>),
}

/// One checkpoint to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointWrite {
    /// Its id.
    pub id: CheckpointId,
    /// Its record.
    pub record: Bytes,
}

/// Events to be appended to the log of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventWrite {
    /// The run.
    pub run: RunId,
    /// Number of the first of these events.
    pub first_seq: u64,
    /// The events, numbered one after the other.
    pub records: Vec<Bytes>,
    /// Whether the run ends with them; its log is then kept for the retention time only.
    pub ends: bool,
}

/// Whether a thread has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Nothing: only a message wakes it. Parked threads cost storage and nothing else.
    Parked,
    /// It has work in progress from this time on (zero: at once); a new owner loads it.
    Due(Millis),
}

/// An order for workers: one attempt of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedOrder {
    /// The queue.
    pub queue: QueueName,
    /// With which orders it is withdrawn.
    pub group: OrderGroup,
    /// The order's record.
    pub order: Bytes,
}

/// Orders that are withdrawn as one: those of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderGroup(pub [u8; 16]);

impl OrderGroup {
    /// The orders of an execution.
    pub fn of(execution: ExecutionId) -> Self {
        Self(execution.as_uuid().into_bytes())
    }
}

/// What an owner needs to go on with a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedThread {
    /// The header.
    pub header: Bytes,
    /// The journal, in order.
    pub journal: Vec<Bytes>,
    /// The checkpoint that [`ThreadWrite::base`] named last.
    pub base: Option<Bytes>,
    /// The run whose events were written last, and the number of its last event.
    pub last_event: Option<(RunId, u64)>,
    /// The commands that wait for the run in progress, in order.
    pub waiting: Vec<Bytes>,
}

/// What is shown of a thread without its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRecord {
    /// The header.
    pub header: Bytes,
    /// The run whose events were written last, and the number of its last event.
    pub last_event: Option<(RunId, u64)>,
}

/// A page of the threads of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadPage {
    /// Headers, in no order that means anything.
    pub threads: Vec<(ThreadKey, Bytes)>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<u64>,
}

/// What is going on in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Who owns it; none if nobody does or the lease has expired.
    pub owner: Option<PartitionHolder>,
    /// Number of its last commit.
    pub last_commit: u64,
    /// Messages in its inbox.
    pub inbox: u64,
    /// Threads that are not parked.
    pub active_threads: u64,
    /// Dead letters that are kept.
    pub dead_letters: u64,
    /// Its queues that hold orders.
    pub queues: Vec<QueueStatus>,
}

/// Who owns a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionHolder {
    /// The node.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u64,
    /// Time until its lease expires, in milliseconds.
    pub expires_in_ms: u64,
}

/// What stands in a queue of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStatus {
    /// The queue.
    pub queue: QueueName,
    /// Orders that no worker has.
    pub waiting: u64,
    /// Orders that a worker has.
    pub assigned: u64,
    /// Age of the oldest order of either kind, in milliseconds.
    pub oldest_ms: u64,
}

/// An order as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderStatus {
    /// The queue.
    pub queue: QueueName,
    /// The order's record.
    pub order: Bytes,
    /// The worker that has it; none: it waits.
    pub worker: Option<WorkerId>,
    /// Its age in milliseconds, since it entered the queue.
    pub age_ms: u64,
}

/// A worker as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// The worker.
    pub worker: WorkerId,
    /// Time since its last heartbeat, in milliseconds.
    pub silent_for_ms: u64,
    /// How it described itself; empty if it did not.
    pub description: Bytes,
}

/// Names a dead letter of a partition. Later ones have greater ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId(pub u64, pub u64);

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// Its record.
    pub record: Bytes,
}

/// Names an order that is assigned to a worker; opaque outside of the adapter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The partition the order belongs to.
    pub partition: PartitionId,
    /// The queue it was taken from.
    pub queue: QueueName,
    /// The adapter's name for it.
    pub id: (u64, u64),
}

/// An order that was given to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names it when it is handed in.
    pub receipt: Receipt,
    /// How often it was given to a worker that did not hand it back by
    /// [`Storage::retire`](crate::Storage::retire), this time included: one more than the workers
    /// that may have died of it.
    pub fetches: u32,
    /// How often it was given to a worker at all, this time included: another number each time
    /// that its body may start.
    pub given: u32,
    /// The order's record.
    pub order: Bytes,
}

/// What a worker hands in to one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandIn {
    /// The partition.
    pub partition: PartitionId,
    /// The order that is finished by it; none for what a running body reports.
    pub finished: Option<Receipt>,
    /// Messages for the inbox.
    pub messages: Vec<Bytes>,
}

/// Names one cached value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey {
    /// What is cleared as one: the name of a task or entrypoint with its kind, and the tenant. At most
    /// 400 bytes.
    pub group: String,
    /// The entry in it: a digest, or whatever a user's key function made, at most 1 KiB.
    pub entry: Bytes,
}

/// What a cache knows of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheLookup {
    /// Its value.
    Hit(Bytes),
    /// There is none, and the asker is the one to make it.
    Vacant,
    /// There is none yet; another is making it.
    Filling,
}

/// Names one item of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemName {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its key there.
    pub key: String,
}

/// One item of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRecord {
    /// The record.
    pub record: Bytes,
    /// When it is gone; none: never.
    pub expires_at: Option<Millis>,
}

/// Wakes when a run may have new events.
pub struct EventWatch {
    changes: watch::Receiver<u64>,
    // Ends the subscription when the watch is dropped.
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl EventWatch {
    /// Wakes each time the sender of `changes` sends; `guard` is dropped with the watch.
    pub fn new(changes: watch::Receiver<u64>, guard: Option<Box<dyn Any + Send + Sync>>) -> Self {
        Self { changes, _guard: guard }
    }

    /// Waits until there may be new events since the last call.
    ///
    /// Returns at once if the source is gone; callers poll every few seconds as well, so a lost
    /// wake-up delays and never loses.
    ///
    /// # Cancel safety
    /// Dropping the future loses no wake-up.
    pub async fn changed(&mut self) -> bool {
        self.changes.changed().await.is_ok()
    }
}

impl fmt::Debug for EventWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventWatch")
    }
}
