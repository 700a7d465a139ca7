//! The storage port of Rethread on Redis 7.0 or later, or Valkey.
//!
//! ```text
//!   RedisStorage ─┬─ lease, commit, inbox, threads, events, work, cache, store ─ scripts/*.lua
//!                 ├─ link    one connection for commands, one for each waiting read, and up to 16
//!                 │          for writes that wait for replicas
//!                 └─ watch   one subscriber connection for wake-ups of event readers and mail
//! ```
//!
//! Everything that changes data is one Lua script, which touches keys of one hash tag only (those
//! of a partition, of a group of the cache, or of the store) and is applied whole or not at all.
//! A thread is one key until it has many or large checkpoints; most threads only wait.
//! Only core commands are used: no modules, no `KEYS`, no `CONFIG`. What a key holds is written in
//! `keys.rs`, what a script promises in its header.
//!
//! With the append-only file on, acknowledged writes survive a crash of any process, the server
//! included; without it nothing is promised, and [`Storage::durability`] says so.

mod bell;
mod cache;
mod commit;
mod connect;
mod dead_letters;
mod error;
mod escape;
mod events;
mod history;
mod inbox;
mod keys;
mod lease;
mod link;
mod mail;
mod nodes;
mod options;
mod queue_names;
mod reply;
mod script;
mod server;
mod slots;
mod status;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;
mod watch;
mod withdrawal;
mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

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

pub use crate::options::RedisOptions;

use crate::bell::Bell;
use crate::history::History;
use crate::keys::Keys;
use crate::link::Link;
use crate::queue_names::QueueNames;
use crate::watch::Watches;
use crate::work::Workers;

/// A namespace on a Redis server.
///
/// All operations of one worker must go through one `RedisStorage` and what is attached to it:
/// it remembers what the worker was given.
#[derive(Debug)]
pub struct RedisStorage {
    shared: Arc<Shared>,
    link: Link,
    watches: Watches,
    // Where the next fetch begins, so that no partition is always the last.
    turn: AtomicUsize,
    inbox_bell: Bell,
    queue_bell: Bell,
}

#[derive(Debug)]
struct Shared {
    options: RedisOptions,
    keys: Keys,
    durability: Durability,
    workers: Workers,
    history: History,
    queue_names: QueueNames,
}

impl RedisStorage {
    /// Connects, checks the server, and opens the namespace or creates it.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached. `Config` when it is too old, may evict
    /// data, refuses the login, or when the namespace has another number of partitions.
    pub async fn connect(options: RedisOptions) -> Result<Self> {
        let link = Link::new(&options)?;
        let namespace = connect::open(&link, &options).await?;
        let keys = Keys::new(&options.namespace, namespace.partitions);
        let durability = namespace.durability;
        let workers = Workers::default();
        let history = History::new(namespace.partitions);
        let queue_names = QueueNames::default();
        let shared = Shared { options, keys, durability, workers, history, queue_names };
        Ok(Self::over(link, Arc::new(shared)))
    }

    fn over(link: Link, shared: Arc<Shared>) -> Self {
        Self {
            watches: Watches::new(link.clone(), shared.keys.heartbeats()),
            link,
            shared,
            turn: AtomicUsize::new(0),
            inbox_bell: Bell::default(),
            queue_bell: Bell::default(),
        }
    }

    fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    fn workers(&self) -> &Workers {
        &self.shared.workers
    }

    fn history(&self) -> &History {
        &self.shared.history
    }

    fn queue_names(&self) -> &QueueNames {
        &self.shared.queue_names
    }

    fn event_retention_ms(&self) -> u64 {
        lease::millis(self.shared.options.event_retention).max(1)
    }

    fn dead_letter_retention_ms(&self) -> u64 {
        lease::millis(self.shared.options.dead_letter_retention).max(1)
    }

    fn op_retention_ms(&self) -> u64 {
        lease::millis(self.shared.options.op_retention).max(1)
    }
}

#[async_trait]
impl Storage for RedisStorage {
    async fn attach(&self) -> Result<Arc<dyn Storage>> {
        let attached = Self::over(self.link.another(), Arc::clone(&self.shared));
        attached.link.read_everywhere(vec![redis::cmd("PING")]).await?;
        Ok(Arc::new(attached))
    }

    fn partitions(&self) -> u16 {
        self.keys().count()
    }

    fn durability(&self) -> Durability {
        self.shared.durability
    }

    async fn check_health(&self) -> Result<()> {
        connect::check_servers(&self.link).await.map(drop)
    }

    async fn acquire(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition> {
        self.take_lease(partition, node, ttl).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>> {
        self.extend_leases(leases, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.free_lease(lease).await
    }

    async fn announce_node(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>> {
        self.announce(node, ttl).await
    }

    async fn withdraw_node(&self, node: &NodeId) -> Result<()> {
        self.withdraw(node).await
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        self.append(partition, op, message).await
    }

    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        self.read_behind(after, max, wait).await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        self.apply(&commit).await
    }

    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        self.load(partition, thread).await
    }

    async fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.list_active(partition).await
    }

    async fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        self.get_checkpoint(partition, thread, id).await
    }

    async fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.newest_checkpoints(partition, thread, before, max).await
    }

    async fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        self.get_header(partition, thread).await
    }

    async fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        self.page_of_threads(partition, from, max).await
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.events_after(partition, run, after, max).await
    }

    async fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.newest_events(partition, run, max).await
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        self.watches.watch(self.keys().partition(partition)?.events(run)).await
    }

    async fn watch_end(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        self.watches.watch(self.keys().partition(partition)?.end(run)).await
    }

    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        self.take_orders(worker, queues, max, wait).await
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        self.settle(worker, &parts).await
    }

    async fn heartbeat(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        self.note_alive(worker, queues).await
    }

    async fn reclaim(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>> {
        self.take_over(worker, queues, dead_after, max).await
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        self.still_assigned(worker, receipts).await
    }

    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        self.sign_off(worker, queues).await
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.all_orders(partition).await
    }

    async fn describe_worker(&self, worker: &WorkerId, description: Bytes) -> Result<()> {
        self.keep_description(worker, &description).await
    }

    async fn list_workers(&self) -> Result<Vec<WorkerStatus>> {
        self.workers_heard().await
    }

    async fn partition_status(&self, partition: PartitionId) -> Result<PartitionStatus> {
        self.status_of(partition).await
    }

    async fn list_orders(&self, partition: PartitionId, max: usize) -> Result<Vec<OrderStatus>> {
        self.orders_of(partition, max).await
    }

    async fn list_dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>> {
        self.letters_after(partition, after, max).await
    }

    async fn remove_dead_letter(&self, partition: PartitionId, id: DeadLetterId) -> Result<bool> {
        self.delete_letter(partition, id).await
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        self.publish_mail(&self.keys().mail(worker), mail).await
    }

    async fn open_mailbox(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<Mailbox> {
        let of_queues = queues.iter().map(|queue| self.keys().queue_mail(queue));
        let channels = std::iter::once(self.keys().mail(worker)).chain(of_queues).collect();
        self.watches.open_mailbox(channels).await
    }

    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()> {
        self.publish_mail(&self.keys().queue_mail(queue), mail).await
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
        self.fill(key, &value, ttl).await
    }

    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()> {
        self.abandon(key, holder).await
    }

    async fn clear_cache(&self, group: Option<&str>) -> Result<()> {
        self.clear(group).await
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        self.put(name, &record).await
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        self.get(name).await
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
