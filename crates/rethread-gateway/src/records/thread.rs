use rethread_client::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Row;
use crate::times;

/// What the engine does not know of a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ThreadRecord {
    pub(crate) thread_id: Uuid,
    /// The user's, with `graph_id` and `assistant_id` of its last run.
    #[serde(default)]
    pub(crate) metadata: Map<String, Value>,
    #[serde(default)]
    pub(crate) ttl: Option<ThreadTtl>,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

impl Row for ThreadRecord {}

impl ThreadRecord {
    /// A thread that is made now.
    pub(crate) fn new(thread_id: Uuid, metadata: Map<String, Value>) -> Self {
        let now = times::now();
        Self { thread_id, metadata, ttl: None, created_at: now, updated_at: now }
    }

    /// Takes up members of metadata, key by key.
    pub(crate) fn merge(&mut self, metadata: Map<String, Value>) {
        self.metadata.extend(metadata);
        self.updated_at = times::now();
    }
}

/// When a thread is deleted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ThreadTtl {
    /// Minutes since it was last changed.
    pub(crate) ttl: f64,
}
