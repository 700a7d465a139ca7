use serde::{Deserialize, Serialize};

/// The code takes another path than its journal records.
///
/// Nothing was scheduled and nothing overwritten: the run is parked and goes on once the code
/// fits again. LangGraph silently runs calls again or gives a call another one's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "replay mismatch at journal entry {position}: recorded {expected}; the code now {found}; \
     deploy code that makes the recorded calls, then retry the run"
)]
pub struct ReplayMismatch {
    /// Index of the journal entry that did not fit.
    pub position: u64,
    /// What the journal has there.
    pub expected: String,
    /// What the code did.
    pub found: String,
}
