//! What the server has acknowledged to this process.
//!
//! A server that was restarted from an older copy, or a replica that was promoted without all
//! writes, does not know what it lost. This process does: a partition whose last commit is older
//! than one that was acknowledged here was rolled back.

use std::sync::atomic::{AtomicU64, Ordering};

use rethread_core::ids::PartitionId;
use rethread_storage::{Result, StorageError};

/// The last acknowledged commit of each partition.
#[derive(Debug)]
pub(crate) struct History(Vec<AtomicU64>);

impl History {
    pub(crate) fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| AtomicU64::new(0)).collect())
    }

    /// This commit was acknowledged.
    pub(crate) fn note(&self, partition: PartitionId, number: u64) {
        if let Some(last) = self.0.get(usize::from(partition.0)) {
            last.fetch_max(number, Ordering::AcqRel);
        }
    }

    /// The server says that this is the last commit, or was when another owner took over. A rollback
    /// is told once: what was found counts from then on.
    pub(crate) fn check(&self, partition: PartitionId, found: u64) -> Result<()> {
        let Some(last) = self.0.get(usize::from(partition.0)) else { return Ok(()) };
        let expected = last.load(Ordering::Acquire);
        if found >= expected {
            return Ok(());
        }
        // Told by whoever changes it; another that looks at the same time has told it.
        let is_ours =
            last.compare_exchange(expected, found, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if is_ours { Err(StorageError::RolledBack { partition, expected, found }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_is_told_once() {
        let history = History::new(1);
        let partition = PartitionId(0);
        assert_eq!(history.check(partition, 0), Ok(()));
        history.note(partition, 7);
        assert_eq!(history.check(partition, 9), Ok(()));
        let told = Err(StorageError::RolledBack { partition, expected: 7, found: 3 });
        assert_eq!(history.check(partition, 3), told);
        assert_eq!(history.check(partition, 3), Ok(()));
    }
}
