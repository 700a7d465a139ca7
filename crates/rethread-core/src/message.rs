//! What travels between clients, coordinators and workers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::failure::Failure;
use crate::graph::GraphCommand;
use crate::header::ThreadHeader;
use crate::ids::{
    CallId, CheckpointId, ExecutionId, InterruptId, PartitionId, RunId, ThreadId, ThreadKey,
    WorkerId,
};
use crate::journal::Entry;
use crate::payload::Payload;
use crate::policy::Timeouts;
use crate::record::{Record, kind};
use crate::replay::{CallRequest, Outcome};
use crate::settings::{RunConfig, RunSettings, TraceContext};

/// One message in the inbox of a partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum InboxMessage {
    /// A client asks for a run.
    #[serde(rename = "c")]
    Command(Command),
    /// A worker reports the end of an attempt.
    #[serde(rename = "r")]
    Report(Report),
    /// A task body wrote to the custom stream.
    #[serde(rename = "e")]
    Emitted(Emitted),
    /// A task body made calls.
    #[serde(rename = "k")]
    Called(Called),
    /// A worker was given an order that it cannot read, as it was found.
    #[serde(rename = "u")]
    Unreadable(Bytes),
}

impl Record for InboxMessage {
    const KIND: u8 = kind::INBOX;
}

impl InboxMessage {
    /// The thread the message is for; none: only its partition is known.
    pub fn thread(&self) -> Option<ThreadKey> {
        match self {
            Self::Command(command) => Some(command.thread.key()),
            Self::Report(report) => Some(report.target.thread),
            Self::Emitted(emitted) => Some(emitted.target.thread),
            Self::Called(called) => Some(called.target.thread),
            Self::Unreadable(_) => None,
        }
    }
}

/// A request to run something on a thread. Its run id makes it idempotent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// The thread, in full.
    pub thread: ThreadId,
    /// The run that this command makes; chosen by the client.
    pub run: RunId,
    /// What the caller sets for the run.
    pub settings: Box<RunSettings>,
    /// The checkpoint to work from, as it is stored; none: the newest. The client reads it, so a
    /// coordinator waits for no storage.
    pub at: Option<Box<Checkpoint>>,
    /// Whether LangGraph's lenient rules hold: unknown and spent interrupt ids are ignored, and an
    /// answer that nobody waits for changes nothing (D02).
    pub is_lenient: bool,
    /// What happens if a run of the thread is in progress.
    pub multitask: Multitask,
    /// What to do.
    pub action: Action,
}

/// What becomes of a request to run something while a run of the thread is in progress, in the
/// words of LangGraph's server ("double texting").
///
/// An answer to a question that the run in progress has open is given to it in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Multitask {
    /// It is refused.
    #[default]
    #[serde(rename = "r")]
    Reject,
    /// It waits until the runs before it have ended, however they ended.
    #[serde(rename = "e")]
    Enqueue,
    /// The run in progress is cancelled, and what it has done stays.
    #[serde(rename = "i")]
    Interrupt,
    /// The run in progress is cancelled, and the thread is put back to where it was before it.
    #[serde(rename = "b")]
    Rollback,
}

impl Record for Command {
    const KIND: u8 = kind::WAITING;
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Action {
    /// Start a new execution with an input; an interrupted or failed one is given up.
    #[serde(rename = "s")]
    Start {
        /// Name of the entrypoint.
        entrypoint: String,
        /// Its input.
        input: Payload,
    },
    /// Answer open questions and go on.
    #[serde(rename = "r")]
    Resume(Answers),
    /// Go on with a graph, with a command for the step that it is at.
    #[serde(rename = "g")]
    Command(Box<CommandInput>),
    /// Go on: after a failure, trying again what ended the run; after a pause, asking again; with
    /// an input that stands ready. On a thread that has completed it gives the value. From an
    /// older checkpoint ([`Command::at`]) it runs the step that started there once more.
    #[serde(rename = "t")]
    Retry,
    /// Edit the state: a checkpoint is made, and what the thread had left to do is given up.
    #[serde(rename = "u")]
    Update(Box<Update>),
    /// Remove the thread with its checkpoints.
    #[serde(rename = "d")]
    Delete,
    /// Remove checkpoints. The newest and those that the thread needs are kept.
    #[serde(rename = "p")]
    Prune(Vec<CheckpointId>),
    /// Make this thread, which must not exist, a copy of another.
    #[serde(rename = "i")]
    Import(Box<ThreadCopy>),
    /// Stop a run: the one in progress, or one that waits for its turn.
    #[serde(rename = "x")]
    Cancel(Cancel),
    /// Say what the thread waits for. Changes nothing.
    #[serde(rename = "y")]
    Explain,
}

impl Action {
    /// A command that changes nothing is a resume or a retry.
    #[must_use]
    pub(crate) fn in_simple_form(self) -> Self {
        match self {
            Self::Command(input) if input.command.is_empty() => match input.answers {
                Some(answers) => Self::Resume(answers),
                None => Self::Retry,
            },
            other => other,
        }
    }
}

/// A command as the input of a graph: answers and changes of the step that it is at, any of which
/// may be missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandInput {
    /// Answers to open questions.
    pub answers: Option<Answers>,
    /// What is written, and what is started beside.
    pub command: GraphCommand,
}

