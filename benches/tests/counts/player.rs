//! Plays a tape on another storage, one operation after the other: each costs what it costs
//! alone, whatever the machine is busy with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{NodeId, PartitionId, QueueName, WorkerId};
use rethread_storage::{
    Acquisition, Commit, Delivery, EventWatch, HandIn, InboxCursor, InboxItem, Lease, Receipt,
    Storage,
};

use crate::Failure;
use crate::tape::Step;

/// What is played is over long before.
const LEASE: Duration = Duration::from_secs(3_600);
/// Everything that is waited for is there.
const WAIT: Duration = Duration::from_secs(60);
/// More orders than there are.
const FETCHED_MAX: usize = 100_000;

/// Plays tapes. What the storages name each in their own way is translated.
pub(crate) struct Player {
    storage: Arc<dyn Storage>,
    leases: BTreeMap<PartitionId, Lease>,
    cursors: HashMap<(PartitionId, InboxCursor), InboxCursor>,
    receipts: HashMap<Receipt, Receipt>,
    /// Orders that came together with those that were asked for.
    ahead: HashMap<Bytes, Receipt>,
    /// Watched to the end: when a subscription ends is a matter of chance.
    watches: Vec<EventWatch>,
}

impl Player {
    /// A player that owns all partitions of a fresh storage and works for its queues.
    pub(crate) async fn new(storage: Arc<dyn Storage>) -> Result<Self, Failure> {
        let (node, worker) = (NodeId::new("node")?, WorkerId::new("worker")?);
        let mut leases = BTreeMap::new();
        for partition in (0..storage.partitions()).map(PartitionId) {
            match storage.acquire(partition, &node, LEASE).await? {
                Acquisition::Acquired { lease, last_commit: 0 } => leases.insert(partition, lease),
                other => return Err(format!("the storage is not fresh: {other:?}").into()),
            };
        }
        storage.heartbeat(&worker, &[QueueName::standard()]).await?;
        let (cursors, receipts, ahead, watches) = Default::default();
        Ok(Self { storage, leases, cursors, receipts, ahead, watches })
    }

    /// Plays steps in order.
    pub(crate) async fn play(&mut self, steps: &[Step]) -> Result<(), Failure> {
        for step in steps {
            self.take(step).await.map_err(|error| format!("{}: {error}", step.name()))?;
        }
        Ok(())
    }

    async fn take(&mut self, step: &Step) -> Result<(), Failure> {
        let storage = Arc::clone(&self.storage);
        match step.clone() {
            Step::Begin => {}
            Step::Submit { partition, op, message } => {
                storage.submit(partition, op, message).await?;
            }
            Step::ReadInboxes { after, max, found } => {
                let after: Vec<_> = after
                    .into_iter()
                    .map(|(of, at)| Ok((of, self.cursor(of, at)?)))
                    .collect::<Result<_, Failure>>()?;
                let played = storage.read_inboxes(&after, max, WAIT).await?;
                self.note_items(found, played)?;
            }
            Step::Commit(commit) => storage.commit(self.translated(*commit)?).await?,
            Step::LoadThread { partition, thread } => {
                storage.load_thread(partition, thread).await?;
            }
            Step::ReadCheckpoint { partition, thread, id } => {
                storage.read_checkpoint(partition, thread, id).await?;
            }
            Step::ReadHeader { partition, thread } => {
                storage.read_header(partition, thread).await?;
            }
            Step::ReadEvents { partition, run, after, max } => {
                storage.read_events(partition, run, after, max).await?;
            }
            Step::WatchEvents { partition, run } => {
                self.watches.push(storage.watch_events(partition, run).await?);
            }
            Step::LastEvents { partition, run, max } => {
                storage.last_events(partition, run, max).await?;
            }
            Step::WatchEnd { partition, run } => {
                self.watches.push(storage.watch_end(partition, run).await?);
            }
            Step::Fetch { worker, queues, found } => {
                self.fetch(&worker, &queues, found).await?;
            }
            Step::HandIn { worker, parts } => {
                let parts = parts.into_iter().map(|part| {
                    let finished =
                        part.finished.map(|receipt| self.receipt(&receipt)).transpose()?;
                    Ok(HandIn { finished, ..part })
                });
                let parts = parts.collect::<Result<_, Failure>>()?;
                storage.hand_in(&worker, parts).await?;
            }
            Step::Confirm { worker, receipts } => {
                let receipts = receipts.iter().map(|receipt| self.receipt(receipt));
                let receipts: Vec<_> = receipts.collect::<Result<_, Failure>>()?;
                storage.confirm(&worker, &receipts).await?;
            }
            Step::TellWorker { worker, mail } => storage.tell_worker(&worker, mail).await?,
            Step::TellQueue { queue, mail } => storage.tell_queue(&queue, mail).await?,
            Step::LookUpCache { key, holder, hold } => {
                storage.look_up_cache(&key, &holder, hold).await?;
            }
            Step::FillCache { key, value, ttl } => storage.fill_cache(&key, value, ttl).await?,
            Step::AbandonCache { key, holder } => storage.abandon_cache(&key, &holder).await?,
            Step::PutItem { name, record } => storage.put_item(&name, record).await?,
            Step::ReadItem { name } => drop(storage.read_item(&name).await?),
            Step::DeleteItem { name } => storage.delete_item(&name).await?,
            Step::ScanItems { prefix, after, max } => {
                storage.scan_items(&prefix, after.as_ref(), max).await?;
            }
        }
        Ok(())
    }

