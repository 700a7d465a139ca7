//! What the server has acknowledged to this process.
//!
//! A server that was restarted from an older copy, or a replica that was promoted without all
//! writes, does not know what it lost. This process does: a partition whose last commit is older
//! than one that was acknowledged here was rolled back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rethread_core::ids::{OwnerToken, PartitionId};
use rethread_storage::{Result, StorageError};

/// The last acknowledged commit of each partition.
#[derive(Debug)]
pub(crate) struct History(Vec<Mutex<Acknowledged>>);

/// A commit that the server has acknowledged, or the one behind which an owner here began.
#[derive(Debug, Clone, Copy, Default)]
struct Acknowledged {
    /// Of the owner that knows of it.
    epoch: u64,
    number: u64,
}

impl History {
    pub(crate) fn new(partitions: u16) -> Self {
        Self((0..partitions).map(|_| Mutex::default()).collect())
    }

    /// This commit of an owner was acknowledged.
    pub(crate) fn note(&self, partition: PartitionId, token: OwnerToken, number: u64) {
        if let Some(mut last) = self.last(partition) {
            last.epoch = last.epoch.max(token.epoch);
            last.number = last.number.max(number);
        }
    }

    /// The server says that this is the last commit. A rollback is told once: what was found
    /// counts from then on.
    pub(crate) fn check(&self, partition: PartitionId, found: u64) -> Result<()> {
        let Some(mut last) = self.last(partition) else { return Ok(()) };
        let expected = last.number;
        if found >= expected {
            return Ok(());
        }
        last.number = found;
        Err(StorageError::RolledBack { partition, expected, found })
    }

    /// The same of the commit behind which another owner began, who may have written beyond what
    /// was lost. It says nothing about commits that were acknowledged to that owner, in this
    /// process, or to a later one.
    pub(crate) fn check_beginning(
        &self,
        partition: PartitionId,
        holder: OwnerToken,
        began: u64,
    ) -> Result<()> {
        let is_of_before = |last: MutexGuard<'_, Acknowledged>| last.epoch < holder.epoch;
        match self.last(partition).is_some_and(is_of_before) {
            true => self.check(partition, began),
            false => Ok(()),
        }
    }

    fn last(&self, partition: PartitionId) -> Option<MutexGuard<'_, Acknowledged>> {
        let last = self.0.get(usize::from(partition.0))?;
        // Nothing panics while it holds the lock.
        Some(last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PartitionId = PartitionId(0);

    fn token(epoch: u64) -> OwnerToken {
        OwnerToken { epoch, nonce: 7 }
    }

    #[test]
    fn a_rollback_is_told_once() {
        let history = History::new(1);
        assert_eq!(history.check(P, 0), Ok(()));
        history.note(P, token(1), 7);
        assert_eq!(history.check(P, 9), Ok(()));
        let told = Err(StorageError::RolledBack { partition: P, expected: 7, found: 3 });
        assert_eq!(history.check(P, 3), told);
        assert_eq!(history.check(P, 3), Ok(()));
    }

    #[test]
    fn where_a_holder_began_tells_of_what_was_acknowledged_before() {
        let history = History::new(1);
        history.note(P, token(2), 7);
        assert_eq!(history.check_beginning(P, token(2), 3), Ok(()), "it is the holder's own");
        assert_eq!(history.check_beginning(P, token(1), 3), Ok(()), "or a later one's");
        assert_eq!(history.check_beginning(P, token(3), 7), Ok(()));
        let told = Err(StorageError::RolledBack { partition: P, expected: 7, found: 3 });
        assert_eq!(history.check_beginning(P, token(3), 3), told);
        assert_eq!(history.check_beginning(P, token(3), 3), Ok(()));
    }
}
