use std::collections::BTreeMap;

use rethread_core::checkpoint::{Checkpoint, Source};
use rethread_core::failure::{Failure, kind};
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{CheckpointId, Millis, RunId};

use crate::outcome::OpenInterrupt;
use crate::value::AnyValue;

/// A thread at one of its checkpoints, in the form that LangGraph's users know.
///
/// [`crate::Thread::state`] shows the newest checkpoint *live*: what is still to be done, asked
/// or wrong now. [`crate::Thread::state_at`] and [`crate::Thread::history`] show the *record* of
/// the step that started at a checkpoint: what it asked last, also if that is answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StateSnapshot {
    /// The value of the last execution that completed; null if there is none.
    pub values: AnyValue,
    /// The entrypoint, while it has still to finish; else empty.
    pub next: Vec<String>,
    /// The questions.
    pub interrupts: Vec<OpenInterrupt>,
    /// Why the last run failed or was parked.
    pub error: Option<Failure>,
    /// The result of the execution that started here; only in a record of it.
    pub result: Option<AnyValue>,
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

/// The newest checkpoint as it stands now.
pub(crate) fn live(header: ThreadHeader, head: Checkpoint) -> StateSnapshot {
    let is_unfinished = header.status != ThreadStatus::Idle;
    let (interrupts, error) = match header.status {
        ThreadStatus::Interrupted(open) => (OpenInterrupt::all(open), None),
        ThreadStatus::Failed(failure) => (Vec::new(), Some(failure)),
        ThreadStatus::Parked(mismatch) => {
            (Vec::new(), Some(Failure::new(kind::REPLAY_MISMATCH, mismatch.to_string())))
        }
        _ => (Vec::new(), None),
    };
    StateSnapshot {
        next: is_unfinished.then_some(header.entrypoint).into_iter().collect(),
        interrupts,
        error,
        result: None,
        ..recorded(head)
    }
}

/// The record of the step that started at a checkpoint.
pub(crate) fn recorded(checkpoint: Checkpoint) -> StateSnapshot {
    let Checkpoint { entrypoint, progress, .. } = checkpoint;
    let result_of = |what: &str| format!("{what} of entrypoint `{entrypoint}`");
    let metadata = checkpoint.metadata.into_iter().map(|(key, value)| {
        let what = format!("metadata `{key}`");
        (key, AnyValue::new(value, what))
    });
    StateSnapshot {
        values: AnyValue::new(checkpoint.values, result_of("value")),
        interrupts: OpenInterrupt::all(progress.interrupts),
        error: progress.failure,
        result: progress.result.map(|result| AnyValue::new(result, result_of("result"))),
        checkpoint: checkpoint.id,
        parent: checkpoint.parent,
        created_at: checkpoint.created_at,
        source: checkpoint.source,
        step: checkpoint.step,
        run: checkpoint.run,
        metadata: metadata.collect(),
        next: checkpoint.input.is_some().then_some(entrypoint).into_iter().collect(),
    }
}
