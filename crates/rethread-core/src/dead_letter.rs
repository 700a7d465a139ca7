//! What was given up, kept for operators.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{CallId, Millis, RunId, ThreadId};
use crate::record::{Record, kind};

/// Something that was given up. Nothing goes on from it by itself: the run that it was part of
/// failed, and a retry of the thread tries it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// When.
    pub at: Millis,
    /// Why, for people.
    pub reason: String,
    /// What.
    pub what: DeadItem,
}

impl Record for DeadLetter {
    const KIND: u8 = kind::DEAD_LETTER;
}

/// What was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DeadItem {
    /// A call of a task that workers took and none survived.
    #[serde(rename = "t")]
    Task {
        /// The thread.
        thread: ThreadId,
        /// The run.
        run: RunId,
        /// The call.
        call: CallId,
        /// Name of the task.
        name: String,
    },
    /// A message of an inbox that cannot be read, as it was found; at most the first 64 KiB.
    #[serde(rename = "m")]
    Message(Bytes),
    /// An order of a queue that cannot be read, as it was found; at most the first 64 KiB.
    #[serde(rename = "o")]
    Order(Bytes),
}