/// Which run is to be stopped, and what stays of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The run; none: the one in progress. One that has ended is not stopped, and the request
    /// is refused.
    pub run: Option<RunId>,
    /// Whether the thread is put back to where it was before the run. Otherwise a retry goes on
    /// with it.
    pub roll_back: bool,
}

/// An edit of the state of a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// In whose name.
    pub kind: UpdateAs,
    /// The value: the result, or the input.
    pub values: Payload,
    /// What the next execution finds as `previous`, where it differs from `values`.
    pub save: Option<Payload>,
    /// Name of the entrypoint; needed where the thread does not know it yet.
    pub entrypoint: Option<String>,
    /// Further updates of a graph in the same step, with the nodes in whose name they are made.
    pub more: Vec<(Payload, Option<String>)>,
    /// The pending tasks, by name, that lead from the root to the graph that is edited; empty for
    /// the root itself.
    pub path: Vec<String>,
}

/// In whose name the state is edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum UpdateAs {
    /// The entrypoint's, as if it had completed with the value. A name that is not the
    /// entrypoint's is refused. Of a graph: the node's, as if it had returned the value as its
    /// update; without a name, that of the node which wrote last.
    #[serde(rename = "n")]
    Node(Option<String>),
    /// The caller's: the value stands ready as an input, and a retry runs it.
    #[serde(rename = "i")]
    Input,
    /// Nobody's: nothing remains to be done.
    #[serde(rename = "e")]
    End,
    /// Nobody's: the checkpoint again, as its own sibling, without what is recorded of it.
    #[serde(rename = "c")]
    Copy,
}

/// Everything of a thread that rests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadCopy {
    /// Its header.
    pub header: ThreadHeader,
    /// The journal of an execution that has not completed.
    pub journal: Vec<Entry>,
    /// Its checkpoints, the oldest first.
    pub checkpoints: Vec<Checkpoint>,
}

/// Answers to open questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answers {
    /// Answers the only open question.
    #[serde(rename = "o")]
    Only(Payload),
    /// Answers questions by their ids.
    #[serde(rename = "i")]
    ById(BTreeMap<InterruptId, Payload>),
}

/// Which attempt of which call a worker speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The thread.
    pub thread: ThreadKey,
    /// The execution; a report for an execution that was given up is dropped.
    pub execution: ExecutionId,
    /// The call.
    pub call: CallId,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// A call whose order is queued or assigned, or whose report stands unread in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenCall {
    /// The execution; one that was given up may have calls that still run.
    pub execution: ExecutionId,
    /// The call.
    pub call: CallId,
}

/// Calls that are open, each with the number under which its attempt was ordered.
pub type OpenCalls = BTreeMap<OpenCall, u32>;

impl Target {
    /// The call it speaks of, as one that is open.
    pub fn open_call(&self) -> OpenCall {
        OpenCall { execution: self.execution, call: self.call }
    }
}

/// The end of one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which attempt.
    pub target: Target,
    /// Who ran it.
    pub worker: WorkerId,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// With a result.
    #[serde(rename = "c")]
    Completed(Payload),
    /// Before its body started: the result of an equal call was in the cache.
    #[serde(rename = "h")]
    Cached(Payload),
    /// With a failure; the coordinator decides about a retry.
    #[serde(rename = "f")]
    Failed {
        /// How it failed.
        failure: Failure,
        /// What the predicates of the task's retry policies say of it, by the number of the
        /// policy; false for policies without one.
        predicates: Vec<bool>,
    },
    /// With a question; the task runs again from its start once it is answered.
    #[serde(rename = "a")]
    Asked {
        /// How many questions the body had asked before.
        index: u32,
        /// What is asked.
        value: Payload,
    },
    /// All that the body waits for are calls that wait for people; it runs again from its start
    /// once they are answered.
    #[serde(rename = "w")]
    Suspended,
    /// The worker has no task of this name: nothing was run.
    #[serde(rename = "u")]
    UnknownTask,
    /// Because it was cancelled.
    #[serde(rename = "x")]
    Cancelled,
}

