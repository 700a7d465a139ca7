//! What travels between clients, coordinators and workers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::ids::{
    CallId, ExecutionId, InterruptId, PartitionId, RunId, ThreadId, ThreadKey, WorkerId,
};
use crate::payload::Payload;
use crate::record::{Record, kind};
use crate::replay::{CallRequest, Outcome};

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
}

impl Record for InboxMessage {
    const KIND: u8 = kind::INBOX;
}

impl InboxMessage {
    /// The thread the message is for.
    pub fn thread(&self) -> ThreadKey {
        match self {
            Self::Command(command) => command.thread.key(),
            Self::Report(report) => report.target.thread,
            Self::Emitted(emitted) => emitted.target.thread,
            Self::Called(called) => called.target.thread,
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
    /// Scalars to attach to the checkpoints of the run.
    pub metadata: BTreeMap<String, Payload>,
    /// What to do.
    pub action: Action,
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
    /// Go on after a failure, trying again what ended the run.
    #[serde(rename = "t")]
    Retry,
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
    /// With a failure; the coordinator decides about a retry.
    #[serde(rename = "f")]
    Failed(Failure),
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
}

impl AttemptOutcome {
    /// Whether it says something of the call that must not be lost. The others only hand the
    /// order back: a further attempt comes to the same.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Completed(_) | Self::Failed(_) | Self::Asked { .. } => true,
            Self::Suspended | Self::UnknownTask => false,
        }
    }
}

/// Custom events of a task body, in the order it wrote them.
///
/// They have no receipt, so a worker that does not know whether it handed them in does it again:
/// that the same worker gives the same number of the same attempt twice means the same values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Emitted {
    /// Which attempt.
    pub target: Target,
    /// Who runs it.
    pub worker: WorkerId,
    /// Number of the first value within the attempt, from 0.
    pub first: u64,
    /// What it wrote.
    pub values: Vec<Payload>,
}

/// Calls that a task body made. Said again, it has no further effect but an answer for each call
/// that has ended; so a worker that misses an answer asks again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// The attempt that made them.
    pub target: Target,
    /// Who runs it, and is told how they end.
    pub worker: WorkerId,
    /// The calls.
    pub calls: Vec<NestedCall>,
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
    /// Longest time the attempt may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

impl Record for TaskOrder {
    const KIND: u8 = kind::TASK;
}
