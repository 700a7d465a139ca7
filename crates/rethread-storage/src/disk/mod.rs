//! The embedded adapter: one process, one directory, no server.
//!
//! ```text
//!  callers ── requests ──► committer thread ── one batch, one sync ──► tables (fjall)
//!     │                          │
//!     └── reads of the moment ── live state in memory          reads of threads, checkpoints
//!         (inboxes, queues, leases)                            and events go to the tables
//! ```
//!
//! Inboxes, queues, leases and the list of active threads are held in memory and brought back
//! from the tables on opening; journals, checkpoints, events, items of the store and the cache
//! are only in the tables, and who fills which cache entry is only in memory.
//! Messages that workers hand in stay in memory until a commit consumes them, and the orders
//! that they finish stay stored until that same commit: a result is *recorded* by the commit,
//! and a crash before it runs the order again.
//!
//! When the disk is nearly full, nothing new is taken while accepted work goes on to its end; what
//! is there can be read all the time. After a write that failed, the directory takes no more
//! writes until it is opened again: memory and disk may differ.

mod ages;
mod committer;
mod directory;
mod group;
mod keys;
mod manifests;
mod options;
mod oversight;
mod recall;
mod restore;
mod room;
mod sequence;
mod shelf;
mod sweep;
mod tables;
mod tail;
#[cfg(all(test, feature = "conformance"))]
mod tests;
mod unwritten;
mod values;
mod writer;
mod written;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;
use tokio::sync::oneshot;

pub use options::{DiskOptions, Sync};
pub use written::Written;

use crate::clock::millis;
use crate::live::{Counts, Limits, Live};
use crate::wake::{Awaited, Wakes, lock};
use crate::{
    Acquisition, CacheKey, CacheLookup, Clock, Commit, DeadLetter, DeadLetterId, Delivery,
    Durability, EventWatch, HandIn, HeaderRecord, InboxCursor, InboxItem, ItemName, ItemRecord,
    Lease, LoadedThread, Mailbox, OrderStatus, PartitionStatus, QueuedOrder, Receipt, Result,
    Storage, StorageError, ThreadPage, WorkerStatus,
};
use committer::{Committer, Reply, Request};
use room::{Probe, Room};
use sweep::Sweeper;
use tables::Tables;
use writer::Writer;

/// A durable storage in a directory of its own. Clones share it; the last one closes it.
#[derive(Debug, Clone)]
pub struct DiskStorage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    live: Arc<Mutex<Live>>,
    wakes: Arc<Wakes>,
    tables: Arc<Tables>,
    clock: Clock,
    sync: Sync,
    partitions: u16,
    writer: Writer,
}

impl DiskStorage {
    /// Opens the storage in a directory, which is created if it does not exist.
    ///
    /// It blocks while it reads: about a second after a crash under full load. The directory
    /// stays taken until the last handle is dropped, which blocks until all writes are done.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process (or another handle of this one) has it
    /// open; [`StorageError::Config`] when it cannot be used, holds something else, or data of
    /// another format; [`StorageError::Corrupt`] when its data cannot be read.
    pub fn open(path: impl AsRef<Path>, options: DiskOptions) -> Result<Self> {
        Self::open_with(path.as_ref(), options, Probe::system())
    }

    fn open_with(path: &Path, options: DiskOptions, probe: Probe) -> Result<Self> {
        let (tables, partitions) = Tables::open(path, options.partitions, options.cache_bytes)?;
        let clock = options.clock.unwrap_or_else(Clock::system);
        let limits = Limits::new(options.inbox_max, options.dead_letter_retention);
        let live = restore::restore(&tables, partitions, limits, clock.now())?;
        let live = Arc::new(Mutex::new(live));
        let (tables, wakes) = (Arc::new(tables), Arc::new(Wakes::default()));
        let committer = Committer {
            tables: Arc::clone(&tables),
            live: Arc::clone(&live),
            wakes: Arc::clone(&wakes),
            clock: clock.clone(),
            mode: options.sync.persist_mode(),
            event_retention_ms: millis(options.event_retention),
            sweeper: Sweeper::default(),
            room: Room { path: path.to_owned(), free_bytes_min: options.free_bytes_min, probe },
            failure: None,
        };
        let writer = Writer::start(committer)?;
        let sync = options.sync;
        let inner = Inner { live, wakes, tables, clock, sync, partitions, writer };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many bytes at the end of the journal could not be read when the directory was opened,
    /// and were cut off. After a crash they are those of a write that was not acknowledged;
    /// otherwise the disk has lost or damaged data.
    pub fn cut_off_bytes(&self) -> u64 {
        self.inner.tables.cut_off_bytes
    }

    /// How much was written since the directory was opened.
    pub fn written(&self) -> Written {
        *lock(&self.inner.tables.written)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Live) -> T) -> T {
        work(&mut lock(&self.inner.live))
    }

