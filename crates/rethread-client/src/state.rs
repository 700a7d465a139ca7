use std::collections::BTreeMap;

use rethread_core::checkpoint::{Checkpoint, Progress, Source};
use rethread_core::failure::{Failure, kind};
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{CheckpointId, Millis, RunId};
use rethread_core::payload::Payload;

use crate::outcome::OpenInterrupt;
use crate::value::AnyValue;

/// A thread at one of its checkpoints, in the form that LangGraph's users know.
///
/// [`crate::Thread::state`] shows the newest checkpoint *live*: what is still to be done, asked
/// or wrong now. [`crate::Thread::state_at`] and [`crate::Thread::history`] show the *record* of
/// the step that started at a checkpoint: what it asked last, also if that is answered, and what
/// came of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StateSnapshot {
    /// The value of the last execution that completed; null if there is none.
    pub values: AnyValue,
    /// The entrypoint, while it has still to finish; else empty.
    pub next: Vec<String>,
    /// The entrypoint, while it has still to finish, or in the record of a step that started
    /// here; else empty. Calls of tasks are no entries.
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

/// What an entrypoint has come to, as a [`StateSnapshot`] shows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TaskState {
    /// Its name.
    pub name: String,
    /// Why its last run failed or was parked. Not that its result could not be saved: as in
    /// LangGraph, only [`StateSnapshot::error`] tells that.
    pub error: Option<Failure>,
    /// Its questions: those that wait for answers, or in a record those it asked last.
    pub interrupts: Vec<OpenInterrupt>,
    /// Its result; only in a record.
    pub result: Option<AnyValue>,
}

impl TaskState {
    fn new(name: String, progress: Progress) -> Self {
        let result = progress.result.map(|result| of_entrypoint("result", &name, result));
        let interrupts = OpenInterrupt::all(progress.interrupts);
        let error = progress.failure.filter(|failure| failure.kind != kind::SERIALIZATION);
        Self { name, error, interrupts, result }
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
    /// What the entrypoint has come to that starts here, if one does.
    pub(crate) progress: Option<Progress>,
}

impl From<Shown> for StateSnapshot {
    fn from(shown: Shown) -> Self {
        let Shown { entrypoint, progress, .. } = shown;
        let values = of_entrypoint("value", &entrypoint, shown.values);
        let error = progress.as_ref().and_then(|progress| progress.failure.clone());
        let tasks = progress.map(|progress| TaskState::new(entrypoint, progress));
        Self {
            values,
            next: tasks.iter().map(|task| task.name.clone()).collect(),
            interrupts: tasks.iter().flat_map(|task| task.interrupts.clone()).collect(),
            tasks: tasks.into_iter().collect(),
            error,
            checkpoint: shown.checkpoint,
            parent: shown.parent,
            created_at: shown.created_at,
            source: shown.source,
            step: shown.step,
            run: shown.run,
            metadata: shown.metadata,
        }
    }
}

/// The newest checkpoint as it stands now.
pub(crate) fn live(header: ThreadHeader, head: Checkpoint) -> StateSnapshot {
    let progress = match header.status {
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
    shown(Checkpoint { entrypoint: header.entrypoint, ..head }, progress).into()
}

/// The record of the step that started at a checkpoint.
pub(crate) fn recorded(mut checkpoint: Checkpoint) -> StateSnapshot {
    let progress = std::mem::take(&mut checkpoint.progress);
    let progress = checkpoint.input.is_some().then_some(progress);
    shown(checkpoint, progress).into()
}

/// A checkpoint at which the entrypoint has come to `progress`; none: nothing starts there.
pub(crate) fn shown(checkpoint: Checkpoint, progress: Option<Progress>) -> Shown {
    Shown {
        checkpoint: checkpoint.id,
        parent: checkpoint.parent,
        created_at: checkpoint.created_at,
        source: checkpoint.source,
        step: checkpoint.step,
        run: checkpoint.run,
        entrypoint: checkpoint.entrypoint,
        values: checkpoint.values,
        metadata: facts(checkpoint.metadata),
        progress,
    }
}

fn facts(metadata: BTreeMap<String, Payload>) -> BTreeMap<String, AnyValue> {
    let fact = |(key, value)| {
        let what = format!("metadata `{key}`");
        (key, AnyValue::new(value, what))
    };
    metadata.into_iter().map(fact).collect()
}

fn of_entrypoint(what: &str, entrypoint: &str, value: Payload) -> AnyValue {
    AnyValue::new(value, format!("{what} of entrypoint `{entrypoint}`"))
}
