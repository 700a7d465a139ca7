//! The journal of an execution: the only truth of what happened in it.
//!
//! Entries stand in the order in which their results were delivered to the bodies, which is the
//! order in which a replay delivers them again. All runs of an execution share one journal; when
//! the execution ends it folds into the saved value and is dropped. While a run makes the steps of
//! a graph, what was before it stays in front of the step in progress, which begins at the last
//! [`Fact::Began`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, ChildState, Progress, Source};
use crate::failure::Failure;
use crate::graph::{Node, StepTask};
use crate::header::ThreadStatus;
use crate::ids::{CallId, CheckpointId, ExecutionId, InterruptId, Millis, RunId, WorkerId};
use crate::message::Report;
use crate::payload::Payload;
use crate::record::{Record, kind};
use crate::replay::CallRequest;
use crate::settings::RunSettings;

/// One journal entry: when, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When the coordinator recorded it; the body's `now()` follows these times.
    pub at: Millis,
    /// What happened.
    pub fact: Fact,
}

impl Record for Entry {
    const KIND: u8 = kind::ENTRY;
}

/// What a journal entry says happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// The execution began with an input. Always the first entry.
    #[serde(rename = "b")]
    Began(Box<Began>),
    /// A further run of the execution began; bodies run again from the top.
    #[serde(rename = "n")]
    RunBegan {
        /// The run.
        run: RunId,
        /// Failed calls that this run tries again instead of replaying their failure.
        reopened: Vec<CallId>,
        /// What the caller set for it.
        settings: Box<RunSettings>,
        /// What the thread was doing before it.
        before: Box<Before>,
    },
    /// A call gave its result.
    #[serde(rename = "c")]
    Completed {
        /// Where in the execution it was delivered.
        delivery: Delivery,
        /// The result.
        value: Payload,
        /// Whether it came from the cache.
        is_cached: bool,
    },
    /// A call failed for good, after its retries.
    #[serde(rename = "f")]
    Failed {
        /// Where in the execution it was delivered.
        delivery: Delivery,
        /// How it failed.
        failure: Failure,
        /// When a further run tries the call again.
        reopens: Reopens,
    },
    /// An attempt of a task failed and another one follows. Not delivered to any body.
    #[serde(rename = "r")]
    AttemptFailed {
        /// The call.
        call: CallId,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// How it failed.
        failure: Failure,
        /// When the next attempt may start.
        retry_at: Millis,
    },
    /// A body asked a question. Not delivered to any body.
    #[serde(rename = "a")]
    Asked(Asked),
    /// A question was answered.
    #[serde(rename = "w")]
    Answered {
        /// The question.
        interrupt: InterruptId,
        /// The answer.
        value: Payload,
    },
    /// A person answered what the state of a graph was edited for: the answer is for what the graph
    /// asks first instead.
    #[serde(rename = "o")]
    AnsweredAhead {
        /// The graph.
        body: CallId,
        /// The answer.
        value: Payload,
    },
    /// A run of the execution came to a stop that is not the end of the execution.
    #[serde(rename = "s")]
    RunStopped {
        /// The run.
        run: RunId,
        /// What the execution had come to.
        progress: Progress,
    },
    /// An attempt of the body of an entrypoint failed and another one follows.
    #[serde(rename = "x")]
    BodyFailed {
        /// The body.
        body: CallId,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// How it failed.
        failure: Failure,
        /// When the next attempt may begin.
        retry_at: Millis,
    },
    /// The body of an entrypoint began later than it was called: after a failed attempt, or after
    /// a look into the cache. The attempts of it before this one count for nothing any more.
    #[serde(rename = "e")]
    BodyBegan {
        /// The body.
        body: CallId,
        /// Which attempt of it, from 1.
        attempt: u32,
        /// Calls of the attempts before that wait for people: they are given up.
        abandoned: Vec<CallId>,
        /// Whether later runs of the execution use what it does. If not
        /// ([`crate::policy::History::Off`]), they keep the answers of people only.
        is_kept: bool,
    },
    /// A child entrypoint that is a graph made a step, or its state was edited. What its body did
    /// before counts for nothing any more, and it begins again.
    #[serde(rename = "p")]
    Stepped(Box<Stepped>),
    /// A child entrypoint with a history of its own is about to give its result. Not delivered.
    #[serde(rename = "v")]
    ChildSaved {
        /// What its history is kept under: the place from which it is called, and its name.
        key: String,
        /// What its next execution finds.
        state: ChildState,
    },
    /// A task body made a call. Not delivered to any body.
    #[serde(rename = "k")]
    Called {
        /// The task's call.
        caller: CallId,
        /// The attempt of it that made the call, or made it again after a failure.
        attempt: u32,
        /// The worker that runs the attempt, and is told how the call ends.
        worker: WorkerId,
        /// The body of the entrypoint that the task belongs to.
        body: CallId,
        /// The call it made.
        call: CallId,
        /// What is called.
        request: CallRequest,
    },
    /// A report came while the code did not fit the journal; it is handled once it fits again.
    #[serde(rename = "h")]
    Held(Report),
    /// The run in progress has made this checkpoint with a step that has ended. Stands before the
    /// step in progress, in case the run is taken back.
    #[serde(rename = "m")]
    Made {
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// A command changed this checkpoint in place, at which the thread had come to an end, and
    /// began a run there. Stands before the step in progress, in case the run is taken back.
    #[serde(rename = "g")]
    Changed {
        /// The run.
        run: RunId,
        /// The checkpoint as it was.
        checkpoint: Box<Checkpoint>,
    },
}

