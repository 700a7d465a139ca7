use std::ops::Deref;

use rethread_core::event::{Interrupt, RunOutcome};
use rethread_core::graph::GraphProgress;
use rethread_core::ids::{InterruptId, RunId};
use rethread_core::payload::Payload;

use crate::error::{ClientError, Result};
use crate::value::AnyValue;

/// How a run ended well: with a result, or with questions. Every other end is a
/// [`ClientError`].
#[must_use = "a run that is interrupted waits for answers"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The execution completed with this result; or a graph came to a breakpoint, and this is
    /// what its result would be if it ended there: [`crate::StateSnapshot::next`] tells.
    Done(T),
    /// The run waits for answers to these questions; [`crate::Thread::resume`] gives one.
    Interrupted(OpenInterrupts),
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

/// The questions that a run waits for, in the order in which they were asked, and what a graph has
/// come to so far. It can be read and iterated like a list of [`OpenInterrupt`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenInterrupts {
    open: Vec<OpenInterrupt>,
    result: Option<AnyValue>,
}

impl OpenInterrupts {
    /// The fields of a graph's result as they stand, with the updates of the nodes that have
    /// ended: what LangGraph's `invoke` gives beside the questions. None if the thread's
    /// entrypoint is no graph.
    pub fn result(&self) -> Option<&AnyValue> {
        self.result.as_ref()
    }

    /// The questions.
    pub fn into_vec(self) -> Vec<OpenInterrupt> {
        self.open
    }

    fn with_result(self, result: Option<AnyValue>) -> Self {
        Self { result, ..self }
    }
}

impl From<Vec<OpenInterrupt>> for OpenInterrupts {
    fn from(open: Vec<OpenInterrupt>) -> Self {
        Self { open, result: None }
    }
}

impl Deref for OpenInterrupts {
    type Target = [OpenInterrupt];

    fn deref(&self) -> &[OpenInterrupt] {
        &self.open
    }
}

impl IntoIterator for OpenInterrupts {
    type Item = OpenInterrupt;
    type IntoIter = std::vec::IntoIter<OpenInterrupt>;

    fn into_iter(self) -> Self::IntoIter {
        self.open.into_iter()
    }
}

impl<'a> IntoIterator for &'a OpenInterrupts {
    type Item = &'a OpenInterrupt;
    type IntoIter = std::slice::Iter<'a, OpenInterrupt>;

    fn into_iter(self) -> Self::IntoIter {
        self.open.iter()
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

/// Sorts the ends of a run into outcomes and errors. `stopped` is what a graph had come to.
pub(crate) fn conclude(
    run: RunId,
    outcome: RunOutcome,
    stopped: Option<GraphProgress>,
) -> Result<Outcome<Payload>> {
    match outcome {
        RunOutcome::Done(value) => Ok(Outcome::Done(value)),
        RunOutcome::Interrupted(open) => {
            let result = stopped.map(|stopped| AnyValue::new(stopped.view.result, "result so far"));
            let open = OpenInterrupts::from(OpenInterrupt::all(open));
            Ok(Outcome::Interrupted(open.with_result(result)))
        }
        RunOutcome::Failed(failure) => Err(ClientError::RunFailed(failure)),
        RunOutcome::Parked(mismatch) => Err(ClientError::ReplayMismatch(mismatch)),
        RunOutcome::Cancelled => Err(ClientError::Cancelled),
        RunOutcome::Refused(refusal) => Err(ClientError::Refused(refusal)),
        RunOutcome::Edited(_) => Err(ClientError::Edited { run }),
        _ => Err(ClientError::Unknown { what: "the end of the run" }),
    }
}
