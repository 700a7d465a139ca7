//! What an engine asked of its storage, in the order in which it took effect.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{CheckpointId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId};
use rethread_storage::memory::MemoryStorage;
use rethread_storage::testing::Tamper;
use rethread_storage::{
    CacheKey, CacheLookup, Commit, Delivery, EventWatch, HandIn, HeaderRecord, InboxCursor,
    InboxItem, ItemName, ItemRecord, JournalWrite, LoadedThread, Receipt, Result, Storage,
    WaitingChange,
};

/// How long each operation takes, on the clock of the world: what comes meanwhile is done
/// together, as on a storage that takes time.
const TAKES: Duration = Duration::from_millis(1);

/// An operation of the port. Of waiting reads, only those that found something are noted: how
/// often nothing was found says how much time went by.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// What comes before is preparation.
    Begin,
    Submit {
        partition: PartitionId,
        op: OpId,
        message: Bytes,
    },
    ReadInboxes {
        after: Vec<(PartitionId, InboxCursor)>,
        max: usize,
        found: Vec<InboxItem>,
    },
    Commit(Box<Commit>),
    LoadThread {
        partition: PartitionId,
        thread: ThreadKey,
    },
    ReadCheckpoint {
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    },
    ReadHeader {
        partition: PartitionId,
        thread: ThreadKey,
    },
    ReadEvents {
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    },
    WatchEvents {
        partition: PartitionId,
        run: RunId,
    },
    LastEvents {
        partition: PartitionId,
        run: RunId,
        max: usize,
    },
    WatchEnd {
        partition: PartitionId,
        run: RunId,
    },
    Fetch {
        worker: WorkerId,
        queues: Vec<QueueName>,
        found: Vec<Delivery>,
    },
    HandIn {
        worker: WorkerId,
        parts: Vec<HandIn>,
    },
    Confirm {
        worker: WorkerId,
        receipts: Vec<Receipt>,
    },
    TellWorker {
        worker: WorkerId,
        mail: Vec<Bytes>,
    },
    TellQueue {
        queue: QueueName,
        mail: Vec<Bytes>,
    },
    LookUpCache {
        key: CacheKey,
        holder: String,
        hold: Duration,
    },
    FillCache {
        key: CacheKey,
        value: Bytes,
        ttl: Option<Duration>,
    },
    AbandonCache {
        key: CacheKey,
        holder: String,
    },
    PutItem {
        name: ItemName,
        record: ItemRecord,
    },
    ReadItem {
        name: ItemName,
    },
    DeleteItem {
        name: ItemName,
    },
    ScanItems {
        prefix: Vec<String>,
        after: Option<ItemName>,
        max: usize,
    },
}

impl Step {
    /// What it is called in the table.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Submit { .. } => "submit",
            Self::ReadInboxes { .. } => "read_inboxes",
            Self::Commit(_) => "commit",
            Self::LoadThread { .. } => "load_thread",
            Self::ReadCheckpoint { .. } => "read_checkpoint",
            Self::ReadHeader { .. } => "read_header",
            Self::ReadEvents { .. } => "read_events",
            Self::WatchEvents { .. } => "watch_events",
            Self::LastEvents { .. } => "last_events",
            Self::WatchEnd { .. } => "watch_end",
            Self::Fetch { .. } => "fetch",
            Self::HandIn { .. } => "hand_in",
            Self::Confirm { .. } => "confirm",
            Self::TellWorker { .. } => "tell_worker",
            Self::TellQueue { .. } => "tell_queue",
            Self::LookUpCache { .. } => "look_up_cache",
            Self::FillCache { .. } => "fill_cache",
            Self::AbandonCache { .. } => "abandon_cache",
            Self::PutItem { .. } => "put_item",
            Self::ReadItem { .. } => "read_item",
            Self::DeleteItem { .. } => "delete_item",
            Self::ScanItems { .. } => "scan_items",
        }
    }
}

