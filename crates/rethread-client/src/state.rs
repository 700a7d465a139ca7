//! What threads have come to.

mod query;
mod step;

use std::collections::BTreeMap;

use rethread_core::checkpoint::{Checkpoint, Progress, Source};
use rethread_core::event::Interrupt;
use rethread_core::failure::{Failure, kind};
use rethread_core::graph::ChildGraph;
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{CallId, CheckpointId, Millis, RunId};
use rethread_core::payload::Payload;

use crate::outcome::OpenInterrupt;
use crate::value::AnyValue;

pub use query::StateQuery;
pub(crate) use step::{Look, Step, find_child, live_values};

/// A thread at one of its checkpoints, in the form that LangGraph's users know.
///
/// [`crate::Thread::state`] shows the newest checkpoint *live*: what is still to be done, asked
/// or wrong now. [`crate::Thread::state_at`] and [`crate::Thread::history`] show the *record* of
/// the step that started at a checkpoint: what it asked last, also if that is answered, and what
/// came of it.
///
/// Of a graph a checkpoint is the boundary of two steps, and its tasks are those of the step that
/// starts there. Live, the values have the updates of the tasks that have ended, and
/// [`StateSnapshot::next`] names the others.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StateSnapshot {
    /// The value of the last execution that completed; null if there is none. Of a graph: all
    /// fields that have a value.
    pub values: AnyValue,
    /// The entrypoint, while it has still to finish; else empty. Of a graph: the nodes that run
    /// next, in the order of [`StateSnapshot::tasks`]; `__start__` stands for an input that waits.
    pub next: Vec<String>,
    /// The entrypoint, while it has still to finish, or in the record of a step that started
    /// here; else empty. Of a graph: the tasks of the step, those started by a `Send` first, then
    /// the nodes as they were declared. Calls of tasks by bodies are no entries.
    pub tasks: Vec<TaskState>,
    /// The questions of all [`StateSnapshot::tasks`].
    pub interrupts: Vec<OpenInterrupt>,
    /// Why the last run failed or was parked, whatever the reason.
    pub error: Option<Failure>,
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// The checkpoint it was made from.
    pub parent: Option<CheckpointId>,
    /// When it was made.
    pub created_at: Millis,
    /// Why it was made.
    pub source: Source,
    /// -1 for the first input of a thread, and the parent's plus one otherwise.
    pub step: i64,
    /// The run that made it.
    pub run: RunId,
    /// What the caller attached to that run.
    pub metadata: BTreeMap<String, AnyValue>,
}

/// What an entrypoint, or a task of a graph's step, has come to, as a [`StateSnapshot`] shows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TaskState {
    /// The name of the entrypoint or the node.
    pub name: String,
    /// The call that streams name it by, where that is known.
    pub id: Option<CallId>,
    /// Why its last run failed or was parked. Not that its result could not be saved: as in
    /// LangGraph, only [`StateSnapshot::error`] tells that. A node that failed shows it beside
    /// what came of it later, until the step has ended and in its record.
    pub error: Option<Failure>,
    /// Its questions: those that wait for answers, or in a record those it asked last.
    pub interrupts: Vec<OpenInterrupt>,
    /// Its result; of an entrypoint only in a record. Of a node: the fields that it wrote; one
    /// that it wrote twice holds `{"$writes": [..]}`.
    pub result: Option<AnyValue>,
    /// The state of a node that is a graph and has begun, where it was asked for
    /// ([`StateQuery::subgraphs`]).
    pub state: Option<Box<StateSnapshot>>,
}

impl TaskState {
    fn of_entrypoint(name: String, id: Option<CallId>, progress: Progress) -> Self {
        let result = progress.result.map(|result| of_entrypoint("result", &name, result));
        let interrupts = OpenInterrupt::all(progress.interrupts);
        let error = progress.failure.filter(|failure| failure.kind != kind::SERIALIZATION);
        Self { name, id, error, interrupts, result, state: None }
    }
}

/// What a checkpoint shows of itself, whoever keeps it.
pub(crate) struct Shown {
    pub(crate) checkpoint: CheckpointId,
    pub(crate) parent: Option<CheckpointId>,
    pub(crate) created_at: Millis,
    pub(crate) source: Source,
    pub(crate) step: i64,
    pub(crate) run: RunId,
    pub(crate) entrypoint: String,
    pub(crate) values: Payload,
    pub(crate) metadata: BTreeMap<String, AnyValue>,
}

impl From<Checkpoint> for Shown {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            checkpoint: checkpoint.id,
            parent: checkpoint.parent,
            created_at: checkpoint.created_at,
            source: checkpoint.source,
            step: checkpoint.step,
            run: checkpoint.run,
            entrypoint: checkpoint.entrypoint,
            values: checkpoint.values,
            metadata: facts(checkpoint.metadata),
        }
    }
}

impl Shown {
    /// Nothing starts there.
    pub(crate) fn at_rest(self) -> StateSnapshot {
        self.with(Vec::new(), Vec::new(), None)
    }

