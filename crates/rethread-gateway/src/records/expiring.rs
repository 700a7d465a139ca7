use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Row;

/// A thread that is removed by itself one day; its record says when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExpiringThread {
    /// The name of its tenant; none for the standard one.
    #[serde(default)]
    pub(crate) tenant: Option<String>,
    pub(crate) thread_id: Uuid,
}

impl Row for ExpiringThread {}