impl fmt::Display for Step {
    /// Its name, and what it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::ReadInboxes { found, .. } => write!(f, ", {} messages", found.len()),
            Self::Fetch { found, .. } => write!(f, ", {} orders", found.len()),
            Self::Commit(commit) => {
                let (threads, orders) = (commit.threads.len(), commit.orders.len());
                write!(f, ", {threads} threads, {orders} orders")
            }
            Self::PutItem { name, .. } | Self::ReadItem { name } | Self::DeleteItem { name } => {
                write!(f, " {} {}", name.namespace.labels().join("/"), name.key)
            }
            Self::ScanItems { prefix, .. } => write!(f, " {}", prefix.join("/")),
            Self::LookUpCache { key, .. }
            | Self::FillCache { key, .. }
            | Self::AbandonCache { key, .. } => write!(f, " {}", key.group),
            _ => Ok(()),
        }
    }
}

/// Counts what stands on a tape behind its beginning: operations, and what they carry.
pub(crate) fn count(tape: &[Step]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::<String, u64>::new();
    let mut add = |name: &str, number: usize| {
        *counts.entry(name.to_owned()).or_default() += number as u64;
    };
    for step in tape.iter().skip_while(|step| !matches!(step, Step::Begin)).skip(1) {
        add(step.name(), 1);
        match step {
            Step::Submit { message, .. } => add("message_bytes", message.len()),
            Step::HandIn { parts, .. } => {
                let messages = parts.iter().flat_map(|part| &part.messages);
                messages.for_each(|message| add("message_bytes", message.len()));
            }
            Step::Commit(commit) => count_commit(commit, &mut add),
            Step::PutItem { record, .. } => add("item_bytes", record.record.len()),
            _ => {}
        }
    }
    counts
}

fn count_commit(commit: &Commit, add: &mut impl FnMut(&str, usize)) {
    let bytes = |records: &[Bytes]| records.iter().map(Bytes::len).sum();
    for order in &commit.orders {
        add("orders", 1);
        add("order_bytes", order.order.len());
    }
    for write in &commit.threads {
        if let Some(header) = &write.header {
            add("headers", 1);
            add("header_bytes", header.len());
        }
        if let JournalWrite::Append(entries) | JournalWrite::Replace(entries) = &write.journal {
            add("entries", entries.len());
            add("entry_bytes", bytes(entries));
        }
        for checkpoint in &write.checkpoints {
            add("checkpoints", 1);
            add("checkpoint_bytes", checkpoint.record.len());
        }
        for events in &write.events {
            add("events", events.records.len());
            add("event_bytes", bytes(&events.records));
        }
        for change in &write.waiting {
            if let WaitingChange::Append(command) = change {
                add("waiting_bytes", command.len());
            }
        }
    }
}

/// A storage in memory that takes some time, and notes what is asked of it.
#[derive(Debug)]
pub(crate) struct Recorder {
    behind: MemoryStorage,
    /// None: nothing is noted, so that noting costs no allocations.
    tape: Option<Mutex<Vec<Step>>>,
}

impl Recorder {
    pub(crate) fn new(behind: MemoryStorage, is_noting: bool) -> Self {
        Self { behind, tape: is_noting.then(Mutex::default) }
    }

    /// Notes that the preparation ends here.
    pub(crate) fn begin(&self) {
        self.note(|| Step::Begin);
    }

    /// What was noted so far.
    pub(crate) fn take(&self) -> Vec<Step> {
        self.tape().map(|mut tape| std::mem::take(&mut *tape)).unwrap_or_default()
    }

    fn note(&self, step: impl FnOnce() -> Step) {
        if let Some(mut tape) = self.tape() {
            tape.push(step());
        }
    }

