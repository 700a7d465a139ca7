use crate::checkpoint::Checkpoint;
use crate::dead_letter::DeadLetter;
use crate::event::Event;
use crate::failure::Failure;
use crate::header::ThreadHeader;
use crate::ids::{CallId, CheckpointId, ExecutionId, Millis, QueueName, RunId, WorkerId};
use crate::journal::Entry;
use crate::message::{CacheSlot, Command, TaskOrder, WorkerMail};
use crate::payload::Payload;
use crate::store::{StoreReply, StoreRequest};

/// Numbers the writes of one machine, from 1.
pub type WriteNumber = u64;

/// Everything that a [`super::ThreadMachine`] asks its shell to do. The list is closed.
///
/// Effects are performed in order. One that names a write in `after` must not become visible
/// before that write is durable; performing both in one atomic step satisfies it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write the changes of the thread in one atomic step.
    Write(Box<Write>),
    /// Put an order for an attempt into a work queue.
    Dispatch {
        /// The write that makes the call's existence durable.
        after: WriteNumber,
        /// The queue.
        queue: QueueName,
        /// The order.
        order: Box<TaskOrder>,
    },
    /// Tell a worker what became of a call that one of its bodies made. It may get lost.
    Tell {
        /// The write that records it.
        after: WriteNumber,
        /// The worker.
        worker: WorkerId,
        /// What to tell.
        mail: Box<WorkerMail>,
    },
    /// Tell all workers of a queue that an attempt is cancelled. It may get lost: the attempt then
    /// ends by itself, and its report is dropped.
    CancelAttempt {
        /// The write that records it.
        after: WriteNumber,
        /// The queue.
        queue: QueueName,
        /// What to tell.
        mail: Box<WorkerMail>,
    },
    /// Take the orders of an execution back: none of them may be given to a worker once this is
    /// done. In order with [`Effect::Dispatch`]: orders that come later stay. Done in one atomic
    /// step with the write that it names, so that whoever reads that an execution was cancelled
    /// knows that no body of it starts.
    Withdraw {
        /// The write that it is part of.
        with: WriteNumber,
        /// The execution.
        execution: ExecutionId,
    },
    /// Keep a record of what was given up, for operators.
    Bury {
        /// The write that it is part of.
        with: WriteNumber,
        /// The record.
        letter: Box<DeadLetter>,
    },
    /// Do something that takes I/O, then call [`super::ThreadMachine::handle_done`]. A machine
    /// that is loaded anew asks again for what it has no answer to.
    Perform {
        /// The write that must be durable first.
        after: WriteNumber,
        /// For which call.
        call: CallId,
        /// What to do.
        job: Box<Job>,
    },
    /// Yield to the runtime once, then call [`super::ThreadMachine::handle_wake`]: a wake-up may
    /// be under way that would change the decision to stop.
    LookAgain,
}

/// Work that takes I/O.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Ask the store.
    Store(StoreRequest),
    /// Look for a cached result, without taking over the duty to make it.
    LookUpCache(CacheSlot),
    /// Put a result into the cache.
    FillCache(CacheSlot, Payload),
}

/// What came of a [`Job`].
#[derive(Debug, Clone, PartialEq)]
pub enum JobOutcome {
    /// What the store answered.
    Store(Result<StoreReply, Failure>),
    /// The cached result; none if there is none, or if the cache cannot be reached.
    LookedUp(Option<Payload>),
    /// The cache has it, or cannot be reached.
    Filled,
}

/// The changes of one thread in one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Its number.
    pub number: WriteNumber,
    /// Replaces the header.
    pub header: Option<ThreadHeader>,
    /// Changes the journal.
    pub journal: JournalChange,
    /// Checkpoints to write or replace.
    pub checkpoints: Vec<Checkpoint>,
    /// Names the checkpoint that holds the saved value from now on.
    pub base: Option<CheckpointId>,
    /// Events to append, by run.
    pub events: Vec<RunEvents>,
    /// Whether the thread has work in progress from now on.
    pub activity: Option<Activity>,
    /// Checkpoints to remove, before others are written.
    pub drop_checkpoints: Vec<CheckpointId>,
    /// Whether everything of the thread is removed, before anything else is written.
    pub delete: bool,
    /// Changes of the commands that wait, one after the other.
    pub waiting: Vec<WaitingChange>,
}

/// A change of the commands that wait for the run in progress.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitingChange {
    /// Adds one at the end.
    Append(Box<Command>),
    /// Removes this many at the front.
    DropFirst(usize),
    /// Removes the one at this place, counted from 0.
    Remove(usize),
}

/// A change of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalChange {
    /// Whether the entries so far are dropped first.
    pub drop_all: bool,
    /// Entries to append.
    pub append: Vec<Entry>,
}

/// Events of one run, numbered one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEvents {
    /// The run.
    pub run: RunId,
    /// The events.
    pub events: Vec<Event>,
    /// Whether the run ends with them.
    pub ends: bool,
}

/// Whether a thread has work in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// No: only a message wakes it.
    Parked,
    /// Yes, from this time on.
    Due(Millis),
}
