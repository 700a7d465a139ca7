//! A storage whose requests and reads fail as a test says.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_client::Event;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::record::Record;
use rethread_core::store::Namespace;
use rethread_storage::{
    Acquisition, CacheKey, CacheLookup, Commit, DeadLetter, DeadLetterId, Delivery, Durability,
    EventWatch, HandIn, HeaderRecord, InboxCursor, InboxItem, ItemName, ItemRecord, Lease,
    LoadedThread, Mailbox, OrderStatus, PartitionStatus, QueuedOrder, Receipt, Result, Storage,
    StorageError, ThreadPage, WorkerStatus,
};
use tokio::sync::watch;

/// What happens to one submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NotDone,
    AnswerLost,
    Full,
}

#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Storage>,
    submits: Mutex<VecDeque<Fault>>,
    failing_reads: AtomicUsize,
    /// Number of a hidden event, and for how many reads it is.
    hidden: Mutex<(u64, usize)>,
    is_mute: AtomicBool,
    is_broken: AtomicBool,
    mute: watch::Sender<u64>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            submits: Mutex::default(),
            failing_reads: AtomicUsize::new(0),
            hidden: Mutex::default(),
            is_mute: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            mute: watch::Sender::new(0),
        }
    }

    /// The next submissions meet these faults, those after them none.
    pub(crate) fn submits(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.submits.lock().expect("lock") = faults.into_iter().collect();
    }

    pub(crate) fn submits_left(&self) -> usize {
        self.submits.lock().expect("lock").len()
    }

    fn read_fault(&self) -> Result<()> {
        let failing = self.failing_reads.load(Ordering::SeqCst);
        if failing > 0 {
            self.failing_reads.store(failing - 1, Ordering::SeqCst);
            return Err(away());
        }
        Ok(())
    }

    /// The next reads of events and items fail.
    pub(crate) fn fail_reads(&self, count: usize) {
        self.failing_reads.store(count, Ordering::SeqCst);
    }

    /// An event is not seen by the next reads that would give it.
    pub(crate) fn hide(&self, seq: u64, reads: usize) {
        *self.hidden.lock().expect("lock") = (seq, reads);
    }

    /// Watches never wake.
    pub(crate) fn lose_wake_ups(&self) {
        self.is_mute.store(true, Ordering::SeqCst);
    }

    /// Watches have no source.
    pub(crate) fn break_watches(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }

    fn is_hidden(&self, record: &Bytes) -> bool {
        let event = Event::from_record(record).expect("an event");
        let mut hidden = self.hidden.lock().expect("lock");
        let hides = hidden.0 == event.seq && hidden.1 > 0;
        if hides {
            hidden.1 -= 1;
        }
        hides
    }
}

fn away() -> StorageError {
    StorageError::Unavailable { reason: "a test".into() }
}

#[async_trait]
impl Storage for Faulty {
    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        let fault = self.submits.lock().expect("lock").pop_front();
        match fault {
            None => self.inner.submit(partition, op, message).await,
            Some(Fault::NotDone) => Err(away()),
            Some(Fault::Full) => Err(StorageError::Full { reason: "a test".into() }),
            Some(Fault::AnswerLost) => {
                self.inner.submit(partition, op, message).await?;
                Err(StorageError::Unknown { reason: "a test".into() })
            }
        }
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.read_fault()?;
        let mut found = self.inner.read_events(partition, run, after, max).await?;
        found.retain(|record| !self.is_hidden(record));
        Ok(found)
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Ok(EventWatch::new(watch::channel(0).1, None));
        }
        if self.is_mute.load(Ordering::SeqCst) {
            return Ok(EventWatch::new(self.mute.subscribe(), None));
        }
        self.inner.watch_events(partition, run).await
    }

    // --- as the storage behind it --------------------------------------------------------------

    async fn check_health(&self) -> Result<()> {
        self.inner.check_health().await
    }

    async fn announce_node(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>> {
        self.inner.announce_node(node, ttl).await
    }

    async fn withdraw_node(&self, node: &NodeId) -> Result<()> {
        self.inner.withdraw_node(node).await
    }

    async fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        self.inner.read_header(partition, thread).await
    }

    async fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        self.inner.list_threads(partition, from, max).await
    }

    async fn describe_worker(&self, worker: &WorkerId, description: Bytes) -> Result<()> {
        self.inner.describe_worker(worker, description).await
    }

    async fn list_workers(&self) -> Result<Vec<WorkerStatus>> {
        self.inner.list_workers().await
    }

    async fn partition_status(&self, partition: PartitionId) -> Result<PartitionStatus> {
        self.inner.partition_status(partition).await
    }

    async fn list_orders(&self, partition: PartitionId, max: usize) -> Result<Vec<OrderStatus>> {
        self.inner.list_orders(partition, max).await
    }

    async fn list_dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>> {
        self.inner.list_dead_letters(partition, after, max).await
    }

    async fn remove_dead_letter(&self, partition: PartitionId, id: DeadLetterId) -> Result<bool> {
        self.inner.remove_dead_letter(partition, id).await
    }

    async fn attach(&self) -> Result<Arc<dyn Storage>> {
        self.inner.attach().await
    }

    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn durability(&self) -> Durability {
        self.inner.durability()
    }

    async fn acquire(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition> {
        self.inner.acquire(partition, node, ttl).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>> {
        self.inner.renew(leases, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.inner.release(lease).await
    }

    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        self.inner.read_inboxes(after, max, wait).await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        self.inner.commit(commit).await
    }

    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        self.inner.load_thread(partition, thread).await
    }

    async fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.inner.active_threads(partition).await
    }

    async fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        self.inner.read_checkpoint(partition, thread, id).await
    }

    async fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.inner.list_checkpoints(partition, thread, before, max).await
    }

    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        self.inner.fetch(worker, queues, max, wait).await
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        self.inner.hand_in(worker, parts).await
    }

    async fn heartbeat(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        self.inner.heartbeat(worker, queues).await
    }

    async fn reclaim(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>> {
        self.inner.reclaim(worker, queues, dead_after, max).await
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        self.inner.confirm(worker, receipts).await
    }

    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        self.inner.retire(worker, queues).await
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.inner.queued_orders(partition).await
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        self.inner.tell_worker(worker, mail).await
    }

    async fn open_mailbox(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<Mailbox> {
        self.inner.open_mailbox(worker, queues).await
    }

    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()> {
        self.inner.tell_queue(queue, mail).await
    }

    async fn look_up_cache(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        self.inner.look_up_cache(key, holder, hold).await
    }

    async fn fill_cache(&self, key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        self.inner.fill_cache(key, value, ttl).await
    }

    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()> {
        self.inner.abandon_cache(key, holder).await
    }

    async fn clear_cache(&self, group: Option<&str>) -> Result<()> {
        self.inner.clear_cache(group).await
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        self.inner.put_item(name, record).await
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        self.read_fault()?;
        self.inner.read_item(name).await
    }

    async fn delete_item(&self, name: &ItemName) -> Result<()> {
        self.inner.delete_item(name).await
    }

    async fn touch_item(&self, name: &ItemName, expires_at: Millis) -> Result<()> {
        self.inner.touch_item(name, expires_at).await
    }

    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        self.inner.scan_items(prefix, after, max).await
    }

    async fn item_namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>> {
        self.inner.item_namespaces(prefix).await
    }
}
