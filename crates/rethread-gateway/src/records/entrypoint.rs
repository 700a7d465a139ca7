use rethread_client::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Row;

/// What coordinators say about an entrypoint of theirs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EntrypointRecord {
    pub(crate) name: String,
    /// JSON Schema of what it takes.
    #[serde(default)]
    pub(crate) input_schema: Option<Value>,
    /// JSON Schema of what it gives.
    #[serde(default)]
    pub(crate) output_schema: Option<Value>,
    /// When that was said last.
    #[serde(default)]
    pub(crate) published_at: Millis,
}

impl Row for EntrypointRecord {}
