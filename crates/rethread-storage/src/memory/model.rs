//! The port as a plain model: one method per operation, no I/O, no waiting, no clock.

use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::planted;

use super::archive::Archive;
use super::options::MemoryOptions;
use super::shelf::Shelf;
use crate::clock::millis;
use crate::live::{Begun, Letters, Limits, Live};
use crate::{
    Acquisition, CacheKey, Commit, Delivery, HandIn, InboxCursor, InboxItem, ItemName, Lease,
    LoadedThread, QueuedOrder, Receipt, Result,
};

/// A whole storage in memory.
///
/// Equal calls in equal order give equal answers: what is random (nonces) or changes by itself
/// (time) comes in as an argument. Each method means what the operation of the same name of
/// [`crate::Storage`] means; where that one waits, this one answers what is there.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) live: Live,
    pub(super) archive: Archive,
    pub(super) cache: Shelf<CacheKey>,
    pub(super) items: Shelf<ItemName>,
    event_retention_ms: u64,
}

impl Model {
    /// An empty storage of at least one partition, which keeps the events of ended runs for
    /// `event_retention`. Everything else is as by default.
    pub fn new(partitions: u16, event_retention: Duration) -> Self {
        Self::with_options(&MemoryOptions {
            partitions,
            event_retention,
            ..MemoryOptions::default()
        })
    }

    /// An empty storage; the clock of the options is not looked at.
    pub fn with_options(options: &MemoryOptions) -> Self {
        let limits = Limits::new(options.inbox_max, options.dead_letter_retention);
        Self {
            live: Live::new(options.partitions, limits),
            archive: Archive::default(),
            cache: Shelf::default(),
            items: Shelf::default(),
            event_retention_ms: millis(options.event_retention),
        }
    }

    /// Number of partitions.
    pub fn partitions(&self) -> u16 {
        self.live.partition_count()
    }

    /// See [`crate::Storage::acquire`]; `nonce` are 128 fresh random bits.
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn acquire(
        &mut self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
        nonce: u128,
        now: Millis,
    ) -> Result<Acquisition> {
        self.live.acquire(partition, node, ttl, nonce, now)
    }

    /// See [`crate::Storage::renew`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn renew(&mut self, leases: &[Lease], ttl: Duration, now: Millis) -> Result<Vec<Lease>> {
        self.live.renew(leases, ttl, now)
    }

    /// See [`crate::Storage::release`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn release(&mut self, lease: &Lease) -> Result<()> {
        self.live.release(lease)
    }

    /// See [`crate::Storage::announce_node`].
    pub fn announce_node(&mut self, node: &NodeId, ttl: Duration, now: Millis) -> Vec<NodeId> {
        self.live.nodes.announce(node, ttl, now)
    }

    /// See [`crate::Storage::withdraw_node`].
    pub fn withdraw_node(&mut self, node: &NodeId) {
        self.live.nodes.withdraw(node);
    }

    /// See [`crate::Storage::submit`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn submit(
        &mut self,
        partition: PartitionId,
        op: OpId,
        message: Bytes,
        now: Millis,
    ) -> Result<()> {
        if let Some(number) = self.live.accept(partition, op, now)?.number {
            self.live.deliver(partition, number, message);
        }
        Ok(())
    }

    /// See [`crate::Storage::read_inboxes`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
    ) -> Result<Vec<InboxItem>> {
        self.live.read_inboxes(after, max)
    }

    /// See [`crate::Storage::commit`].
    ///
    /// # Errors
    /// [`crate::StorageError::Fenced`], [`crate::StorageError::RolledBack`], and
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn commit(&mut self, commit: Commit, now: Millis) -> Result<()> {
        let partition = commit.lease.partition;
        if planted::is("publish-before-commit") {
            for write in &commit.threads {
                self.archive.publish(partition, write);
            }
        }
        let Begun::New(opened) = self.live.begin_commit(&commit, now)? else { return Ok(()) };
        let activities = commit
            .threads
            .iter()
            .filter_map(|write| Some((write.thread, write.activity_change()?)));
        let first_order = opened.first_order;
        self.live.finish_commit(partition, first_order, commit.orders, activities, now);
        let letters = &mut self.archive.letters;
        let ids = Letters::ids_of(commit.number).map(|id| (partition, id));
        letters.extend(ids.zip(commit.dead_letters));
        for id in opened.dropped_letters {
            letters.remove(&(partition, id));
        }
        for write in commit.threads {
            self.archive.apply(partition, write, now.plus(self.event_retention_ms));
        }
        self.archive.sweep(now);
        Ok(())
    }

    /// See [`crate::Storage::load_thread`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        self.live.partition(partition)?;
        Ok(self.archive.load(partition, thread))
    }

    /// See [`crate::Storage::active_threads`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.live.active_threads(partition)
    }

    /// See [`crate::Storage::read_checkpoint`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        self.live.partition(partition)?;
        Ok(self.archive.checkpoint(partition, thread, id))
    }

    /// See [`crate::Storage::list_checkpoints`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.live.partition(partition)?;
        Ok(self.archive.checkpoints(partition, thread, before, max))
    }

    /// See [`crate::Storage::read_events`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.live.partition(partition)?;
        Ok(self.archive.events(partition, run, after, max))
    }

    /// See [`crate::Storage::last_events`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.live.partition(partition)?;
        Ok(self.archive.last_events(partition, run, max))
    }

    /// See [`crate::Storage::fetch`].
    pub fn fetch(&mut self, worker: &WorkerId, queues: &[QueueName], max: usize) -> Vec<Delivery> {
        self.live.fetch(worker, queues, max)
    }

    /// See [`crate::Storage::hand_in`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn hand_in(&mut self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        self.live.hand_in(worker, parts).map(drop)
    }

    /// See [`crate::Storage::heartbeat`].
    pub fn heartbeat(&mut self, worker: &WorkerId, now: Millis) {
        self.live.heartbeat(worker, now);
    }

    /// See [`crate::Storage::reclaim`].
    pub fn reclaim(
        &mut self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
        now: Millis,
    ) -> Vec<Delivery> {
        self.live.reclaim(worker, queues, dead_after, max, now)
    }

    /// See [`crate::Storage::confirm`].
    pub fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Vec<bool> {
        self.live.confirm(worker, receipts)
    }

    /// See [`crate::Storage::retire`].
    pub fn retire(&mut self, worker: &WorkerId, queues: &[QueueName]) {
        self.live.retire(worker, queues);
    }

    /// See [`crate::Storage::queued_orders`].
    ///
    /// # Errors
    /// [`crate::StorageError::Config`] for a partition that does not exist.
    pub fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.live.queued_orders(partition)
    }
}
