use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use rethread_core::failure::{Failure, kind};
use rethread_core::graph::NodeOutput;
use rethread_core::payload::Payload;
use rethread_core::replay::{Scope, SlotIndex};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A place in a scope that a body waits for, and the type of what will be there.
///
/// Dropping it gives the place up, and nothing else.
pub(crate) struct Awaited<T> {
    state: State,
    what: What,
    output: PhantomData<fn() -> T>,
}

enum State {
    Waiting { scope: Arc<Scope>, slot: SlotIndex },
    Refused(Error),
    Given,
}

/// What is waited for, for messages.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Task(Arc<str>),
    Entrypoint(Arc<str>),
    Sleep,
    Interrupt,
    Store,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(name) => write!(f, "task `{name}`"),
            Self::Entrypoint(name) => write!(f, "entrypoint `{name}`"),
            Self::Sleep => f.write_str("`sleep`"),
            Self::Interrupt => f.write_str("`interrupt`"),
            Self::Store => f.write_str("`store`"),
        }
    }
}

/// What comes of it, for errors; written out only if there is one.
struct Outcome<'a>(&'a What);

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.0 {
            What::Task(_) | What::Entrypoint(_) | What::Sleep => "result of",
            What::Interrupt => "answer to",
            What::Store => "reply of",
        };
        write!(f, "{word} {}", self.0)
    }
}

impl<T> Awaited<T> {
    /// Asks the current scope for a place. What cannot be asked is an error when awaited.
    pub(crate) fn ask(what: What, ask: impl FnOnce() -> Result<(Arc<Scope>, SlotIndex)>) -> Self {
        let state = match ask() {
            Ok((scope, slot)) => State::Waiting { scope, slot },
            Err(error) => State::Refused(error),
        };
        Self { state, what, output: PhantomData }
    }

    pub(crate) fn is_done(&self) -> bool {
        match &self.state {
            State::Waiting { scope, slot } => scope.is_delivered(*slot),
            State::Refused(_) | State::Given => true,
        }
    }

    /// Ends the call, unless its outcome is here already.
    pub(crate) fn cancel(&self) {
        if let State::Waiting { scope, slot } = &self.state {
            scope.cancel(*slot);
        }
    }
}

impl<T: DeserializeOwned> Awaited<T> {
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Result<T>> {
        match mem::replace(&mut self.state, State::Given) {
            State::Waiting { scope, slot } => match scope.poll_slot(slot, context) {
                Poll::Pending => {
                    self.state = State::Waiting { scope, slot };
                    Poll::Pending
                }
                Poll::Ready(outcome) => {
                    let decode = |payload: Payload| {
                        if let (What::Entrypoint(_), true) = (&self.what, is_left(&payload)) {
                            return Err(parent_command(payload));
                        }
                        Ok(payload.decode(Outcome(&self.what))?)
                    };
                    Poll::Ready(outcome.and_then(decode).map_err(|mut failure: Failure| {
                        // Whoever passes the error on passes on the failure of this call, or
                        // an answer that is of another type and must be given again.
                        failure.cause = scope.call_id(slot);
                        Error::from_failure(failure)
                    }))
                }
            },
            State::Refused(error) => Poll::Ready(Err(error)),
            State::Given => panic!("{} was polled after it gave its result", self.what),
        }
    }
}

/// Whether a graph was left by a command to the graph around it.
fn is_left(result: &Payload) -> bool {
    NodeOutput::of_parent_command(result).is_some()
}

/// Carries the command through the body of the caller to the node that it is, which takes it.
fn parent_command(result: Payload) -> Failure {
    let message = "the graph that was called gave a command to the graph around it";
    let mut failure = Failure::new(kind::PARENT_COMMAND, message).final_();
    failure.details = Some(result);
    failure
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        if let State::Waiting { scope, slot } = &self.state {
            scope.abandon(*slot);
        }
    }
}

impl<T> fmt::Debug for Awaited<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting { .. } if self.is_done() => "done",
            State::Waiting { .. } => "waiting",
            State::Refused(_) => "refused",
            State::Given => "given",
        };
        write!(f, "{} ({state})", self.what)
    }
}
