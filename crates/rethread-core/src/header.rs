//! The head record of a thread: small, rewritten at the boundaries of runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checkpoint::ChildState;
use crate::event::Interrupt;
use crate::failure::Failure;
use crate::ids::{CheckpointId, ExecutionId, Millis, RunId, ThreadId};
use crate::record::{Record, kind};
use crate::replay::ReplayMismatch;

/// What is known of a thread without its journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadHeader {
    /// The full id; compared on load, since keys hold only its hash.
    pub thread: ThreadId,
    /// Name of the entrypoint that ran last.
    pub entrypoint: String,
    /// What the thread is doing.
    pub status: ThreadStatus,
    /// The run that is in progress or ended last.
    pub run: RunId,
    /// The execution in progress; none once it completed.
    pub execution: Option<ExecutionId>,
    /// The newest checkpoint.
    pub head: CheckpointId,
    /// Its step.
    pub step: i64,
    /// The checkpoint whose saved value is `previous`; none until an execution completed. While a
    /// run makes steps it stays the one from before the run.
    pub base: Option<CheckpointId>,
    /// Questions that are open while a run is in progress: they may be answered at once. When the
    /// run stops for them, its status holds them.
    pub asking: Vec<Interrupt>,
    /// What child entrypoints with a history of their own have saved last, on whatever branch: a
    /// new input goes on from it, wherever it starts. Written when a run ends.
    pub children: BTreeMap<String, ChildState>,
    /// How many checkpoints the thread has made.
    pub checkpoints_made: u64,
    /// When the header was last written.
    pub updated_at: Millis,
}

impl Record for ThreadHeader {
    const KIND: u8 = kind::HEADER;
}

/// What a thread is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ThreadStatus {
    /// The last execution completed.
    #[serde(rename = "d")]
    Idle,
    /// A run is in progress.
    #[serde(rename = "r")]
    Running,
    /// The last run waits for answers.
    #[serde(rename = "i")]
    Interrupted(Vec<Interrupt>),
    /// The last run failed.
    #[serde(rename = "f")]
    Failed(Failure),
    /// The code does not fit the journal; the run goes on once it does.
    #[serde(rename = "m")]
    Parked(ReplayMismatch),
    /// The last run was cancelled.
    #[serde(rename = "c")]
    Cancelled,
    /// An edit left an input that has not been run; a retry runs it.
    #[serde(rename = "p")]
    Pending,
}

impl ThreadStatus {
    /// One word for messages and listings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Interrupted(_) => "interrupted",
            Self::Failed(_) => "failed",
            Self::Parked(_) => "parked",
            Self::Cancelled => "cancelled",
            Self::Pending => "pending",
        }
    }
}
