//! What operators see of the model.

use bytes::Bytes;
use rethread_core::ids::{Millis, PartitionId, ThreadKey, WorkerId};

use super::model::Model;
use crate::{
    DeadLetter, DeadLetterId, HeaderRecord, OrderStatus, PartitionStatus, Result, ThreadPage,
    WorkerStatus,
};

/// For operators. Methods mean what the operations of the same names of [`crate::Storage`] mean.
impl Model {
    /// See [`crate::Storage::read_header`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        self.live.partition(partition)?;
        Ok(self.archive.header(partition, thread))
    }

    /// See [`crate::Storage::list_threads`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        self.live.partition(partition)?;
        Ok(self.archive.threads(partition, from, max))
    }

    /// See [`crate::Storage::describe_worker`].
    pub fn describe_worker(&mut self, worker: &WorkerId, description: Bytes, now: Millis) {
        self.live.roster.describe(worker, description, now);
    }

    /// See [`crate::Storage::list_workers`].
    pub fn list_workers(&self, now: Millis) -> Vec<WorkerStatus> {
        self.live.roster.list(now)
    }

    /// See [`crate::Storage::partition_status`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn partition_status(&self, partition: PartitionId, now: Millis) -> Result<PartitionStatus> {
        self.live.partition_status(partition, now)
    }

    /// See [`crate::Storage::list_orders`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn list_orders(
        &self,
        partition: PartitionId,
        max: usize,
        now: Millis,
    ) -> Result<Vec<OrderStatus>> {
        self.live.list_orders(partition, max, now)
    }

    /// See [`crate::Storage::list_dead_letters`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn list_dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
        now: Millis,
    ) -> Result<Vec<DeadLetter>> {
        let ids = self.live.dead_letters(partition, after, max, now)?;
        let found = ids.into_iter().filter_map(|id| {
            let record = self.archive.letters.get(&(partition, id))?.clone();
            Some(DeadLetter { id, record })
        });
        Ok(found.collect())
    }

    /// See [`crate::Storage::remove_dead_letter`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn remove_dead_letter(
        &mut self,
        partition: PartitionId,
        id: DeadLetterId,
        now: Millis,
    ) -> Result<bool> {
        let was_there = self.live.remove_dead_letter(partition, id, now)?;
        self.archive.letters.remove(&(partition, id));
        Ok(was_there)
    }
}