    /// Has the committer write something and waits for its answer.
    async fn ask<T>(&self, make: impl FnOnce(Reply<T>) -> Request) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.inner.writer.send(make(reply))?;
        writer::answered(answer).await
    }

    /// Reads what is kept of a partition.
    async fn read<T: Send + 'static>(
        &self,
        partition: PartitionId,
        work: impl FnOnce(&Tables) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.with(|live| live.partition(partition).map(drop))?;
        self.read_tables(work).await
    }

    /// Reads from the tables on a thread that may block.
    async fn read_tables<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tables) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tables = Arc::clone(&self.inner.tables);
        tokio::task::spawn_blocking(move || work(&tables)).await.unwrap_or_else(|error| {
            Err(StorageError::Unavailable { reason: format!("a read was cut off: {error}") })
        })
    }

    /// Stores how often the orders were fetched, before anybody starts them: an order that
    /// kills its process is counted. Where that fails, or nobody waits for it any more, they go
    /// back to their queues: nobody else would take them from a worker that lives.
    async fn count_fetches(
        &self,
        worker: &WorkerId,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Delivery>> {
        let mut taken = Taken { storage: self, worker, deliveries };
        if !taken.deliveries.is_empty() {
            let counts = taken
                .deliveries
                .iter()
                .map(|delivery| {
                    let receipt = &delivery.receipt;
                    let Delivery { fetches, given, .. } = *delivery;
                    (receipt.partition, receipt.id.0, Counts { fetches, given })
                })
                .collect();
            self.ask(|reply| Request::Fetched { counts, reply }).await?;
        }
        let mut deliveries = std::mem::take(&mut taken.deliveries);
        // Some may have been withdrawn meanwhile: nobody gets them any more.
        let is_left = |it: &Delivery| self.with(|live| live.is_assigned(worker, &it.receipt));
        deliveries.retain(is_left);
        Ok(deliveries)
    }
}

/// Orders that were assigned to a worker and have not reached it: dropped, they go back.
struct Taken<'a> {
    storage: &'a DiskStorage,
    worker: &'a WorkerId,
    deliveries: Vec<Delivery>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.deliveries.is_empty() {
            self.storage.with(|live| live.put_back(self.worker, &self.deliveries));
            self.storage.inner.wakes.queues_changed();
        }
    }
}

