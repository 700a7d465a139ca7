//! The storage port: the operations that the engine needs of a storage, with one meaning on
//! every adapter.
//!
//! ```text
//!   clients ── submit ──►  inbox of a partition  ◄── hand_in ── workers
//!                              │                                  ▲
//!                         read_inboxes                          fetch
//!                              ▼                                  │
//!                     owner of the partition ── commit ──►  work queues
//!                                                  │
//!                                                  ├──►  threads: header, journal, checkpoints
//!                                                  └──►  event logs ──► readers
//! ```
//!
//! Threads are spread over a fixed number of partitions. At any time at most one node owns a
//! partition, by a lease; every write of the owner is one [`Commit`], checked against its
//! [`OwnerToken`](rethread_core::ids::OwnerToken) and applied whole or not at all. Values are opaque bytes here: the core says
//! what they mean.

mod clock;
mod error;
mod live;
mod mail;
pub mod names;
mod paging;
mod types;
mod wake;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "disk")]
pub mod disk;
pub mod memory;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;

pub use clock::Clock;
pub use error::{Result, StorageError};
pub use mail::Mailbox;
pub use types::{
    Acquisition, Activity, CacheKey, CacheLookup, CheckpointWrite, Commit, DeadLetter,
    DeadLetterId, Delivery, Durability, EventWatch, EventWrite, HandIn, HeaderRecord, InboxCursor,
    InboxItem, ItemName, ItemRecord, JournalWrite, Lease, LoadedThread, OrderGroup, OrderStatus,
    PartitionHolder, PartitionStatus, QueueStatus, QueuedOrder, Receipt, ThreadPage, ThreadWrite,
    WaitingChange, WorkerStatus,
};