    fn tape(&self) -> Option<MutexGuard<'_, Vec<Step>>> {
        let tape = self.tape.as_ref()?;
        Some(tape.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A write is there when it is done.
    async fn write<T>(
        &self,
        step: impl FnOnce() -> Step,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::time::sleep(TAKES).await;
        self.note(step);
        work.await
    }

    /// What is read is what was there when it was asked for.
    async fn read<T>(&self, step: Step, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.note(|| step);
        let found = work.await;
        tokio::time::sleep(TAKES).await;
        found
    }
}

#[async_trait]
impl Tamper for Recorder {
    fn behind(&self) -> &dyn Storage {
        &self.behind
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        let step = || Step::Submit { partition, op, message: message.clone() };
        self.write(step, self.behind.submit(partition, op, message.clone())).await
    }

    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        let found = self.behind.read_inboxes(after, max, wait).await?;
        if !found.is_empty() {
            self.note(|| Step::ReadInboxes { after: after.to_vec(), max, found: found.clone() });
            tokio::time::sleep(TAKES).await;
        }
        Ok(found)
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        tokio::time::sleep(TAKES).await;
        self.note(|| Step::Commit(Box::new(commit.clone())));
        self.behind.commit(commit).await
    }

    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        let step = Step::LoadThread { partition, thread };
        self.read(step, self.behind.load_thread(partition, thread)).await
    }

    async fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        let step = Step::ReadCheckpoint { partition, thread, id };
        self.read(step, self.behind.read_checkpoint(partition, thread, id)).await
    }

    async fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        let step = Step::ReadHeader { partition, thread };
        self.read(step, self.behind.read_header(partition, thread)).await
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let step = Step::ReadEvents { partition, run, after, max };
        self.read(step, self.behind.read_events(partition, run, after, max)).await
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        let step = Step::WatchEvents { partition, run };
        self.read(step, self.behind.watch_events(partition, run)).await
    }

    async fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let step = Step::LastEvents { partition, run, max };
        self.read(step, self.behind.last_events(partition, run, max)).await
    }

    async fn watch_end(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        let step = Step::WatchEnd { partition, run };
        self.read(step, self.behind.watch_end(partition, run)).await
    }

    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        let found = self.behind.fetch(worker, queues, max, wait).await?;
        if !found.is_empty() {
            self.note(|| {
                let (worker, queues) = (worker.clone(), queues.to_vec());
                Step::Fetch { worker, queues, found: found.clone() }
            });
            tokio::time::sleep(TAKES).await;
        }
        Ok(found)
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        let step = || Step::HandIn { worker: worker.clone(), parts: parts.clone() };
        self.write(step, self.behind.hand_in(worker, parts.clone())).await
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        let step = Step::Confirm { worker: worker.clone(), receipts: receipts.to_vec() };
        self.read(step, self.behind.confirm(worker, receipts)).await
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        let step = || Step::TellWorker { worker: worker.clone(), mail: mail.clone() };
        self.write(step, self.behind.tell_worker(worker, mail.clone())).await
    }

    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()> {
        let step = || Step::TellQueue { queue: queue.clone(), mail: mail.clone() };
        self.write(step, self.behind.tell_queue(queue, mail.clone())).await
    }

    async fn look_up_cache(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        let step = || Step::LookUpCache { key: key.clone(), holder: holder.to_owned(), hold };
        self.write(step, self.behind.look_up_cache(key, holder, hold)).await
    }

    async fn fill_cache(&self, key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        let step = || Step::FillCache { key: key.clone(), value: value.clone(), ttl };
        self.write(step, self.behind.fill_cache(key, value.clone(), ttl)).await
    }

    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()> {
        let step = || Step::AbandonCache { key: key.clone(), holder: holder.to_owned() };
        self.write(step, self.behind.abandon_cache(key, holder)).await
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        let step = || Step::PutItem { name: name.clone(), record: record.clone() };
        self.write(step, self.behind.put_item(name, record.clone())).await
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        self.read(Step::ReadItem { name: name.clone() }, self.behind.read_item(name)).await
    }

    async fn delete_item(&self, name: &ItemName) -> Result<()> {
        let step = || Step::DeleteItem { name: name.clone() };
        self.write(step, self.behind.delete_item(name)).await
    }

    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        let step = Step::ScanItems { prefix: prefix.to_vec(), after: after.cloned(), max };
        self.read(step, self.behind.scan_items(prefix, after, max)).await
    }
}
