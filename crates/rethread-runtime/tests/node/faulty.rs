//! A storage that fails now and then, and one whose worker stands still.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{Millis, NodeId, PartitionId, QueueName, ThreadKey, WorkerId};
use rethread_core::store::Namespace;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::testing::{Tamper, Tampered};
use rethread_storage::{
    Acquisition, CacheKey, CacheLookup, Commit, Delivery, HandIn, InboxCursor, InboxItem, ItemName,
    ItemRecord, Lease, LoadedThread, QueuedOrder, Receipt, Result, Storage, StorageError,
};

use crate::pause::Pause;
use crate::support::Driver;

/// Fails every so many operations; half of the failures come after the effect.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    inner: Arc<dyn Storage>,
    every: u32,
    /// Whether failures come without a rhythm.
    is_scattered: bool,
    operations: Arc<AtomicU32>,
    /// Commits that take effect and do not say so, before all others.
    silent_commits: Arc<AtomicU32>,
    pause: Option<Arc<Pause>>,
    /// Whether each letter to a worker is lost the first time that it is sent, and each to a
    /// queue.
    loses_mail: bool,
    lost_letters: Arc<Mutex<HashSet<Bytes>>>,
    gate: Gate,
    silent_nodes: Arc<AtomicBool>,
    stuck_leases: Arc<AtomicBool>,
    endless_releases: Arc<AtomicBool>,
}

/// Keeps one thread from being loaded while it is shut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Option<ThreadKey>>>);

impl Gate {
    pub(crate) fn shut(&self, thread: ThreadKey) {
        *self.0.lock().expect("not poisoned") = Some(thread);
    }

    pub(crate) fn open(&self) {
        *self.0.lock().expect("not poisoned") = None;
    }

    fn keeps_out(&self, thread: ThreadKey) -> bool {
        *self.0.lock().expect("not poisoned") == Some(thread)
    }
}

enum Fault {
    None,
    Before,
    After,
}

impl Faulty {
    pub(crate) fn driver(every: u32, silent_commits: u32) -> Driver {
        let silent_commits = Arc::new(AtomicU32::new(silent_commits));
        Self { every, silent_commits, ..Self::without_faults(2) }.into_driver()
    }

    /// Fails never; the first worker that gets an order stands still.
    pub(crate) fn paused(pause: &Arc<Pause>) -> Driver {
        Self { pause: Some(Arc::clone(pause)), ..Self::without_faults(2) }.into_driver()
    }

    /// Fails never; each letter is lost the first time that it is sent.
    pub(crate) fn losing_mail() -> Driver {
        Self { loses_mail: true, ..Self::without_faults(2) }.into_driver()
    }

    /// Fails only to load the thread that `gate` keeps out.
    pub(crate) fn gated(gate: &Gate) -> Driver {
        Self { gate: gate.clone(), ..Self::without_faults(2) }.into_driver()
    }

    /// Fails never, unless nodes are made silent or leases stuck.
    pub(crate) fn without_faults(partitions: u16) -> Self {
        Self {
            inner: Arc::new(MemoryStorage::new(partitions)),
            every: u32::MAX,
            is_scattered: false,
            operations: Arc::default(),
            silent_commits: Arc::default(),
            pause: None,
            loses_mail: false,
            lost_letters: Arc::default(),
            gate: Gate::default(),
            silent_nodes: Arc::default(),
            stuck_leases: Arc::default(),
            endless_releases: Arc::default(),
        }
    }

    /// One of so many operations fails, without a rhythm that others could fall into.
    pub(crate) fn failing(partitions: u16, every: u32) -> Self {
        Self { every, is_scattered: true, ..Self::without_faults(partitions) }
    }

    /// While it is set, no node can announce itself.
    pub(crate) fn silent_nodes(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.silent_nodes)
    }

    /// While it is set, no lease is acquired or renewed.
    pub(crate) fn stuck_leases(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stuck_leases)
    }

    /// While it is set, no release comes to its end.
    pub(crate) fn endless_releases(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.endless_releases)
    }

    pub(crate) fn into_driver(self) -> Driver {
        Driver { storage: Arc::new(Tampered::new(self)) }
    }

    fn next(&self) -> Fault {
        let mut number = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        if self.is_scattered {
            number = number.wrapping_mul(0x9e37_79b1) >> 8;
        }
        match number % self.every {
            0 if (number / self.every).is_multiple_of(2) => Fault::After,
            0 => Fault::Before,
            _ => Fault::None,
        }
    }

    async fn with<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        match self.next() {
            Fault::None => operation.await,
            Fault::Before => Err(StorageError::Unavailable { reason: "injected".into() }),
            Fault::After => {
                operation.await?;
                Err(StorageError::Unknown { reason: "injected".into() })
            }
        }
    }
}

