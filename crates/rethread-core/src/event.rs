//! What the readers of a run's stream see.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::failure::Failure;
use crate::graph::{GraphProgress, Node, StepTask};
use crate::ids::{CallId, CallKind, CheckpointId, InterruptId, Millis, RunId};
use crate::message::Emission;
use crate::outlook::Outlook;
use crate::payload::Payload;
use crate::policy::History;
use crate::record::{Record, kind};
use crate::replay::ReplayMismatch;

/// One event of a run. Events of a run are numbered 1, 2, 3.. without a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the run.
    pub seq: u64,
    /// When the coordinator recorded it.
    pub at: Millis,
    /// What happened.
    pub kind: EventKind,
}

impl Record for Event {
    const KIND: u8 = kind::EVENT;
}

/// What happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// The run began; always the first event of a run that was not refused.
    #[serde(rename = "b")]
    RunStarted {
        /// Name of the entrypoint.
        entrypoint: String,
        /// The scope of its body.
        root: CallId,
        /// The checkpoint the run works on.
        checkpoint: CheckpointId,
        /// Whether it goes on with an execution, or runs one again, instead of taking a new input.
        continues: bool,
        /// What the execution had come to before this run.
        before: Progress,
        /// The checkpoint itself, where it may be gone before it is read: a run of durability
        /// exit that completes removes it.
        unkept: Option<Box<Checkpoint>>,
        /// Whether only the last checkpoint of the run is kept.
        #[serde(default)]
        is_exit: bool,
    },
    /// A call was made and will run; also a call whose result is replayed.
    #[serde(rename = "t")]
    CallStarted {
        /// The call.
        call: CallId,
        /// The body that made it: the root body, a task's call or a child entrypoint's call.
        scope: CallId,
        /// Whether a task or an entrypoint is called.
        kind: CallKind,
        /// Name of the task or entrypoint.
        name: String,
        /// The input as it was given.
        input: Payload,
        /// For an entrypoint: where its history stands.
        child: Option<Box<ChildStart>>,
        /// The node of a graph that it is, if it is one.
        node: Option<Arc<Node>>,
    },
    /// A task or entrypoint gave its result.
    #[serde(rename = "u")]
    Updated {
        /// The call.
        call: CallId,
        /// Name of the task or entrypoint.
        name: String,
        /// The result.
        value: Payload,
        /// Whether it came from the cache, without running the body, or from an earlier run of the
        /// step.
        is_cached: bool,
        /// The node of a graph that it is, if it is one.
        node: Option<Arc<Node>>,
    },
    /// A call failed for good.
    #[serde(rename = "f")]
    CallFailed {
        /// The call.
        call: CallId,
        /// Name of the task or entrypoint.
        name: String,
        /// How it failed.
        failure: Failure,
        /// The node of a graph that it is, if it is one.
        node: Option<Arc<Node>>,
    },
    /// A graph made a step, also its last one.
    #[serde(rename = "s")]
    Stepped {
        /// The call of the graph; none for the root.
        body: Option<CallId>,
        /// The checkpoint that was made.
        checkpoint: CheckpointId,
        /// The one before.
        parent: Option<CheckpointId>,
        /// Why it was made.
        source: Source,
        /// Its step.
        step: i64,
        /// What it shows.
        values: Payload,
        /// The same in the form of a result.
        result: Payload,
        /// Whether something changed that streams of values show.
        changed: bool,
        /// What the next step runs; empty if the graph has ended.
        tasks: Vec<StepTask>,
        /// Whether the run pauses before that.
        pause: bool,
    },
    /// What the steps in progress had come to when the run stopped with some of their tasks left:
    /// for questions, or at a breakpoint of a graph that runs as a node.
    #[serde(rename = "v")]
    StoppedInStep(Box<GraphProgress>),
    /// A body wrote to the custom stream.
    #[serde(rename = "c")]
    Custom {
        /// The task call that wrote, or none for the entrypoint's own body.
        call: Option<CallId>,
        /// The attempt of that call.
        attempt: u32,
        /// What it wrote.
        value: Payload,
    },
    /// A body wrote a token or message of a model.
    #[serde(rename = "m")]
    Message {
        /// The task call that wrote, or none for the entrypoint's own body.
        call: Option<CallId>,
        /// The attempt of that call.
        attempt: u32,
        /// The token or message.
        value: Payload,
        /// Facts about it.
        metadata: Payload,
    },
    /// A body is run again: what it wrote to the stream before this event counts no more. Neither
    /// does what the calls wrote that an entrypoint's body made: it makes them anew.
    ///
    /// Of a body that has written nothing it may stand in the log too: when a thread was taken
    /// over by another coordinator, that is not known.
    #[serde(rename = "r")]
    Reset {
        /// The call, or none for the entrypoint's own body.
        call: Option<CallId>,
        /// The attempt that writes from here on.
        attempt: u32,
    },
    /// The execution completed, and its final checkpoint was made.
    #[serde(rename = "p")]
    Checkpointed {
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// The run ended; always the last event.
    #[serde(rename = "e")]
    RunEnded(RunOutcome),
}

impl EventKind {
    /// What a body wrote to the stream: a task's call, a child entrypoint's, or the root's (none).
    pub(crate) fn emitted(call: Option<CallId>, attempt: u32, emission: Emission) -> Self {
        match emission {
            Emission::Custom(value) => Self::Custom { call, attempt, value },
            Emission::Message { value, metadata } => {
                Self::Message { call, attempt, value, metadata }
            }
        }
    }
}

