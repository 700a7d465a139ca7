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
//! from the tables on opening; journals, checkpoints and events are only in the tables.
//! Messages that workers hand in stay in memory until a commit consumes them, and the orders
//! that they finish stay stored until that same commit: a result is *recorded* by the commit,
//! and a crash before it runs the order again.

mod committer;
mod directory;
mod group;
mod keys;
mod options;
mod restore;
mod sweep;
mod tables;
mod values;

use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use tokio::sync::oneshot;

pub use options::{DiskOptions, Sync};

use crate::clock::millis;
use crate::live::{Counts, Live};
use crate::wake::{Wakes, lock};
use crate::{
    Acquisition, Clock, Commit, Delivery, Durability, EventWatch, HandIn, InboxCursor, InboxItem,
    Lease, LoadedThread, Mailbox, QueuedOrder, Receipt, Result, Storage, StorageError,
};
use committer::{Committer, Reply, Request};
use sweep::Sweeper;
use tables::Tables;

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

/// The committer thread, seen from outside.
#[derive(Debug)]
struct Writer {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread serves what is queued, sees that nobody can ask any more, and ends.
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer thread panicked");
        }
    }
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
        let (tables, partitions) =
            Tables::open(path.as_ref(), options.partitions, options.cache_bytes)?;
        let clock = options.clock.unwrap_or_else(|| Clock::starting_at(wall_time()));
        let live = restore::restore(&tables, partitions, clock.now())?;
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
            failure: None,
        };
        let (requests, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("rethread-commit".into())
            .spawn(move || committer.run(&received))
            .map_err(|error| StorageError::Unavailable {
                reason: format!("cannot start the committer thread: {error}"),
            })?;
        let writer = Writer { requests: Some(requests), thread: Some(thread) };
        let sync = options.sync;
        let inner = Inner { live, wakes, tables, clock, sync, partitions, writer };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Live) -> T) -> T {
        work(&mut lock(&self.inner.live))
    }

    /// Has the committer write something and waits for its answer.
    async fn ask<T>(&self, make: impl FnOnce(Reply<T>) -> Request) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.send(make(reply))?;
        answered(answer).await
    }

    fn send(&self, request: Request) -> Result<()> {
        let requests = self.inner.writer.requests.as_ref();
        match requests.map(|requests| requests.send(request)) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => {
                let reason = "the committer thread has ended; restart the process".into();
                Err(StorageError::Unavailable { reason })
            }
        }
    }

    /// Reads from the tables on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        partition: PartitionId,
        work: impl FnOnce(&Tables) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.with(|live| live.partition(partition).map(drop))?;
        let tables = Arc::clone(&self.inner.tables);
        tokio::task::spawn_blocking(move || work(&tables)).await.unwrap_or_else(|error| {
            Err(StorageError::Unavailable { reason: format!("a read was cut off: {error}") })
        })
    }

    /// Stores how often the orders were fetched, before anybody starts them: an order that
    /// kills its process is counted.
    async fn count_fetches(&self, deliveries: Vec<Delivery>) -> Result<Vec<Delivery>> {
        if !deliveries.is_empty() {
            let counts = deliveries
                .iter()
                .map(|delivery| {
                    let receipt = &delivery.receipt;
                    let Delivery { fetches, given, .. } = *delivery;
                    (receipt.partition, receipt.id.0, Counts { fetches, given })
                })
                .collect();
            self.ask(|reply| Request::Fetched { counts, reply }).await?;
        }
        Ok(deliveries)
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

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.read(partition, move |tables| tables.read_events(partition, run, after, max)).await
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        Ok(self.inner.wakes.watch_run(partition, run))
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
        self.count_fetches(deliveries).await
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
        self.count_fetches(taken).await
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        Ok(self.with(|live| live.confirm(worker, receipts)))
    }

    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        // Sent before anybody can fetch the orders, so that the counts of that are written later.
        let sent = self.with(|live| {
            let counts = live.retire(worker, queues);
            self.send(Request::Fetched { counts, reply })
        });
        self.inner.wakes.queues_changed();
        sent?;
        answered(answer).await
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.with(|live| live.queued_orders(partition))
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        self.inner.wakes.tell_worker(worker, mail);
        Ok(())
    }

    async fn open_mailbox(&self, worker: &WorkerId) -> Result<Mailbox> {
        Ok(self.inner.wakes.open_mailbox(worker))
    }
}

async fn answered<T>(answer: oneshot::Receiver<Result<T>>) -> Result<T> {
    answer.await.unwrap_or_else(|_| {
        let reason = "the committer thread ended during the write; restart the process".into();
        Err(StorageError::Unknown { reason })
    })
}

fn wall_time() -> Millis {
    // A clock before 1970 is as good as one at 1970.
    Millis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis))
}