/// What a thread was doing before a run that goes on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// The run or edit before.
    pub run: RunId,
    /// How it had left the thread.
    pub status: ThreadStatus,
}

/// What an execution starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// The run in which it began.
    pub run: RunId,
    /// The execution. Each step of a graph is one.
    pub execution: ExecutionId,
    /// The body of the entrypoint, by which readers know it: all steps of a graph share it.
    pub root: CallId,
    /// Name of the entrypoint.
    pub entrypoint: String,
    /// Its input.
    pub input: Payload,
    /// What the last completed execution of the thread saved.
    pub previous: Option<Payload>,
    /// The value of that execution.
    pub values: Payload,
    /// Whether the body goes on from `previous`, as the next step of a graph does; its input is
    /// null then.
    pub goes_on: bool,
    /// Of a graph: what the step runs.
    pub tasks: Vec<StepTask>,
    /// How many steps of the first run count before this one.
    pub steps: u32,
    /// Whether the first run began with an input.
    pub took_input: bool,
    /// What the step before saved for the first run only.
    pub carried: Option<Payload>,
    /// Whether a command changed the step after some of it was recorded: its body may make other
    /// calls than those of before.
    pub is_changed: bool,
    /// What child entrypoints with a history of their own have saved.
    pub children: BTreeMap<String, ChildState>,
    /// An answer to the first question that is asked: the caller went on from an older
    /// checkpoint with it.
    pub answer: Option<Payload>,
    /// Why the checkpoint was made.
    pub source: Source,
    /// The checkpoint that it starts from.
    pub checkpoint: CheckpointId,
    /// Its parent.
    pub parent: Option<CheckpointId>,
    /// Its step.
    pub step: i64,
    /// What the caller set for the first run.
    pub settings: Box<RunSettings>,
    /// Number of the last event of the run that was shown before it.
    pub events: u64,
}

/// A step that a child entrypoint made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stepped {
    /// The body.
    pub body: CallId,
    /// Which attempt of it begins, from 2: those of steps are counted too.
    pub attempt: u32,
    /// Calls of the step that wait for people: they are given up.
    pub abandoned: Vec<CallId>,
    /// What the step that ended came to.
    pub progress: Progress,
    /// Where the next one starts.
    pub checkpoint: Checkpoint,
    /// What is saved for the next step of this run only.
    pub carried: Option<Payload>,
    /// How many steps of the run count by now.
    pub steps: u32,
    /// Whether the next step begins in a later run only.
    pub pause: bool,
    /// Whether no other one follows: it is the end of the child.
    pub is_last: bool,
}

/// When a further run tries a failed call again instead of replaying its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reopens {
    /// When it is what ended the run.
    #[serde(rename = "c")]
    AsCause,
    /// When it, or another such call of its scope, is: a task of a step.
    #[serde(rename = "s")]
    WithItsStep,
    /// Never: the body has handled it.
    #[serde(rename = "n")]
    Never,
}

impl Reopens {
    /// That of a call.
    pub(crate) fn of(node: Option<&Node>) -> Self {
        match node {
            None => Self::AsCause,
            Some(node) if node.handled => Self::Never,
            Some(_) => Self::WithItsStep,
        }
    }
}

/// The place of a delivered entry in its execution; what a replay is checked against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The call that got its outcome.
    pub call: CallId,
    /// The scope that made the call.
    pub scope: CallId,
    /// Name of the task or entrypoint that was called, for messages.
    pub name: String,
    /// Sum of the ids of all calls that this scope had made before, whatever their order: a
    /// replay that made other calls by this point took another path.
    pub made: u64,
}

/// A question, as it stands open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Names the question.
    pub interrupt: InterruptId,
    /// The body that asked: a task's call, or the scope of an entrypoint body.
    pub scope: CallId,
    /// How many questions the body had asked before.
    pub index: u32,
    /// What is asked.
    pub value: Payload,
}