/// Where the history of a child entrypoint stands when it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildStart {
    /// What it keeps of its runs.
    pub history: History,
    /// The names of the bodies from the root to its caller, each followed by the number of its
    /// call of a child that leads on, unless that is its first (from 0).
    pub place: Vec<String>,
    /// The checkpoint that its input makes, or that a graph goes on from.
    pub checkpoint: CheckpointId,
    /// The checkpoint before that, from an earlier execution or step.
    pub parent: Option<CheckpointId>,
    /// The step of that checkpoint.
    pub step: i64,
    /// Its value so far.
    pub values: Payload,
    /// Whether it is a graph.
    #[serde(default)]
    pub is_graph: bool,
    /// Of a graph: the fields of its result, where those are not all.
    #[serde(default)]
    pub outputs: Option<Vec<String>>,
    /// Why its checkpoint was made.
    #[serde(default = "input")]
    pub source: Source,
    /// Of a graph: what the step runs that starts at its checkpoint.
    pub tasks: Vec<StepTask>,
    /// Whether it goes on with what it did in an earlier run.
    pub continues: bool,
    /// What it had come to in that run; with a result, it is not run again.
    pub before: Progress,
    /// What the callers attached to the run that made its checkpoint.
    #[serde(default)]
    pub metadata: BTreeMap<String, Payload>,
}

fn input() -> Source {
    Source::Input
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupt {
    /// Names the question; a resume may answer by it.
    pub id: InterruptId,
    /// What is asked.
    pub value: Payload,
    /// The bodies that lead from the root to the one that asks, without the root: child
    /// entrypoints and tasks, the asking one last. Empty if the root asks.
    pub path: Vec<CallId>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RunOutcome {
    /// The execution completed with this result.
    #[serde(rename = "d")]
    Done(Payload),
    /// The run waits for answers; a resume goes on.
    #[serde(rename = "i")]
    Interrupted(Vec<Interrupt>),
    /// The entrypoint failed; a retry tries again what ended it.
    #[serde(rename = "f")]
    Failed(Failure),
    /// The code no longer makes the calls of its journal; nothing was run or overwritten.
    #[serde(rename = "m")]
    Parked(ReplayMismatch),
    /// The run was cancelled.
    #[serde(rename = "c")]
    Cancelled,
    /// The request was refused and changed nothing.
    #[serde(rename = "r")]
    Refused(Refusal),
    /// The answers were given to the run in progress, which goes on with them.
    #[serde(rename = "j")]
    Joined(RunId),
    /// The thread was edited: the checkpoint that was made, or none for an edit that makes none.
    #[serde(rename = "u")]
    Edited(Option<CheckpointId>),
    /// What the thread waits for, as it was asked to explain.
    #[serde(rename = "y")]
    Explained(Box<Outlook>),
}

/// Why a request to run was refused. Nothing was changed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No entrypoint of this name is registered with the coordinators.
    #[error("unknown entrypoint `{name}`; the coordinator knows: {known}")]
    UnknownEntrypoint {
        /// The name that was asked for.
        name: String,
        /// The names that are registered, comma-separated.
        known: String,
    },
    /// The input is not a value of the entrypoint's input type.
    #[error("{reason}")]
    InvalidInput {
        /// What does not fit.
        reason: String,
    },
    /// Another run of the thread is in progress.
    #[error("thread is busy with run {run}; wait for it, or choose another thread")]
    Busy {
        /// The run in progress.
        run: RunId,
    },
    /// As many requests wait on the thread as may.
    #[error("{max} requests wait on this thread already; wait until some have run, then try again")]
    TooManyWaiting {
        /// How many may wait.
        max: usize,
    },
    /// The run that was to be stopped neither runs nor waits.
    #[error("run {run} is not running on this thread: it has ended, or it was never accepted")]
    NotRunning {
        /// The run.
        run: RunId,
    },
    /// There is nothing to go on with, and no input was given.
    #[error(
        "nothing to continue and no input: start a run with an input, or answer by id to give nothing as an answer"
    )]
    EmptyInput,
    /// The state cannot be edited so.
    #[error("state cannot be edited: {reason}")]
    InvalidUpdate {
        /// Why not.
        reason: String,
    },
    /// The checkpoint that was named cannot be gone on from so.
    #[error("cannot go on from checkpoint {checkpoint}: {reason}")]
    InvalidCheckpoint {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why not.
        reason: String,
    },
    /// A copy was to be made of a thread under an id that is taken.
    #[error("thread exists already; choose another id for the copy, or delete it first")]
    ThreadExists,
    /// There is no run to resume or retry.
    #[error("nothing to continue on this thread: {status}")]
    NothingToContinue {
        /// What the thread is doing, and what can be done.
        status: String,
    },
    /// An answer names a question that is not open.
    #[error("no open interrupt {id}; open: {}", list(open))]
    UnknownInterrupt {
        /// The id that was named.
        id: InterruptId,
        /// The questions that are open.
        open: Vec<InterruptId>,
    },
    /// An answer without an id, and several questions are open.
    #[error("{} interrupts are open, so an answer must name one: {}", open.len(), list(open))]
    AmbiguousAnswer {
        /// The questions that are open.
        open: Vec<InterruptId>,
    },
    /// A stored record of the thread cannot be read.
    #[error("thread cannot be loaded: {reason}")]
    Corrupt {
        /// What cannot be read.
        reason: String,
    },
    /// The key of the thread id belongs to another thread id.
    #[error("thread id collides with `{other}`; choose another thread id")]
    IdCollision {
        /// The thread that has the key.
        other: String,
    },
    /// A configured limit was reached.
    #[error("limit reached: {what}")]
    Limit {
        /// Which limit, and its value.
        what: String,
    },
}

fn list(ids: &[InterruptId]) -> String {
    if ids.is_empty() {
        return "none".into();
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
