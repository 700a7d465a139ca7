//! Storages that a test makes behave otherwise in some respect.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;

use crate::{
    Acquisition, CacheKey, CacheLookup, Commit, DeadLetter, DeadLetterId, Delivery, Durability,
    EventWatch, HandIn, HeaderRecord, InboxCursor, InboxItem, ItemName, ItemRecord, Lease,
    LoadedThread, Mailbox, OrderStatus, PartitionStatus, QueuedOrder, Receipt, Result, Storage,
    ThreadPage, WorkerStatus,
};

/// A storage that does what its [`Tamper`] says. A clone is another handle of it.
#[derive(Debug)]
pub struct Tampered<T>(Arc<T>);

impl<T: Tamper> Tampered<T> {
    /// A storage with this behaviour.
    pub fn new(tamper: T) -> Self {
        Self(Arc::new(tamper))
    }
}

impl<T> From<Arc<T>> for Tampered<T> {
    fn from(tamper: Arc<T>) -> Self {
        Self(tamper)
    }
}

impl<T> Clone for Tampered<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

macro_rules! operations {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        /// How a storage differs from the one behind it: an operation that is not written down
        /// is that of the storage behind.
        #[allow(missing_docs, reason = "each is described by the operation of the port")]
        #[async_trait]
        pub trait Tamper: Debug + Send + Sync + 'static {
            /// The storage behind.
            fn behind(&self) -> &dyn Storage;

            $(
                async fn $name(&self, $($argument: $type),*) -> Result<$answer> {
                    self.behind().$name($($argument),*).await
                }
            )+
        }

        #[async_trait]
        impl<T: Tamper> Storage for Tampered<T> {
            /// The same behaviour, over the same connections.
            async fn attach(&self) -> Result<Arc<dyn Storage>> {
                Ok(Arc::new(self.clone()))
            }

            fn partitions(&self) -> u16 {
                self.0.behind().partitions()
            }

            fn durability(&self) -> Durability {
                self.0.behind().durability()
            }

            $(
                async fn $name(&self, $($argument: $type),*) -> Result<$answer> {
                    self.0.$name($($argument),*).await
                }
            )+
        }
    };
}

operations! {
    check_health() -> ();
    acquire(partition: PartitionId, node: &NodeId, ttl: Duration) -> Acquisition;
    renew(leases: &[Lease], ttl: Duration) -> Vec<Lease>;
    release(lease: &Lease) -> ();
    announce_node(node: &NodeId, ttl: Duration) -> Vec<NodeId>;
    withdraw_node(node: &NodeId) -> ();
    submit(partition: PartitionId, op: OpId, message: Bytes) -> ();
    read_inboxes(
        after: &[(PartitionId, InboxCursor)], max: usize, wait: Duration
    ) -> Vec<InboxItem>;
    commit(commit: Commit) -> ();
    load_thread(partition: PartitionId, thread: ThreadKey) -> Option<LoadedThread>;
    active_threads(partition: PartitionId) -> Vec<(ThreadKey, Millis)>;
    read_checkpoint(
        partition: PartitionId, thread: ThreadKey, id: CheckpointId
    ) -> Option<Bytes>;
    list_checkpoints(
        partition: PartitionId, thread: ThreadKey, before: Option<CheckpointId>, max: usize
    ) -> Vec<Bytes>;
    read_header(partition: PartitionId, thread: ThreadKey) -> Option<HeaderRecord>;
    list_threads(partition: PartitionId, from: Option<u64>, max: usize) -> ThreadPage;
    read_events(
        partition: PartitionId, run: RunId, after: u64, max: usize
    ) -> Vec<Bytes>;
    last_events(partition: PartitionId, run: RunId, max: usize) -> Vec<Bytes>;
    watch_events(partition: PartitionId, run: RunId) -> EventWatch;
    watch_end(partition: PartitionId, run: RunId) -> EventWatch;
    fetch(
        worker: &WorkerId, queues: &[QueueName], max: usize, wait: Duration
    ) -> Vec<Delivery>;
    hand_in(worker: &WorkerId, parts: Vec<HandIn>) -> ();
    heartbeat(worker: &WorkerId, queues: &[QueueName]) -> ();
    reclaim(
        worker: &WorkerId, queues: &[QueueName], dead_after: Duration, max: usize
    ) -> Vec<Delivery>;
    confirm(worker: &WorkerId, receipts: &[Receipt]) -> Vec<bool>;
    retire(worker: &WorkerId, queues: &[QueueName]) -> ();
    queued_orders(partition: PartitionId) -> Vec<QueuedOrder>;
    describe_worker(worker: &WorkerId, description: Bytes) -> ();
    list_workers() -> Vec<WorkerStatus>;
    partition_status(partition: PartitionId) -> PartitionStatus;
    list_orders(partition: PartitionId, max: usize) -> Vec<OrderStatus>;
    list_dead_letters(
        partition: PartitionId, after: Option<DeadLetterId>, max: usize
    ) -> Vec<DeadLetter>;
    remove_dead_letter(partition: PartitionId, id: DeadLetterId) -> bool;
    tell_worker(worker: &WorkerId, mail: Vec<Bytes>) -> ();
    open_mailbox(worker: &WorkerId, queues: &[QueueName]) -> Mailbox;
    tell_queue(queue: &QueueName, mail: Vec<Bytes>) -> ();
    look_up_cache(key: &CacheKey, holder: &str, hold: Duration) -> CacheLookup;
    fill_cache(key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> ();
    abandon_cache(key: &CacheKey, holder: &str) -> ();
    clear_cache(group: Option<&str>) -> ();
    put_item(name: &ItemName, record: ItemRecord) -> ();
    read_item(name: &ItemName) -> Option<ItemRecord>;
    delete_item(name: &ItemName) -> ();
    touch_item(name: &ItemName, expires_at: Millis) -> ();
    scan_items(
        prefix: &[String], after: Option<&ItemName>, max: usize
    ) -> Vec<(ItemName, ItemRecord)>;
    item_namespaces(prefix: &[String]) -> Vec<Namespace>;
}
