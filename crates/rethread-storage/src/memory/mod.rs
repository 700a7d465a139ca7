//! The memory adapter: the port as a plain in-memory model, for tests and for trying things out.

mod archive;
mod mishaps;
mod model;
mod options;
mod oversight;
mod recall;
mod shelf;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;

#[cfg(feature = "disk")]
pub(crate) use archive::last_event;
pub use model::Model;
#[cfg(feature = "disk")]
pub(crate) use options::EVENT_RETENTION;
pub use options::MemoryOptions;

use crate::wake::{Awaited, Wakes, lock};
use crate::{
    Acquisition, CacheKey, CacheLookup, Clock, Commit, DeadLetter, DeadLetterId, Delivery,
    Durability, EventWatch, HandIn, HeaderRecord, InboxCursor, InboxItem, ItemName, ItemRecord,
    Lease, LoadedThread, Mailbox, OrderStatus, PartitionStatus, QueuedOrder, Receipt, Result,
    Storage, ThreadPage, WorkerStatus,
};

/// A storage that is gone with its last handle. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    model: Mutex<Model>,
    wakes: Wakes,
    clock: Clock,
    partitions: u16,
}

impl MemoryStorage {
    /// An empty storage with default options.
    pub fn new(partitions: u16) -> Self {
        Self::with_options(MemoryOptions { partitions, ..MemoryOptions::default() })
    }

    /// An empty storage.
    pub fn with_options(options: MemoryOptions) -> Self {
        let model = Model::with_options(&options);
        let clock = options.clock.unwrap_or_else(Clock::system);
        let partitions = model.partitions();
        let model = Mutex::new(model);
        Self { shared: Arc::new(Shared { model, wakes: Wakes::default(), clock, partitions }) }
    }

