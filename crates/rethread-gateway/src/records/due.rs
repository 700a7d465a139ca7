use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Row;

/// Says when a run that was put off begins: the key does, so that the next ones are read first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DueRun {
    pub(crate) run_id: Uuid,
}

impl Row for DueRun {}
