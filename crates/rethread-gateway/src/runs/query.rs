//! How runs are listed, read and stopped.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::json::Several;
use crate::page::{Limit, Offset};
use crate::records::RunStatus;
use crate::sse::StreamMode;

/// Which runs of a thread are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct RunsQuery {
    #[serde(default)]
    pub(super) limit: Limit,
    #[serde(default)]
    pub(super) offset: Offset,
    pub(super) status: Option<RunStatus>,
    /// The members that are shown, by default all.
    #[serde(default)]
    pub(super) select: Vec<String>,
}

/// How a run is waited for.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct JoinQuery {
    /// Whether the run is cancelled when its reader goes away.
    #[serde(default)]
    pub(super) cancel_on_disconnect: Flag,
}

/// How a run is watched.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct StreamQuery {
    /// Whether the run is cancelled when its reader goes away.
    #[serde(default)]
    pub(super) cancel_on_disconnect: Flag,
    /// The events that are sent, by default those that the run was made with.
    #[serde(default)]
    pub(super) stream_mode: Vec<StreamMode>,
}

/// How a run is cancelled.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct CancelQuery {
    /// Whether the answer comes when the run is over.
    #[serde(default)]
    pub(super) wait: Flag,
    #[serde(default)]
    pub(super) action: CancelAction,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum CancelAction {
    /// What the run saved stays.
    #[default]
    Interrupt,
    /// The run is taken back, as if it had never been.
    Rollback,
}

/// Which runs are cancelled: those of a thread that are named, or those of a status.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct RunsCancel {
    pub(super) thread_id: Option<Uuid>,
    pub(super) run_ids: Option<Several<Uuid>>,
    pub(super) status: Option<CancelStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum CancelStatus {
    Pending,
    Running,
    All,
}

/// What a bulk cancel does with the runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct BulkQuery {
    #[serde(default)]
    pub(super) action: CancelAction,
}

/// `0`, `1`, `true` or `false`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(inline)]
pub(super) struct Flag(
    #[schemars(with = "String", extend("enum" = ["0", "1", "true", "false"]))] pub(super) bool,
);

impl TryFrom<String> for Flag {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.to_ascii_lowercase().as_str() {
            "0" | "false" => Ok(Self(false)),
            "1" | "true" => Ok(Self(true)),
            _ => Err("must be 0, 1, true or false"),
        }
    }
}