    fn cursor(&self, of: PartitionId, at: InboxCursor) -> Result<InboxCursor, Failure> {
        if at == InboxCursor::START {
            return Ok(at);
        }
        let known = self.cursors.get(&(of, at)).copied();
        known.ok_or_else(|| format!("a message at {at:?} that nobody read").into())
    }

    fn receipt(&self, receipt: &Receipt) -> Result<Receipt, Failure> {
        let known = self.receipts.get(receipt).cloned();
        known.ok_or_else(|| format!("an order that nobody fetched: {receipt:?}").into())
    }

    fn translated(&self, commit: Commit) -> Result<Commit, Failure> {
        let of = commit.lease.partition;
        let lease = self.leases.get(&of).copied().ok_or("a partition that nobody owns")?;
        let consumed = commit.consumed.map(|at| self.cursor(of, at)).transpose()?;
        let beyond = commit.consumed_beyond.iter().map(|at| self.cursor(of, *at));
        let consumed_beyond = beyond.collect::<Result<_, Failure>>()?;
        Ok(Commit { lease, consumed, consumed_beyond, ..commit })
    }

    fn note_items(&mut self, noted: Vec<InboxItem>, played: Vec<InboxItem>) -> Result<(), Failure> {
        // In order within a partition, whatever the order of the partitions.
        let mut places: BTreeMap<PartitionId, std::vec::IntoIter<InboxItem>> = BTreeMap::new();
        for of in self.leases.keys() {
            let items: Vec<_> =
                played.iter().filter(|item| item.partition == *of).cloned().collect();
            places.insert(*of, items.into_iter());
        }
        for item in &noted {
            let same = places.get_mut(&item.partition).and_then(Iterator::next);
            let same = same.filter(|it| it.message == item.message);
            let same = same.ok_or("other messages were found than by the engine")?;
            self.cursors.insert((item.partition, item.cursor), same.cursor);
        }
        same_number(noted.len(), played.len(), "messages")
    }

    /// Fetches all there is until what the engine found is among it: adapters may give less at
    /// once, and in another order.
    async fn fetch(
        &mut self,
        worker: &WorkerId,
        queues: &[QueueName],
        noted: Vec<Delivery>,
    ) -> Result<(), Failure> {
        let mut missing: Vec<_> = noted.into_iter().rev().collect();
        while let Some(next) = missing.last() {
            if let Some(receipt) = self.ahead.remove(&next.order) {
                self.receipts.insert(next.receipt.clone(), receipt);
                missing.pop();
                continue;
            }
            let found = self.storage.fetch(worker, queues, FETCHED_MAX, WAIT).await?;
            if found.is_empty() {
                return Err("orders are missing that the engine found".into());
            }
            self.ahead.extend(found.into_iter().map(|it| (it.order, it.receipt)));
        }
        Ok(())
    }
}

fn same_number(noted: usize, played: usize, what: &str) -> Result<(), Failure> {
    match noted == played {
        true => Ok(()),
        false => Err(format!("{played} {what} were found, and {noted} by the engine").into()),
    }
}
