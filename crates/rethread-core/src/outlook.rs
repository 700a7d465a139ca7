//! What a thread waits for, said by the machine that drives it.

use serde::{Deserialize, Serialize};

use crate::event::Interrupt;
use crate::header::ThreadStatus;
use crate::ids::{CallId, CallKind, Millis, QueueName, RunId};

/// Open calls that an [`Outlook`] shows; of others only their number.
pub const CALLS_SHOWN_MAX: usize = 100;

/// What a thread waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// What the thread is doing; none if it has never run.
    pub status: Option<ThreadStatus>,
    /// The run that is in progress or ended last.
    pub run: Option<RunId>,
    /// Name of its entrypoint.
    pub entrypoint: Option<String>,
    /// Where a replay is stuck; none if the run in progress has been replayed.
    pub stuck: Option<StuckReplay>,
    /// The first open calls of the run in progress, in the order they were made.
    pub calls: Vec<OpenCallOutlook>,
    /// How many calls are open.
    pub calls_open: usize,
    /// Questions that may be answered now.
    pub questions: Vec<Interrupt>,
    /// Whether a body waits for something that is marked as local: it lives in the process of the
    /// coordinator.
    pub awaits_local: bool,
    /// Runs that wait for the run in progress, in order.
    pub waiting: Vec<RunId>,
}

/// A replay that waits for a wake-up from outside of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckReplay {
    /// How many entries of the journal have been taken up.
    pub position: u64,
    /// How many there are.
    pub entries: u64,
}

/// A call that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCallOutlook {
    /// The call.
    pub call: CallId,
    /// What is called.
    pub kind: CallKind,
    /// Its name.
    pub name: String,
    /// The names of the bodies from the root to its caller, without the root.
    pub path: Vec<String>,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What an open call waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WaitsFor {
    /// An attempt that is queued or running.
    #[serde(rename = "w")]
    Worker {
        /// The queue.
        queue: QueueName,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// Fewer attempts of the run in flight.
    #[serde(rename = "p")]
    Place,
    /// The time of its next attempt, after one that failed or that no worker could run.
    #[serde(rename = "r")]
    Retry {
        /// The next attempt.
        attempt: u32,
        /// When it may start.
        at: Millis,
    },
    /// The time at which a timer is due.
    #[serde(rename = "t")]
    Time {
        /// When.
        at: Millis,
    },
    /// An answer from a person.
    #[serde(rename = "a")]
    Answer,
    /// What its own body does.
    #[serde(rename = "b")]
    Body,
    /// The store or the cache.
    #[serde(rename = "s")]
    Storage,
    /// The journal: a replay has not come to it.
    #[serde(rename = "j")]
    Replay,
    /// Its turn to be delivered.
    #[serde(rename = "d")]
    Delivery,
}
