use rethread_client::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Row;

/// A version of an assistant: an entrypoint with the configuration of its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AssistantRecord {
    pub(crate) assistant_id: Uuid,
    pub(crate) graph_id: String,
    #[serde(default)]
    pub(crate) config: Map<String, Value>,
    #[serde(default)]
    pub(crate) context: Map<String, Value>,
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// From 1.
    pub(crate) version: u64,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

impl Row for AssistantRecord {}