    /// Does something with the model itself, such as keeping a copy of it to come back to later.
    /// Nobody who waits is woken.
    pub fn with_model<T>(&self, work: impl FnOnce(&mut Model) -> T) -> T {
        self.with(work)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Model) -> T) -> T {
        work(&mut lock(&self.shared.model))
    }

    fn now(&self) -> Millis {
        self.shared.clock.now()
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn attach(&self) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }

    fn partitions(&self) -> u16 {
        self.shared.partitions
    }

    fn durability(&self) -> Durability {
        Durability::Volatile
    }

    async fn check_health(&self) -> Result<()> {
        Ok(())
    }

    async fn acquire(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition> {
        let now = self.now();
        self.with(|model| model.acquire(partition, node, ttl, fresh_nonce(), now))
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>> {
        let now = self.now();
        self.with(|model| model.renew(leases, ttl, now))
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.with(|model| model.release(lease))
    }

    async fn announce_node(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>> {
        let now = self.now();
        Ok(self.with(|model| model.announce_node(node, ttl, now)))
    }

    async fn withdraw_node(&self, node: &NodeId) -> Result<()> {
        self.with(|model| model.withdraw_node(node));
        Ok(())
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        let now = self.now();
        self.with(|model| model.submit(partition, op, message, now))?;
        self.shared.wakes.inboxes_changed();
        Ok(())
    }

    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        let attempt = || self.with(|model| model.read_inboxes(after, max));
        self.shared.wakes.wait_for_inboxes(wait, attempt).await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        let now = self.now();
        let partition = commit.lease.partition;
        let has_orders = !commit.orders.is_empty();
        let runs = commit.runs_with_events();
        self.with(|model| model.commit(commit, now))?;
        if has_orders {
            self.shared.wakes.queues_changed();
        }
        for (run, has_ended) in runs {
            self.shared.wakes.run_changed(partition, run, has_ended);
        }
        Ok(())
    }

    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        self.with(|model| model.load_thread(partition, thread))
    }

    async fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.with(|model| model.active_threads(partition))
    }

    async fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        self.with(|model| model.read_checkpoint(partition, thread, id))
    }

    async fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.with(|model| model.list_checkpoints(partition, thread, before, max))
    }

    async fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        self.with(|model| model.read_header(partition, thread))
    }

    async fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        self.with(|model| model.list_threads(partition, from, max))
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.with(|model| model.read_events(partition, run, after, max))
    }

    async fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.with(|model| model.last_events(partition, run, max))
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        Ok(self.shared.wakes.watch_run(partition, run, Awaited::Event))
    }

    async fn watch_end(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        Ok(self.shared.wakes.watch_run(partition, run, Awaited::End))
    }

    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        let attempt = || Ok(self.with(|model| model.fetch(worker, queues, max)));
        self.shared.wakes.wait_for_queues(wait, attempt).await
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        self.with(|model| model.hand_in(worker, parts))?;
        self.shared.wakes.inboxes_changed();
        Ok(())
    }

    async fn heartbeat(&self, worker: &WorkerId, _queues: &[QueueName]) -> Result<()> {
        let now = self.now();
        self.with(|model| model.heartbeat(worker, now));
        Ok(())
    }

    async fn reclaim(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>> {
        let now = self.now();
        Ok(self.with(|model| model.reclaim(worker, queues, dead_after, max, now)))
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        Ok(self.with(|model| model.confirm(worker, receipts)))
    }

    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        self.with(|model| model.retire(worker, queues));
        self.shared.wakes.queues_changed();
        Ok(())
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.with(|model| model.queued_orders(partition))
    }

    async fn describe_worker(&self, worker: &WorkerId, description: Bytes) -> Result<()> {
        let now = self.now();
        self.with(|model| model.describe_worker(worker, description, now));
        Ok(())
    }

    async fn list_workers(&self) -> Result<Vec<WorkerStatus>> {
        let now = self.now();
        Ok(self.with(|model| model.list_workers(now)))
    }

    async fn partition_status(&self, partition: PartitionId) -> Result<PartitionStatus> {
        let now = self.now();
        self.with(|model| model.partition_status(partition, now))
    }

    async fn list_orders(&self, partition: PartitionId, max: usize) -> Result<Vec<OrderStatus>> {
        let now = self.now();
        self.with(|model| model.list_orders(partition, max, now))
    }

    async fn list_dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>> {
        let now = self.now();
        self.with(|model| model.list_dead_letters(partition, after, max, now))
    }

    async fn remove_dead_letter(&self, partition: PartitionId, id: DeadLetterId) -> Result<bool> {
        let now = self.now();
        self.with(|model| model.remove_dead_letter(partition, id, now))
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        self.shared.wakes.tell_worker(worker, &mail);
        Ok(())
    }

    async fn open_mailbox(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<Mailbox> {
        Ok(self.shared.wakes.open_mailbox(worker, queues))
    }

    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()> {
        self.shared.wakes.tell_queue(queue, &mail);
        Ok(())
    }

    async fn look_up_cache(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        let now = self.now();
        self.with(|model| model.look_up_cache(key, holder, hold, now))
    }

    async fn fill_cache(&self, key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        let now = self.now();
        self.with(|model| model.fill_cache(key, value, ttl, now))
    }

    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()> {
        self.with(|model| model.abandon_cache(key, holder));
        Ok(())
    }

    async fn clear_cache(&self, group: Option<&str>) -> Result<()> {
        self.with(|model| model.clear_cache(group));
        Ok(())
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        let now = self.now();
        self.with(|model| model.put_item(name, record, now))
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        let now = self.now();
        Ok(self.with(|model| model.read_item(name, now)))
    }

    async fn delete_item(&self, name: &ItemName) -> Result<()> {
        self.with(|model| model.delete_item(name));
        Ok(())
    }

    async fn touch_item(&self, name: &ItemName, expires_at: Millis) -> Result<()> {
        let now = self.now();
        self.with(|model| model.touch_item(name, expires_at, now));
        Ok(())
    }

    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        let now = self.now();
        Ok(self.with(|model| model.scan_items(prefix, after, max, now)))
    }

    async fn item_namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>> {
        let now = self.now();
        Ok(self.with(|model| model.item_namespaces(prefix, now)))
    }
}

/// 128 bits that no other call in any process has got, from the seeds of std's hash maps.
pub(crate) fn fresh_nonce() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    (half() << 64) | half()
}
