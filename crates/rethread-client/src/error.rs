//! What can go wrong for a client, by what it does next.

use std::fmt;
use std::time::Duration;

use rethread_core::event::Refusal;
use rethread_core::failure::{Failure, kind};
use rethread_core::ids::{CheckpointId, IdError, RunId, ThreadId};
use rethread_core::payload::PayloadError;
use rethread_core::record::RecordError;
use rethread_core::replay::ReplayMismatch;
use rethread_storage::StorageError;

use crate::stream::Cursor;

/// The result of a client operation.
pub type Result<T, E = ClientError> = std::result::Result<T, E>;

/// Why a client did not get what it asked for.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The run ended with a failure. What it recorded is kept: a retry goes on from there.
    #[error("run failed with {}: {}; {}", .0.kind, .0.message, advice(.0))]
    RunFailed(Failure),
    /// The run is parked: the code no longer fits its journal.
    #[error(transparent)]
    ReplayMismatch(ReplayMismatch),
    /// The run was cancelled.
    #[error("run was cancelled; `retry()` on the thread goes on from what is recorded")]
    Cancelled,
    /// The request was refused and changed nothing.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The thread has no checkpoint of this id. Nothing was started or changed.
    #[error("thread `{thread}` has no checkpoint {checkpoint}; `history()` lists those it has")]
    CheckpointNotFound {
        /// The thread.
        thread: ThreadId,
        /// The checkpoint that was named.
        checkpoint: CheckpointId,
    },
    /// A limit of a request is zero, so that nothing could happen.
    #[error("{setting} of a run must be at least 1; leave it out for no limit")]
    ZeroLimit {
        /// The setting.
        setting: &'static str,
    },
    /// The run was an edit of the thread, which has no result.
    #[error("run {run} edited the thread and has no result; read the state of the thread")]
    Edited {
        /// The run.
        run: RunId,
    },
    /// The thread changed again and again while it was read.
    #[error("thread `{thread}` changes while it is read; try again when it rests")]
    Changing {
        /// The thread.
        thread: ThreadId,
    },
    /// A blocking call was made where a runtime is running.
    #[error(
        "a blocking client cannot be used inside an async runtime; use the client without \
         `blocking` there, or call from a thread of `std::thread::spawn`"
    )]
    InsideRuntime,
    /// The runtime of a blocking client could not be started.
    #[error("cannot start the runtime of a blocking client: {reason}")]
    Runtime {
        /// What the system said.
        reason: String,
    },
    /// The store refused the request, or could not do what was asked for.
    #[error("{}: {}", .0.kind, .0.message)]
    Store(Failure),
    /// What was given up cannot be tried again.
    #[error("cannot be tried again: {reason}")]
    NotRetryable {
        /// Why not, and what can be done.
        reason: String,
    },
    /// A value of a request is larger than values may be. Nothing was sent.
    #[error(
        "{what} has {bytes} bytes, {max} are allowed (`payload_bytes_max`): store it elsewhere and \
         send where"
    )]
    PayloadTooLarge {
        /// Which value.
        what: String,
        /// How large it is, encoded.
        bytes: usize,
        /// How large it may be.
        max: usize,
    },
    /// Too much waits to be worked on already. Nothing was started; try again a while later.
    #[error("{source}")]
    Overloaded {
        /// How long to wait at least before the request is sent again.
        retry_after: Duration,
        /// What the storage said.
        source: StorageError,
    },
    /// The storage could not be used. A request that ends so has started nothing.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The storage may have taken the request, or not, and no longer answers.
    #[error(
        "it is not known whether run {run} was accepted ({source}); send the request again with \
         `run_id({run})`, which has its effect once, when the storage can be reached"
    )]
    Unconfirmed {
        /// The run that was asked for.
        run: RunId,
        /// The last error of the storage.
        source: StorageError,
    },
    /// A value could not be encoded, or is not of the type that was asked for.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A text that cannot be an id.
    #[error(transparent)]
    InvalidId(#[from] IdError),
    /// The run had not ended in time; it goes on.
    #[error("run {run} has not ended within {} ms; it goes on: wait again", .waited.as_millis())]
    Timeout {
        /// The run.
        run: RunId,
        /// How long the client waited.
        waited: Duration,
    },
    /// Events of the run are no longer stored, and there is no place to go on from.
    #[error(
        "the events of run {run} behind number {after} are not stored: an event log is dropped as \
         a whole, some time after its run has ended (`event_retention_ms`); read the state of the \
         thread instead"
    )]
    EventsGone {
        /// The run.
        run: RunId,
        /// The number behind which events were wanted.
        after: u64,
    },
    /// The event log of the run no longer has the events that come next; later ones it has. Of
    /// the storages of this project none drops a part of a log.
    #[error(
        "the events of run {run} behind number {after} are no longer stored; those behind \
         {cursor} are: go on with `stream_from`, and read the state of the thread for what is \
         missing"
    )]
    Lagged {
        /// The run.
        run: RunId,
        /// The number behind which events were wanted.
        after: u64,
        /// From where a stream may go on.
        cursor: Cursor,
    },
    /// No storage has addresses of this scheme.
    #[error("cannot connect to {found}; supported are: {supported}")]
    UnsupportedUrl {
        /// The scheme, without the rest, which may hold a password.
        found: String,
        /// The schemes that this build supports, comma-separated.
        supported: String,
    },
    /// A newer engine wrote what this client does not know.
    #[error("{what} is of a kind that this client does not know; upgrade the client")]
    Unknown {
        /// What was read.
        what: &'static str,
    },
}

