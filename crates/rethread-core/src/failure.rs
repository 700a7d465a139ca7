//! How a body failed, in the form that is recorded and shown.

use serde::{Deserialize, Serialize};

use crate::ids::CallId;
use crate::payload::{Payload, PayloadError};

/// Kinds of failures that the engine itself produces.
pub mod kind {
    /// An error of the user without a kind of its own.
    pub const ERROR: &str = "Error";
    /// A body panicked.
    pub const PANIC: &str = "Panic";
    /// An attempt took longer than its timeout.
    pub const TIMEOUT: &str = "TaskTimeout";
    /// A value could not be encoded or decoded.
    pub const SERIALIZATION: &str = "NotSerializable";
    /// A task or context function was used where no body runs.
    pub const OUTSIDE_RUN: &str = "OutsideRun";
    /// The call was cancelled.
    pub const CANCELLED: &str = "Cancelled";
    /// The task was fetched repeatedly and no worker survived it.
    pub const POISONED: &str = "TaskPoisoned";
    /// The code no longer makes the calls its journal records.
    pub const REPLAY_MISMATCH: &str = "ReplayMismatch";
    /// A configured limit was reached.
    pub const LIMIT: &str = "LimitExceeded";
    /// The labels of a store's namespace are not allowed.
    pub const INVALID_NAMESPACE: &str = "InvalidNamespace";
    /// The store could not do what it was asked for.
    pub const STORE: &str = "StoreError";
    /// A body asked for something that the program does not provide.
    pub const NOT_PROVIDED: &str = "NotProvided";
    /// An HTTP request came back with a status that tells of an error.
    pub const HTTP_STATUS: &str = "HttpStatus";
    /// Updates of a graph's state that cannot be put together, or that are none.
    pub const INVALID_UPDATE: &str = "InvalidUpdate";
    /// A run of a graph made as many steps as it may, and something was left to do.
    pub const RECURSION_LIMIT: &str = "RecursionLimit";
    /// A node or a path of a graph goes where nothing is.
    pub const INVALID_DESTINATION: &str = "InvalidDestination";
    /// A message that is to be removed does not exist.
    pub const UNKNOWN_MESSAGE: &str = "UnknownMessage";
    /// A graph that was called was left by a command to the graph around it: the failure carries
    /// it to the node that made the call.
    pub const PARENT_COMMAND: &str = "ParentCommand";
    /// A command to the graph around one that is in none.
    pub const NO_PARENT_GRAPH: &str = "NoParentGraph";
    /// A graph is not well formed.
    pub const INVALID_GRAPH: &str = "InvalidGraph";
}

/// A failed attempt, call or run: a value that travels, not an error of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Names the class of the error; retry policies match on it. See [`kind`] for the engine's.
    pub kind: String,
    /// What happened, for people.
    pub message: String,
    /// Overrides what the retry policy thinks of `kind`: `Some(false)` is never retried.
    pub retryable: Option<bool>,
    /// The call whose failure this one passes on, if it came out of one.
    pub cause: Option<CallId>,
    /// A typed error of the user, encoded.
    pub details: Option<Payload>,
}

impl Failure {
    /// A failure of a kind, with a message and nothing else.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            retryable: None,
            cause: None,
            details: None,
        }
    }

    /// Marks it as final: no policy retries it.
    #[must_use]
    pub fn final_(mut self) -> Self {
        self.retryable = Some(false);
        self
    }
}

impl From<PayloadError> for Failure {
    fn from(error: PayloadError) -> Self {
        Self::new(kind::SERIALIZATION, error.to_string()).final_()
    }
}
