use rethread_client::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Row;

/// A run that was asked for over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) run_id: Uuid,
    pub(crate) thread_id: Uuid,
    pub(crate) assistant_id: Uuid,
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
    /// Pending until its end is seen: what it is before that, the engine knows.
    pub(crate) status: RunStatus,
    /// The request as it was made.
    #[serde(default)]
    pub(crate) kwargs: Map<String, Value>,
    pub(crate) multitask_strategy: String,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

impl Row for RunRecord {}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunStatus {
    /// It waits for its turn.
    Pending,
    /// It is in progress.
    Running,
    /// It completed, or asks people.
    Success,
    /// It failed, was refused, or its code does not fit its journal.
    Error,
    /// It took too long.
    Timeout,
    /// It was cancelled.
    Interrupted,
}

impl RunStatus {
    /// Whether it has an end.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}