impl AttemptOutcome {
    /// A failure that no predicate was asked about.
    pub fn failed(failure: Failure) -> Self {
        Self::Failed { failure, predicates: Vec::new() }
    }

    /// Whether it says something of the call that must not be lost. The others only hand the
    /// order back: a further attempt comes to the same.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Completed(_) | Self::Cached(_) | Self::Failed { .. } | Self::Asked { .. } => true,
            Self::Suspended | Self::UnknownTask | Self::Cancelled => false,
        }
    }
}

/// Something that a body writes to the stream of its run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Emission {
    /// To the custom stream.
    #[serde(rename = "c")]
    Custom(Payload),
    /// To the stream of messages: a token of a model.
    #[serde(rename = "m")]
    Message {
        /// The token or message.
        value: Payload,
        /// Facts about it.
        metadata: Payload,
    },
}

/// What a task body wrote to the stream, in the order it wrote.
///
/// They have no receipt, so a worker that does not know whether it handed them in does it again:
/// that the same worker gives the same number of the same attempt twice means the same values.
///
/// Whoever writes runs: an attempt that waited for something other than calls (see [`Called`])
/// takes a place of the run's concurrency again. It says so without values if it has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Emitted {
    /// Which attempt.
    pub target: Target,
    /// Who runs it.
    pub worker: WorkerId,
    /// Number of the first value within the attempt, from 0.
    pub first: u64,
    /// What it wrote.
    pub values: Vec<Emission>,
}

/// Calls that a task body made. Without any, it says that the attempt waits for something other
/// than calls and needs no place of the run's concurrency. Said again, it has no further effect but an answer for each call
/// that has ended; so a worker that misses an answer asks again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// The attempt that made them.
    pub target: Target,
    /// Who runs it, and is told how they end.
    pub worker: WorkerId,
    /// The calls.
    pub calls: Vec<NestedCall>,
    /// Calls of this attempt that its body needs no longer.
    pub cancelled: Vec<CallId>,
}

/// One call of a task body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NestedCall {
    /// Its identity, in the scope of the calling task.
    pub call: CallId,
    /// What is called.
    pub request: CallRequest,
}

/// What a coordinator tells a worker. It may get lost; see [`Called`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerMail {
    /// The attempt that made the call.
    pub target: Target,
    /// The call.
    pub call: CallId,
    /// What became of it.
    pub news: CallNews,
}

impl Record for WorkerMail {
    const KIND: u8 = kind::MAIL;
}

/// What became of a call of a task body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallNews {
    /// It ended.
    #[serde(rename = "e")]
    Ended(Outcome),
    /// It waits for a person.
    #[serde(rename = "w")]
    Suspended,
    /// The attempt itself is cancelled, whatever it is doing; said to all workers of its queue.
    /// [`WorkerMail::call`] is its call.
    #[serde(rename = "x")]
    Cancelled,
}

/// One attempt to be run by a worker: an entry of a work queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskOrder {
    /// Where the report goes.
    pub partition: PartitionId,
    /// Which attempt it is.
    pub target: Target,
    /// The thread, in full.
    pub thread: ThreadId,
    /// The run it belongs to.
    pub run: RunId,
    /// Name of the task.
    pub name: String,
    /// Its arguments, one MessagePack array.
    pub input: Payload,
    /// Answers to the questions it asked so far, in their order.
    pub answers: Vec<Payload>,
    /// How many attempts the run has made of it, this one included; what its body is told.
    pub try_number: u32,
    /// Longest times of the attempt.
    pub timeouts: Timeouts,
    /// Where its result is cached, if it is.
    pub cache: Option<CacheSlot>,
    /// Facts about the run.
    pub config: Arc<RunConfig>,
    /// The context object of the run.
    pub context: Option<Payload>,
    /// The trace that the run belongs to.
    pub trace: Option<TraceContext>,
}

/// Where a result is cached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheSlot {
    /// What is cleared as one; see [`crate::cache::group`].
    pub group: String,
    /// The entry in it.
    pub entry: Bytes,
    /// How long it is kept, in milliseconds; none: for ever.
    pub ttl_ms: Option<u64>,
}

impl Record for TaskOrder {
    const KIND: u8 = kind::TASK;
}