fn fail_if(switch: &AtomicBool) -> Result<()> {
    if switch.load(Ordering::SeqCst) {
        return Err(StorageError::Unavailable { reason: "injected".into() });
    }
    Ok(())
}

#[async_trait]
impl Tamper for Faulty {
    fn behind(&self) -> &dyn Storage {
        &*self.inner
    }

    async fn acquire(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition> {
        fail_if(&self.stuck_leases)?;
        self.with(self.inner.acquire(partition, node, ttl)).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>> {
        fail_if(&self.stuck_leases)?;
        self.with(self.inner.renew(leases, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        if self.endless_releases.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        self.with(self.inner.release(lease)).await
    }

    async fn announce_node(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>> {
        fail_if(&self.silent_nodes)?;
        self.with(self.inner.announce_node(node, ttl)).await
    }

    async fn withdraw_node(&self, node: &NodeId) -> Result<()> {
        self.with(self.inner.withdraw_node(node)).await
    }

    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        self.with(self.inner.read_inboxes(after, max, wait)).await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        let take_one = |left: u32| left.checked_sub(1);
        if self.silent_commits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok() {
            self.inner.commit(commit).await?;
            return Err(StorageError::Unknown { reason: "injected".into() });
        }
        self.with(self.inner.commit(commit)).await
    }

    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        if self.gate.keeps_out(thread) {
            return Err(StorageError::Unavailable { reason: "injected".into() });
        }
        self.with(self.inner.load_thread(partition, thread)).await
    }

    async fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.with(self.inner.active_threads(partition)).await
    }

    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        // What a fetch takes and does not give is lost until its worker dies, so it fails before
        // or not at all.
        match self.next() {
            Fault::None | Fault::After => {
                let found = self.inner.fetch(worker, queues, max, wait).await?;
                if let Some(pause) = &self.pause {
                    pause.after_fetch(&*self.inner, &found).await;
                }
                Ok(found)
            }
            Fault::Before => Err(StorageError::Unavailable { reason: "injected".into() }),
        }
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        self.with(self.inner.hand_in(worker, parts)).await
    }

    async fn heartbeat(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        if let Some(pause) = &self.pause {
            pause.before_heartbeat().await;
        }
        self.inner.heartbeat(worker, queues).await
    }

    async fn reclaim(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>> {
        if self.pause.is_some() {
            return Ok(Vec::new());
        }
        self.inner.reclaim(worker, queues, dead_after, max).await
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        self.with(self.inner.confirm(worker, receipts)).await
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.with(self.inner.queued_orders(partition)).await
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        if !self.loses_mail {
            return self.inner.tell_worker(worker, mail).await;
        }
        let is_known = |letter: &Bytes| {
            let mut letters = self.lost_letters.lock().expect("not poisoned");
            !letters.insert(letter.clone())
        };
        let mail = mail.into_iter().filter(is_known).collect();
        self.inner.tell_worker(worker, mail).await
    }

    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()> {
        if self.loses_mail {
            return Ok(());
        }
        self.inner.tell_queue(queue, mail).await
    }

    async fn look_up_cache(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        self.with(self.inner.look_up_cache(key, holder, hold)).await
    }

    async fn fill_cache(&self, key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        self.with(self.inner.fill_cache(key, value, ttl)).await
    }

    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()> {
        self.with(self.inner.abandon_cache(key, holder)).await
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        self.with(self.inner.put_item(name, record)).await
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        self.with(self.inner.read_item(name)).await
    }

    async fn delete_item(&self, name: &ItemName) -> Result<()> {
        self.with(self.inner.delete_item(name)).await
    }

    async fn touch_item(&self, name: &ItemName, expires_at: Millis) -> Result<()> {
        self.with(self.inner.touch_item(name, expires_at)).await
    }

    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        self.with(self.inner.scan_items(prefix, after, max)).await
    }

    async fn item_namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>> {
        self.with(self.inner.item_namespaces(prefix)).await
    }
}