/// A storage of one namespace.
///
/// # Errors
/// Every operation may fail with [`StorageError::Unavailable`] (nothing happened; try later) or
/// [`StorageError::Unknown`] (it may have happened; repeat it with the same op id, commit number
/// or receipt, which has its effect once). Reads report damaged data as
/// [`StorageError::Corrupt`]. A partition that the namespace does not have is
/// [`StorageError::Config`].
///
/// # Cancel safety
/// Dropping the future of a mutating operation leaves its outcome unknown, as a lost connection
/// does. Dropping a waiting read (`read_inboxes`, `fetch`) may leave fetched orders assigned to
/// the worker; they come back through [`Storage::reclaim`]. Callers therefore run waits in tasks
/// of their own and never race them.
#[async_trait]
pub trait Storage: Debug + Send + Sync + 'static {
    /// Another handle to the same storage, whose connections (if there are any) are its own and
    /// are driven by the calling runtime.
    async fn attach(&self) -> Result<Arc<dyn Storage>>;

    /// Number of partitions of the namespace, fixed when it was created.
    fn partitions(&self) -> u16;

    /// What an acknowledged write survives.
    fn durability(&self) -> Durability;

    /// Whether the storage can be reached and is still set up in a way that data is safe in it.
    /// Costs a round trip or two; made for a look every few seconds at most.
    ///
    /// # Errors
    /// `Unavailable` while it cannot be reached or takes no writes, [`StorageError::Config`] when
    /// its settings were changed to some that it would not have been opened with.
    async fn check_health(&self) -> Result<()>;

    // --- ownership -------------------------------------------------------------------------

    /// Takes the partition if it is free, its lease has expired, or `node` holds it already.
    ///
    /// Success starts a new epoch: every older token is refused from then on. An epoch is never
    /// handed out twice, also not after a restart of the storage.
    ///
    /// # Errors
    /// [`StorageError::RolledBack`] when the storage is behind a commit that it acknowledged to
    /// this process. It is told once: asked again, the partition is acquired as it is.
    async fn acquire(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition>;

    /// Extends leases by `ttl` from now and returns those that are no longer ours.
    ///
    /// Expiry only lets others take a partition: an expired lease that nobody has taken is still
    /// ours, may be renewed, and its token still commits.
    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>>;

    /// Frees the partition for others at once; the token is refused from then on. No effect if
    /// the lease is no longer ours.
    async fn release(&self, lease: &Lease) -> Result<()>;

    /// Says that the coordinator `node` lives for `ttl` from now, and returns all nodes that
    /// do, sorted. Partitions are shared among them.
    async fn announce_node(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>>;

    /// Signs a node off: it does not live any more.
    async fn withdraw_node(&self, node: &NodeId) -> Result<()>;

    // --- inbox -----------------------------------------------------------------------------

    /// Appends a message to the partition's inbox. When it returns, the message is as durable as
    /// [`Storage::durability`] says: it is *accepted*.
    ///
    /// The same op id in the same partition has its effect once, for at least ten minutes, also
    /// when its message is consumed by then.
    ///
    /// # Errors
    /// [`StorageError::Overloaded`] when as many messages as the adapter's `inbox_max` stand in
    /// the inbox: nothing happened. What workers hand in is never refused, since what was
    /// accepted must end.
    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()>;

    /// Reads messages that stand behind the given cursors, oldest first within a partition; at
    /// most about `max` of each partition. Waits up to `wait` when there are none, and returns
    /// an empty list when there are none by then.
    ///
    /// Cursors of a partition grow in the order in which messages become readable: no message
    /// ever appears behind a reader.
    ///
    /// A message stays in the inbox until a commit names its cursor in
    /// [`Commit::consumed`] or [`Commit::consumed_beyond`].
    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>>;

    // --- the owner's write -------------------------------------------------------------------

    /// Applies everything in `commit` in one atomic, durable step.
    ///
    /// # Errors
    /// [`StorageError::Fenced`] when the token is not the current one: nothing was written and
    /// the partition is lost. [`StorageError::RolledBack`] when the stored commit number is not
    /// the one before this one: the storage lost acknowledged writes. The same commit again
    /// (same token and number) succeeds without a second effect. The token is checked first.
    async fn commit(&self, commit: Commit) -> Result<()>;

    // --- threads -----------------------------------------------------------------------------

    /// Loads what an owner needs to go on with a thread, in one round trip; none if no header
    /// was ever written for it.
    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>>;

    /// The threads of the partition that are not parked, with the time at which each is due
    /// (zero: at once).
    async fn active_threads(
        &self,
        partition: PartitionId,
    ) -> Result<Vec<(ThreadKey, rethread_core::ids::Millis)>>;

    /// One checkpoint of a thread.
    async fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>>;

    /// Checkpoints of a thread, newest first, those before `before` if it is given.
    async fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>>;

    /// The header of a thread, without loading the thread.
    async fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>>;

    /// Threads of a partition for operators, about `max` of them from the place `from`
    /// ([`ThreadPage::next`] of the page before). A thread that is there all the time is listed
    /// at least once; one that comes or goes meanwhile may be.
    async fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage>;

    // --- events ------------------------------------------------------------------------------

    /// Events of a run with numbers greater than `after`, in order; at most `max`. Empty for a
    /// run that has none, or whose log was dropped after its retention time.
    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>>;

    /// The newest events of a run, in order; at most `max`. Empty as for
    /// [`Storage::read_events`].
    async fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>>;

    /// Watches for new events of a run. Made before a read, it wakes for everything that the
    /// read did not see; it may also wake for nothing.
    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch>;

    /// The same for the event that ends the run ([`EventWrite::ends`]) alone: whoever waits for the
    /// outcome of a run is not woken by what happens before.
    async fn watch_end(&self, partition: PartitionId, run: RunId) -> Result<EventWatch>;

    // --- work ----------------------------------------------------------------------------------

    /// Takes orders from queues for a worker, at most `max`; waits up to `wait` when there are
    /// none. An order stays assigned to the worker until it is handed in, reclaimed or put back
    /// by [`Storage::retire`]. Each queue gives its orders oldest first.
    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>>;

    /// Appends messages to the inboxes of partitions and takes the finished orders out of their
    /// queues; for one partition both happen in one atomic step.
    ///
    /// An order whose receipt is no longer assigned to the worker makes that part a no-op: its
    /// messages are dropped, since another worker has the order or has already finished it. A
    /// part without a receipt is always taken.
    ///
    /// What it survives is up to the adapter: messages may be kept in memory until a commit
    /// consumes them, if the order that they finish stays stored until that commit. A crash in
    /// between then runs the order again.
    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()>;

    /// Says that the worker lives. A worker whose last heartbeat is older than the reclaiming
    /// worker's limit counts as dead; so does one that never sent any, so workers send one
    /// before their first fetch.
    async fn heartbeat(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()>;

    /// Takes over orders of other workers on these queues that are dead for `dead_after`; at
    /// most `max`. Each counts as one more fetch.
    async fn reclaim(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>>;

    /// Says for each receipt, in the order given, whether its order is still assigned to the
    /// worker. After a heartbeat the answer yes stays true for as long as the worker counts as
    /// living: only orders of the dead are reclaimed.
    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>>;

    /// Signs a worker off and puts the orders that it still has back, for others to fetch at
    /// once. The fetches that are handed back so do not count: leaving in order says nothing
    /// against an order.
    ///
    /// The orders stand before all that are queued where an adapter can place them there (in
    /// process), else behind those that are queued by then (Redis): they wait as long as a new
    /// order would, and no longer.
    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()>;

    /// All orders of a partition that are queued or assigned. An owner that takes over reads
    /// them *before* the inbox: an order that is in neither was never made or is recorded.
    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>>;

    // --- what operators see ----------------------------------------------------------------------

    /// Keeps how a worker describes itself, until it retires or has been silent for an hour.
    async fn describe_worker(&self, worker: &WorkerId, description: Bytes) -> Result<()>;

    /// Workers that have sent a heartbeat within the last hour and have not retired.
    async fn list_workers(&self) -> Result<Vec<WorkerStatus>>;

    /// What is going on in a partition.
    async fn partition_status(&self, partition: PartitionId) -> Result<PartitionStatus>;

    /// Orders of a partition that are queued or assigned, oldest first within a queue; at most
    /// `max`.
    async fn list_orders(&self, partition: PartitionId, max: usize) -> Result<Vec<OrderStatus>>;

    /// Dead letters of a partition with greater ids than `after`, in order; at most `max`.
    async fn list_dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>>;

    /// Removes a dead letter, and says whether it was there.
    async fn remove_dead_letter(&self, partition: PartitionId, id: DeadLetterId) -> Result<bool>;

    // --- mail ----------------------------------------------------------------------------------

    /// Sends letters to the mailbox of a worker, in order. Nothing is stored: mail to a worker
    /// without an open mailbox is lost, which is no error, and so may be any other. Whoever
    /// depends on mail asks again.
    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()>;

    /// Opens the mailbox of a worker that serves these queues: what is sent to it or to them
    /// after the return is received, in order, as long as nothing is lost. A worker has one
    /// mailbox at a time; opening another may end the first.
    async fn open_mailbox(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<Mailbox>;

    /// Sends letters to every worker that has a mailbox open and serves the queue. As lossy as
    /// [`Storage::tell_worker`].
    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()>;

    // --- cache ---------------------------------------------------------------------------------

    /// Looks up a cached value, or takes over the duty to make it.
    ///
    /// [`CacheLookup::Vacant`] makes `holder` the one that fills the entry for `hold` from now:
    /// until it does, gives it up, or its time is over, others are told [`CacheLookup::Filling`].
    /// The holder extends its time by asking again, and is told `Vacant` again. Who fills what is
    /// forgotten when the storage is restarted.
    ///
    /// # Errors
    /// [`StorageError::TooLong`] for a key longer than [`names`] allow.
    async fn look_up_cache(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup>;

    /// Stores a value, for `ttl` or for ever, and ends the duty of whoever had it. The newest
    /// value stands. It survives a crash of the process where the storage does, and need not
    /// survive more.
    ///
    /// # Errors
    /// [`StorageError::TooLong`] for a key longer than [`names`] allow.
    async fn fill_cache(&self, key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> Result<()>;

    /// Gives up the duty to make a value; no effect if `holder` does not have it.
    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()>;

    /// Removes the entries of a group, or of all groups but [`names::PROGRESS_GROUP`], which holds
    /// no results. Entries that are being filled are filled.
    async fn clear_cache(&self, group: Option<&str>) -> Result<()>;

    // --- store ---------------------------------------------------------------------------------

    /// Puts a record under its name, replacing the one that is there. It is as durable as
    /// [`Storage::durability`] says. `expires_at` is a time of the storage's clock after which
    /// the record is gone; with default options that is the system's time.
    ///
    /// # Errors
    /// [`StorageError::TooLong`] for a name longer than [`names`] allow; no other operation finds
    /// anything under such a name.
    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()>;

    /// The record of this name.
    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>>;

    /// Removes the record of this name, if there is one.
    async fn delete_item(&self, name: &ItemName) -> Result<()>;

    /// Sets when a record expires, if it is there. Need not survive power loss.
    async fn touch_item(&self, name: &ItemName, expires_at: Millis) -> Result<()>;

    /// Records whose namespaces begin with `prefix`, in the order of namespace and key, behind
    /// `after`; at most `max`. An empty list is the end.
    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>>;

    /// The namespaces that hold records and begin with `prefix`, sorted.
    async fn item_namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>>;
}