/// The text for people, since that is what a `main` shows that returns the error.
impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<rethread_sdk::Error> for ClientError {
    fn from(error: rethread_sdk::Error) -> Self {
        Self::Store(error.into_failure())
    }
}

/// What to do about a failed run: one that is tried again without a change may fail again.
fn advice(failure: &Failure) -> &'static str {
    let is_permanent = failure.retryable == Some(false)
        || matches!(
            &*failure.kind,
            kind::SERIALIZATION | kind::OUTSIDE_RUN | kind::INVALID_NAMESPACE | kind::NOT_PROVIDED
        );
    if is_permanent {
        "mend the reason, then `retry()` on the thread goes on from what is recorded"
    } else {
        "`retry()` on the thread goes on from what is recorded"
    }
}

/// How long to wait before a request is sent again that met too much work.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl ClientError {
    /// How long to wait at least before the same request is sent again, where that may help: there
    /// was too much to do already, and nothing was started.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } => Some(*retry_after),
            Self::Refused(Refusal::TooManyWaiting { .. }) => Some(RETRY_AFTER),
            _ => None,
        }
    }

    /// The error of a request that the storage did not take.
    pub(crate) fn not_submitted(error: StorageError) -> Self {
        match error {
            StorageError::Overloaded { .. } => {
                Self::Overloaded { retry_after: RETRY_AFTER, source: error }
            }
            error => error.into(),
        }
    }

    /// A stored record that cannot be read.
    pub(crate) fn corrupt(what: impl Into<String>, error: &RecordError) -> Self {
        Self::Storage(StorageError::Corrupt { what: what.into(), reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_cannot_pass_is_to_be_mended_first() {
        let text = |failure| ClientError::RunFailed(failure).to_string();
        let passing = text(Failure::new("Timeout", "no answer"));
        assert!(passing.starts_with("run failed with Timeout: no answer; `retry()`"), "{passing}");
        for failure in [
            Failure::new(kind::NOT_PROVIDED, "no `Llm` is provided"),
            Failure::new(kind::OUTSIDE_RUN, "no run"),
            Failure::new(kind::INVALID_NAMESPACE, "a namespace has labels"),
            Failure::new("Declined", "card was declined").final_(),
        ] {
            let permanent = text(failure);
            assert!(permanent.contains("; mend the reason, then `retry()`"), "{permanent}");
        }
    }
}