#[async_trait]
impl Storage for DiskStorage {
    async fn attach(&self) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }

    fn partitions(&self) -> u16 {
        self.inner.partitions
    }

    fn durability(&self) -> Durability {
        self.inner.sync.durability()
    }

    async fn check_health(&self) -> Result<()> {
        self.ask(|reply| Request::Check { reply }).await
    }

    async fn acquire(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition> {
        let node = node.clone();
        self.ask(|reply| Request::Acquire { partition, node, ttl, reply }).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>> {
        let now = self.inner.clock.now();
        self.with(|live| live.renew(leases, ttl, now))
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.with(|live| live.release(lease))
    }

    async fn announce_node(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>> {
        let now = self.inner.clock.now();
        Ok(self.with(|live| live.nodes.announce(node, ttl, now)))
    }

    async fn withdraw_node(&self, node: &NodeId) -> Result<()> {
        self.with(|live| live.nodes.withdraw(node));
        Ok(())
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        self.ask(|reply| Request::Submit { partition, op, message, reply }).await
    }

    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        let attempt = || self.with(|live| live.read_inboxes(after, max));
        self.inner.wakes.wait_for_inboxes(wait, attempt).await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        let commit = Box::new(commit);
        self.ask(|reply| Request::Commit { commit, reply }).await
    }

    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        self.read(partition, move |tables| tables.load_thread(partition, thread)).await
    }

    async fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.with(|live| live.active_threads(partition))
    }

    async fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        self.read(partition, move |tables| tables.read_checkpoint(partition, thread, id)).await
    }

    async fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let work = move |tables: &Tables| tables.list_checkpoints(partition, thread, before, max);
        self.read(partition, work).await
    }

    async fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        self.read(partition, move |tables| tables.read_header(partition, thread)).await
    }

    async fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        self.read(partition, move |tables| tables.list_threads(partition, from, max)).await
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.read(partition, move |tables| tables.read_events(partition, run, after, max)).await
    }

    async fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.read(partition, move |tables| tables.last_events(partition, run, max)).await
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        Ok(self.inner.wakes.watch_run(partition, run, Awaited::Event))
    }

    async fn watch_end(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        Ok(self.inner.wakes.watch_run(partition, run, Awaited::End))
    }

    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        let attempt = || Ok(self.with(|live| live.fetch(worker, queues, max)));
        let deliveries = self.inner.wakes.wait_for_queues(wait, attempt).await?;
        self.count_fetches(worker, deliveries).await
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        let silent = self.with(|live| live.hand_in(worker, parts))?;
        self.inner.wakes.inboxes_changed();
        if silent.is_empty() {
            return Ok(());
        }
        self.ask(|reply| Request::Forget { orders: silent, reply }).await
    }

    async fn heartbeat(&self, worker: &WorkerId, _queues: &[QueueName]) -> Result<()> {
        let now = self.inner.clock.now();
        self.with(|live| live.heartbeat(worker, now));
        Ok(())
    }

    async fn reclaim(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>> {
        let now = self.inner.clock.now();
        let taken = self.with(|live| live.reclaim(worker, queues, dead_after, max, now));
        self.count_fetches(worker, taken).await
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        Ok(self.with(|live| live.confirm(worker, receipts)))
    }

    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        // Sent before anybody can fetch the orders, so that the counts of that are written later.
        let sent = self.with(|live| {
            let counts = live.retire(worker, queues);
            self.inner.writer.send(Request::Fetched { counts, reply })
        });
        self.inner.wakes.queues_changed();
        sent?;
        writer::answered(answer).await
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.with(|live| live.queued_orders(partition))
    }

    async fn describe_worker(&self, worker: &WorkerId, description: Bytes) -> Result<()> {
        let now = self.inner.clock.now();
        self.with(|live| live.roster.describe(worker, description, now));
        Ok(())
    }

    async fn list_workers(&self) -> Result<Vec<WorkerStatus>> {
        let now = self.inner.clock.now();
        Ok(self.with(|live| live.roster.list(now)))
    }

    async fn partition_status(&self, partition: PartitionId) -> Result<PartitionStatus> {
        let now = self.inner.clock.now();
        self.with(|live| live.partition_status(partition, now))
    }

    async fn list_orders(&self, partition: PartitionId, max: usize) -> Result<Vec<OrderStatus>> {
        let now = self.inner.clock.now();
        self.with(|live| live.list_orders(partition, max, now))
    }

    async fn list_dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>> {
        self.dead_letters(partition, after, max).await
    }

    async fn remove_dead_letter(&self, partition: PartitionId, id: DeadLetterId) -> Result<bool> {
        self.remove_letter(partition, id).await
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        self.inner.wakes.tell_worker(worker, &mail);
        Ok(())
    }

    async fn open_mailbox(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<Mailbox> {
        Ok(self.inner.wakes.open_mailbox(worker, queues))
    }

    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()> {
        self.inner.wakes.tell_queue(queue, &mail);
        Ok(())
    }

    async fn look_up_cache(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        self.look_up(key, holder, hold).await
    }

    async fn fill_cache(&self, key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        self.fill(key, value, ttl).await
    }

    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()> {
        self.with(|live| live.duties.abandon(key, holder));
        Ok(())
    }

    async fn clear_cache(&self, group: Option<&str>) -> Result<()> {
        self.clear(group).await
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        self.put(name, record).await
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        self.item(name).await
    }

    async fn delete_item(&self, name: &ItemName) -> Result<()> {
        self.delete(name).await
    }

    async fn touch_item(&self, name: &ItemName, expires_at: Millis) -> Result<()> {
        self.touch(name, expires_at).await
    }

    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        self.scan(prefix, after, max).await
    }

    async fn item_namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>> {
        self.namespaces(prefix).await
    }
}
