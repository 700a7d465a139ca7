use rethread_client::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Row;

/// A run whose end nobody has seen. Whoever makes a run writes it before the request is sent, and
/// whoever sees the end removes it; until then the thread is busy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActiveRun {
    /// The name of its tenant; none for the standard one.
    #[serde(default)]
    pub(crate) tenant: Option<String>,
    pub(crate) thread_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) created_at: Millis,
}

impl Row for ActiveRun {}
