use rethread_core::event::{Interrupt, RunOutcome};
use rethread_core::ids::{InterruptId, RunId};
use rethread_core::payload::Payload;

use crate::error::{ClientError, Result};
use crate::value::AnyValue;

/// How a run ended well: with a result, or with questions. Every other end is a
/// [`ClientError`].
#[must_use = "a run that is interrupted waits for answers"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The execution completed with this result.
    Done(T),
    /// The run waits for answers to these questions; [`crate::Thread::resume`] gives one.
    Interrupted(Vec<OpenInterrupt>),
}

impl<T> Outcome<T> {
    /// The result, if the execution completed.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(value) => Some(value),
            Self::Interrupted(_) => None,
        }
    }

    /// The open questions; none if the execution completed.
    pub fn interrupts(&self) -> &[OpenInterrupt] {
        match self {
            Self::Done(_) => &[],
            Self::Interrupted(asks) => asks,
        }
    }
}

/// A question that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInterrupt {
    /// Names the question; [`crate::Thread::resume_by_id`] answers by it.
    pub id: InterruptId,
    /// What is asked.
    pub value: AnyValue,
}

impl OpenInterrupt {
    pub(crate) fn all(interrupts: Vec<Interrupt>) -> Vec<Self> {
        interrupts
            .into_iter()
            .map(|Interrupt { id, value, .. }| {
                let what = format!("value of interrupt {id}");
                Self { id, value: AnyValue::new(value, what) }
            })
            .collect()
    }
}

/// Sorts the ends of a run into outcomes and errors.
pub(crate) fn conclude(run: RunId, outcome: RunOutcome) -> Result<Outcome<Payload>> {
    match outcome {
        RunOutcome::Done(value) => Ok(Outcome::Done(value)),
        RunOutcome::Interrupted(open) => Ok(Outcome::Interrupted(OpenInterrupt::all(open))),
        RunOutcome::Failed(failure) => Err(ClientError::RunFailed(failure)),
        RunOutcome::Parked(mismatch) => Err(ClientError::ReplayMismatch(mismatch)),
        RunOutcome::Cancelled => Err(ClientError::Cancelled),
        RunOutcome::Refused(refusal) => Err(ClientError::Refused(refusal)),
        RunOutcome::Edited(_) => Err(ClientError::Edited { run }),
        _ => Err(ClientError::Unknown { what: "the end of the run" }),
    }
}
