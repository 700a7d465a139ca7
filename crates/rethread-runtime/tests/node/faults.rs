//! A storage that fails now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_storage::memory::MemoryStorage;
use rethread_storage::{
    Acquisition, Commit, Delivery, Durability, EventWatch, HandIn, InboxCursor, InboxItem, Lease,
    LoadedThread, QueuedOrder, Result, Storage, StorageError,
};

use crate::runs::doubling;
use crate::support::{Counter, Driver, options, start};

/// Fails every so many operations; half of the failures come after the effect.
#[derive(Debug, Clone)]
struct Faulty {
    inner: Arc<dyn Storage>,
    every: u32,
    operations: Arc<AtomicU32>,
    /// Commits that take effect and do not say so, before all others.
    silent_commits: Arc<AtomicU32>,
}

enum Fault {
    None,
    Before,
    After,
}

impl Faulty {
    fn driver(every: u32, silent_commits: u32) -> Driver {
        let inner = Arc::new(MemoryStorage::new(2));
        let silent_commits = Arc::new(AtomicU32::new(silent_commits));
        let faulty = Self { inner, every, operations: Arc::default(), silent_commits };
        Driver { storage: Arc::new(faulty) }
    }

    fn next(&self) -> Fault {
        let number = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
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

#[async_trait]
impl Storage for Faulty {
    async fn attach(&self) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
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
        self.with(self.inner.acquire(partition, node, ttl)).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>> {
        self.with(self.inner.renew(leases, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.with(self.inner.release(lease)).await
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        self.inner.submit(partition, op, message).await
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
        self.with(self.inner.load_thread(partition, thread)).await
    }

    async fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.with(self.inner.active_threads(partition)).await
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

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.inner.read_events(partition, run, after, max).await
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        self.inner.watch_events(partition, run).await
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
            Fault::None | Fault::After => self.inner.fetch(worker, queues, max, wait).await,
            Fault::Before => Err(StorageError::Unavailable { reason: "injected".into() }),
        }
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        self.with(self.inner.hand_in(worker, parts)).await
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

    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        self.inner.retire(worker, queues).await
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.with(self.inner.queued_orders(partition)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_fail_are_repeated_and_nothing_runs_twice() {
    let driver = Faulty::driver(5, 0);
    let bodies = Counter::default();
    let node = start(options("a", &driver, doubling(&bodies))).await;
    let mut runs = Vec::new();
    for n in 0..10 {
        let thread = format!("thread-{n}");
        runs.push((driver.start(&thread, "chain", 5_u64).await, thread));
    }
    for (run, thread) in runs {
        assert_eq!(driver.done::<u64>(&thread, run).await, 20, "{thread}");
    }
    assert_eq!(bodies.get(), 50);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_loaded_again_when_a_commit_stays_unknown() {
    let driver = Faulty::driver(u32::MAX, 8);
    let bodies = Counter::default();
    let node = start(options("a", &driver, doubling(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "chain", 5_u64).await, 20);
    assert_eq!(bodies.get(), 5);
    assert_eq!(node.stats().unknown_outcomes, 1, "six in a row give up, two more are repeated");
    node.shutdown().await.expect("shuts down");
}
