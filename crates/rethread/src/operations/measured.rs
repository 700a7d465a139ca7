use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;
use rethread_storage::{
    Acquisition, CacheKey, CacheLookup, Commit, DeadLetter, DeadLetterId, Delivery, Durability,
    EventWatch, HandIn, HeaderRecord, InboxCursor, InboxItem, ItemName, ItemRecord, Lease,
    LoadedThread, Mailbox, OrderStatus, PartitionStatus, QueuedOrder, Receipt, Result, Storage,
    ThreadPage, WorkerStatus,
};

use super::meters::{Meters, Operation};

/// A storage whose operations are counted and timed.
#[derive(Debug)]
pub(crate) struct MeasuredStorage {
    storage: Arc<dyn Storage>,
    meters: Arc<Meters>,
}

impl MeasuredStorage {
    pub(crate) fn new(storage: Arc<dyn Storage>, meters: Arc<Meters>) -> Self {
        Self { storage, meters }
    }

    async fn measure<T>(
        &self,
        operation: Operation,
        asked: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        let answer = asked.await;
        self.meters.ended(operation, began.elapsed(), answer.as_ref().err());
        answer
    }
}

/// Passes operations on, each measured under its name.
macro_rules! measured {
    ($($operation:ident $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl Storage for MeasuredStorage {
            async fn attach(&self) -> Result<Arc<dyn Storage>> {
                let storage = self.storage.attach().await?;
                Ok(Arc::new(Self { storage, meters: Arc::clone(&self.meters) }))
            }

            fn partitions(&self) -> u16 {
                self.storage.partitions()
            }

            fn durability(&self) -> Durability {
                self.storage.durability()
            }

            async fn look_up_cache(
                &self,
                key: &CacheKey,
                holder: &str,
                hold: Duration,
            ) -> Result<CacheLookup> {
                let asked = self.storage.look_up_cache(key, holder, hold);
                let found = self.measure(Operation::LookUpCache, asked).await?;
                self.meters.looked_up(&found);
                Ok(found)
            }

            $(
                async fn $name(&self, $($argument: $type),*) -> Result<$answer> {
                    let asked = self.storage.$name($($argument),*);
                    self.measure(Operation::$operation, asked).await
                }
            )+
        }
    };
}

measured! {
    CheckHealth check_health() -> ();
    Acquire acquire(partition: PartitionId, node: &NodeId, ttl: Duration) -> Acquisition;
    Renew renew(leases: &[Lease], ttl: Duration) -> Vec<Lease>;
    Release release(lease: &Lease) -> ();
    AnnounceNode announce_node(node: &NodeId, ttl: Duration) -> Vec<NodeId>;
    WithdrawNode withdraw_node(node: &NodeId) -> ();
    Submit submit(partition: PartitionId, op: OpId, message: Bytes) -> ();
    ReadInboxes read_inboxes(
        after: &[(PartitionId, InboxCursor)], max: usize, wait: Duration
    ) -> Vec<InboxItem>;
    Commit commit(commit: Commit) -> ();
    LoadThread load_thread(partition: PartitionId, thread: ThreadKey) -> Option<LoadedThread>;
    ActiveThreads active_threads(partition: PartitionId) -> Vec<(ThreadKey, Millis)>;
    ReadCheckpoint read_checkpoint(
        partition: PartitionId, thread: ThreadKey, id: CheckpointId
    ) -> Option<Bytes>;
    ListCheckpoints list_checkpoints(
        partition: PartitionId, thread: ThreadKey, before: Option<CheckpointId>, max: usize
    ) -> Vec<Bytes>;
    ReadHeader read_header(partition: PartitionId, thread: ThreadKey) -> Option<HeaderRecord>;
    ListThreads list_threads(partition: PartitionId, from: Option<u64>, max: usize) -> ThreadPage;
    ReadEvents read_events(
        partition: PartitionId, run: RunId, after: u64, max: usize
    ) -> Vec<Bytes>;
    LastEvents last_events(partition: PartitionId, run: RunId, max: usize) -> Vec<Bytes>;
    WatchEvents watch_events(partition: PartitionId, run: RunId) -> EventWatch;
    WatchEnd watch_end(partition: PartitionId, run: RunId) -> EventWatch;
    Fetch fetch(
        worker: &WorkerId, queues: &[QueueName], max: usize, wait: Duration
    ) -> Vec<Delivery>;
    HandIn hand_in(worker: &WorkerId, parts: Vec<HandIn>) -> ();
    Heartbeat heartbeat(worker: &WorkerId, queues: &[QueueName]) -> ();
    Reclaim reclaim(
        worker: &WorkerId, queues: &[QueueName], dead_after: Duration, max: usize
    ) -> Vec<Delivery>;
    Confirm confirm(worker: &WorkerId, receipts: &[Receipt]) -> Vec<bool>;
    Retire retire(worker: &WorkerId, queues: &[QueueName]) -> ();
    QueuedOrders queued_orders(partition: PartitionId) -> Vec<QueuedOrder>;
    DescribeWorker describe_worker(worker: &WorkerId, description: Bytes) -> ();
    ListWorkers list_workers() -> Vec<WorkerStatus>;
    PartitionStatus partition_status(partition: PartitionId) -> PartitionStatus;
    ListOrders list_orders(partition: PartitionId, max: usize) -> Vec<OrderStatus>;
    ListDeadLetters list_dead_letters(
        partition: PartitionId, after: Option<DeadLetterId>, max: usize
    ) -> Vec<DeadLetter>;
    RemoveDeadLetter remove_dead_letter(partition: PartitionId, id: DeadLetterId) -> bool;
    TellWorker tell_worker(worker: &WorkerId, mail: Vec<Bytes>) -> ();
    OpenMailbox open_mailbox(worker: &WorkerId, queues: &[QueueName]) -> Mailbox;
    TellQueue tell_queue(queue: &QueueName, mail: Vec<Bytes>) -> ();
    FillCache fill_cache(key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> ();
    AbandonCache abandon_cache(key: &CacheKey, holder: &str) -> ();
    ClearCache clear_cache(group: Option<&str>) -> ();
    PutItem put_item(name: &ItemName, record: ItemRecord) -> ();
    ReadItem read_item(name: &ItemName) -> Option<ItemRecord>;
    DeleteItem delete_item(name: &ItemName) -> ();
    TouchItem touch_item(name: &ItemName, expires_at: Millis) -> ();
    ScanItems scan_items(
        prefix: &[String], after: Option<&ItemName>, max: usize
    ) -> Vec<(ItemName, ItemRecord)>;
    ItemNamespaces item_namespaces(prefix: &[String]) -> Vec<Namespace>;
}