    /// The entrypoint starts there, and has come to this.
    pub(crate) fn with_entrypoint(self, progress: Progress) -> StateSnapshot {
        self.with_body(None, progress)
    }

    /// The same, with the call that the body is.
    fn with_body(self, id: Option<CallId>, progress: Progress) -> StateSnapshot {
        let error = progress.failure.clone();
        let task = TaskState::of_entrypoint(self.entrypoint.clone(), id, progress);
        self.with(vec![task.name.clone()], vec![task], error)
    }

    /// A step of a graph starts there, and has come to this.
    pub(crate) fn with_step(self, step: Step, error: Option<Failure>) -> StateSnapshot {
        let Step { next, tasks } = step;
        self.with(next, tasks, error)
    }

    fn with(
        self,
        next: Vec<String>,
        tasks: Vec<TaskState>,
        error: Option<Failure>,
    ) -> StateSnapshot {
        StateSnapshot {
            values: of_entrypoint("value", &self.entrypoint, self.values),
            next,
            interrupts: tasks.iter().flat_map(|task| task.interrupts.clone()).collect(),
            tasks,
            error,
            checkpoint: self.checkpoint,
            parent: self.parent,
            created_at: self.created_at,
            source: self.source,
            step: self.step,
            run: self.run,
            metadata: self.metadata,
        }
    }
}

/// The newest checkpoint as it stands now; with the states of the graphs that its tasks are.
pub(crate) fn live(header: ThreadHeader, head: Checkpoint, subgraphs: bool) -> StateSnapshot {
    let standing = match header.status {
        ThreadStatus::Idle => None,
        ThreadStatus::Interrupted(interrupts) => {
            Some(Progress { interrupts, ..Progress::default() })
        }
        ThreadStatus::Failed(failure) => {
            Some(Progress { failure: Some(failure), ..Progress::default() })
        }
        ThreadStatus::Parked(mismatch) => {
            let failure = Failure::new(kind::REPLAY_MISMATCH, mismatch.to_string());
            Some(Progress { failure: Some(failure), ..Progress::default() })
        }
        ThreadStatus::Running => {
            Some(Progress { interrupts: header.asking, ..Progress::default() })
        }
        _ => Some(Progress::default()),
    };
    let mut head = Checkpoint { entrypoint: header.entrypoint, ..head };
    if !head.tasks.is_empty() {
        let standing = standing.unwrap_or_default();
        let look = Look { is_live: true, has_added: true, subgraphs, asked: &standing.interrupts };
        let step = look.at_root(&head);
        if let Some(graph) = head.progress.graph.take() {
            head.values = live_values(&head, &graph.view);
        }
        return Shown::from(head).with_step(step, standing.failure);
    }
    match standing {
        None => Shown::from(head).at_rest(),
        Some(standing) => {
            let root = header.execution.map(CallId::root);
            Shown::from(head).with_body(root, standing)
        }
    }
}

/// The record of the step that started at a checkpoint.
pub(crate) fn recorded(mut checkpoint: Checkpoint) -> StateSnapshot {
    if !checkpoint.tasks.is_empty() {
        let look = Look {
            is_live: false,
            // A fork has made what a command had started its own.
            has_added: checkpoint.source == Source::Fork,
            subgraphs: false,
            asked: &checkpoint.progress.interrupts,
        };
        let step = look.at_root(&checkpoint);
        let failure = checkpoint.progress.failure.take();
        return Shown::from(checkpoint).with_step(step, failure);
    }
    let progress = std::mem::take(&mut checkpoint.progress);
    match checkpoint.input {
        Some(_) => Shown::from(checkpoint).with_entrypoint(progress),
        None => Shown::from(checkpoint).at_rest(),
    }
}

/// The same in the history of a graph that runs as a task; `asked` are the questions of the step
/// of the thread.
pub(crate) fn recorded_within(
    graph: &ChildGraph,
    checkpoint: &Checkpoint,
    asked: &[Interrupt],
) -> StateSnapshot {
    let is_newest = graph.checkpoints.last().is_some_and(|newest| newest.id == checkpoint.id);
    let ended = checkpoint.progress.graph.as_deref().map(|graph| &graph.view);
    let (view, asked) = match is_newest {
        true => (Some(&graph.view), asked),
        false => (ended, &checkpoint.progress.interrupts[..]),
    };
    let look = Look { is_live: false, has_added: false, subgraphs: false, asked };
    let step = look.step(Some(graph.call), &checkpoint.tasks, view, &[]);
    Shown::from(checkpoint.clone()).with_step(step, None)
}

pub(crate) fn facts(metadata: BTreeMap<String, Payload>) -> BTreeMap<String, AnyValue> {
    let fact = |(key, value)| {
        let what = format!("metadata `{key}`");
        (key, AnyValue::new(value, what))
    };
    metadata.into_iter().map(fact).collect()
}

fn of_entrypoint(what: &str, entrypoint: &str, value: Payload) -> AnyValue {
    AnyValue::new(value, format!("{what} of entrypoint `{entrypoint}`"))
}
