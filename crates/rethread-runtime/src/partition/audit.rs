//! Looking whether the storage still has what it acknowledged.
//!
//! A commit finds out that the storage was put back to an earlier state. An owner that has nothing
//! to write would not: it would wait for messages that it has read already, on behalf of threads
//! that are further in its memory than in the storage.

use std::sync::Arc;

use crate::partition::{OwnerMessage, OwnerState};
use crate::stats::count;

impl OwnerState {
    /// Compares the last commit that is stored with the last one that was acknowledged.
    pub(super) fn audit(&self) {
        let (engine, owner) = (Arc::clone(&self.engine), self.myself.clone());
        let (partition, acknowledged) = (self.partition(), self.last_commit);
        tokio::spawn(async move {
            // What cannot be read now is read the next time.
            let Ok(status) = engine.storage.partition_status(partition).await else { return };
            let found = status.last_commit;
            if found < acknowledged {
                count(&engine.stats.rollbacks);
                tracing::error!(%partition, acknowledged, found, "storage rolled back");
                // An owner that is gone has noticed it, or has lost the partition.
                let _ = owner.cast(OwnerMessage::RolledBack);
            }
        });
    }
}
