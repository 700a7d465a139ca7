//! What the in-process adapters hold in memory: ownership, inboxes, work queues and the list of
//! active threads. Pure decisions: time comes in as an argument, nothing waits, nothing is
//! written.
//!
//! A write is decided in one step and becomes visible in a second one (`accept` and `deliver`,
//! `begin_commit` and `finish_commit`). The memory adapter takes both at once; the disk adapter
//! makes the write durable in between, so that nobody sees what a power cut could take back.

mod duties;
mod inbox;
mod lease;
mod letters;
mod limits;
mod nodes;
mod overview;
mod roster;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{Millis, NodeId, OpId, PartitionId, QueueName, ThreadKey, WorkerId};
use rethread_core::planted;

pub(crate) use duties::Duties;
pub(crate) use inbox::{Accepted, Inbox, Origin};
pub(crate) use lease::{Ownership, Step};
pub(crate) use letters::Letters;
pub(crate) use limits::{DEAD_LETTER_RETENTION, INBOX_MAX, Limits};
pub(crate) use nodes::Nodes;
pub(crate) use roster::Roster;
#[cfg(feature = "disk")]
pub(crate) use work::Counts;
pub(crate) use work::{Counted, OrderId, Work};

use crate::{
    Acquisition, Activity, Commit, DeadLetterId, Delivery, HandIn, InboxCursor, InboxItem, Lease,
    QueuedOrder, Receipt, Result, StorageError,
};

/// The state of all partitions and queues of one storage.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    partitions: Vec<Partition>,
    work: Work,
    limits: Limits,
    pub(crate) nodes: Nodes,
    pub(crate) roster: Roster,
    pub(crate) duties: Duties,
}

/// The state of one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partition {
    pub(crate) ownership: Ownership,
    pub(crate) inbox: Inbox,
    pub(crate) letters: Letters,
    pub(crate) active: BTreeMap<ThreadKey, Millis>,
}

/// The decision about a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is applied already.
    Repeated,
    /// It is to be applied.
    New(Opened),
}

/// A commit that is to be applied: what it does to the state in memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The messages that it consumes.
    pub(crate) consumed: Vec<Origin>,
    /// The orders that it withdraws, those with an unread report included.
    pub(crate) withdrawn: Vec<OrderId>,
    /// The id of its first order; the others follow it.
    pub(crate) first_order: OrderId,
    /// Older dead letters that have to go.
    pub(crate) dropped_letters: Vec<DeadLetterId>,
}

impl Live {
    pub(crate) fn new(partitions: u16, limits: Limits) -> Self {
        let partitions = (0..partitions.max(1)).map(|_| Partition::default()).collect();
        Self {
            partitions,
            work: Work::default(),
            limits,
            nodes: Nodes::default(),
            roster: Roster::default(),
            duties: Duties::default(),
        }
    }

    pub(crate) fn partition_count(&self) -> u16 {
        u16::try_from(self.partitions.len()).expect("invariant: made from a u16")
    }

    pub(crate) fn partition(&self, id: PartitionId) -> Result<&Partition> {
        let count = self.partitions.len();
        self.partitions.get(usize::from(id.0)).ok_or_else(|| no_partition(id, count))
    }

    pub(crate) fn partition_mut(&mut self, id: PartitionId) -> Result<&mut Partition> {
        let count = self.partitions.len();
        self.partitions.get_mut(usize::from(id.0)).ok_or_else(|| no_partition(id, count))
    }

    /// Queues an order that survived a restart.
    #[cfg(feature = "disk")]
    pub(crate) fn restore_order(
        &mut self,
        id: OrderId,
        partition: PartitionId,
        order: QueuedOrder,
        entered: Millis,
        counts: Counts,
    ) {
        self.work.put(id, partition, order, entered, counts);
    }

    pub(crate) fn acquire(
        &mut self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
        nonce: u128,
        now: Millis,
    ) -> Result<Acquisition> {
        let ownership = &mut self.partition_mut(partition)?.ownership;
        Ok(ownership.acquire(partition, node, ttl, nonce, now))
    }

    pub(crate) fn renew(
        &mut self,
        leases: &[Lease],
        ttl: Duration,
        now: Millis,
    ) -> Result<Vec<Lease>> {
        let mut lost = Vec::new();
        for lease in leases {
            if !self.partition_mut(lease.partition)?.ownership.renew(lease.token, ttl, now) {
                lost.push(*lease);
            }
        }
        Ok(lost)
    }

    pub(crate) fn release(&mut self, lease: &Lease) -> Result<()> {
        self.partition_mut(lease.partition)?.ownership.release(lease.token);
        Ok(())
    }

    pub(crate) fn accept(
        &mut self,
        partition: PartitionId,
        op: OpId,
        now: Millis,
    ) -> Result<Accepted> {
        let inbox_max = self.limits.inbox_max;
        let inbox = &mut self.partition_mut(partition)?.inbox;
        let waiting = inbox.len();
        // One that is in there already, or was, needs no room.
        if waiting >= inbox_max && !inbox.knows(op) {
            return Err(StorageError::Overloaded { partition, waiting });
        }
        Ok(inbox.accept(op, now))
    }

    pub(crate) fn deliver(&mut self, partition: PartitionId, number: u64, message: Bytes) {
        if let Ok(partition) = self.partition_mut(partition) {
            partition.inbox.deliver(message, Origin::Submitted(number));
        }
    }

    pub(crate) fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
    ) -> Result<Vec<InboxItem>> {
        let mut found = Vec::new();
        for (partition, cursor) in after {
            self.partition(*partition)?.inbox.read(*partition, *cursor, max, &mut found);
        }
        Ok(found)
    }

    /// Decides a commit. A new one is counted; its messages leave the inbox, and the orders that
    /// it withdraws their queues, at once.
    pub(crate) fn begin_commit(&mut self, commit: &Commit, now: Millis) -> Result<Begun> {
        let id = commit.lease.partition;
        let retention_ms = self.limits.dead_letter_retention_ms;
        let partition = self.partition_mut(id)?;
        if partition.ownership.advance(&commit.lease, commit.number)? == Step::Repeated {
            return Ok(Begun::Repeated);
        }
        let consumed = commit.consumed.map(|up_to| partition.inbox.consume(up_to));
        let mut consumed = consumed.unwrap_or_default();
        consumed.append(&mut partition.inbox.consume_each(&commit.consumed_beyond));
        let dropped_letters =
            partition.letters.add(commit.number, commit.dead_letters.len(), now, retention_ms);
        // What the reports that are not read yet stand for must not come back after a restart.
        let ending = partition.inbox.ending(&commit.withdrawn).map(|finished| finished.order);
        let mut withdrawn: Vec<_> = ending.collect();
        withdrawn.append(&mut self.work.withdraw(id, &commit.withdrawn));
        let first_order = self.work.reserve(id, &commit.orders);
        Ok(Begun::New(Opened { consumed, withdrawn, first_order, dropped_letters }))
    }

    /// Makes the orders and the activity of a new commit visible.
    pub(crate) fn finish_commit(
        &mut self,
        id: PartitionId,
        first_order: OrderId,
        orders: Vec<QueuedOrder>,
        activities: impl IntoIterator<Item = (ThreadKey, Activity)>,
        now: Millis,
    ) {
        for (order, order_id) in orders.into_iter().zip(first_order..) {
            self.work.enqueue(order_id, id, order, now);
        }
        let Ok(partition) = self.partition_mut(id) else { return };
        for (thread, activity) in activities {
            match activity {
                Activity::Parked => partition.active.remove(&thread),
                Activity::Due(at) => partition.active.insert(thread, at),
            };
        }
    }

    pub(crate) fn active_threads(&self, id: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        Ok(self.partition(id)?.active.iter().map(|(thread, due)| (*thread, *due)).collect())
    }

    pub(crate) fn fetch(
        &mut self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
    ) -> Vec<Delivery> {
        self.work.fetch(worker, queues, max)
    }

    /// Applies what a worker hands in. Returns the orders that end without any message: nothing
    /// that a commit could consume stands for them.
    pub(crate) fn hand_in(
        &mut self,
        worker: &WorkerId,
        parts: Vec<HandIn>,
    ) -> Result<Vec<(PartitionId, OrderId)>> {
        for part in &parts {
            self.partition(part.partition)?;
        }
        let mut silent = Vec::new();
        for part in parts {
            let finished = match &part.finished {
                None => None,
                Some(receipt) => match self.work.finish(worker, part.partition, receipt) {
                    Some(finished) => Some(finished),
                    None if planted::is("result-overwritten") => None,
                    None => continue,
                },
            };
            let last = part.messages.len().checked_sub(1);
            if last.is_none() {
                silent.extend(finished.map(|finished| (part.partition, finished.order)));
            }
            let inbox = &mut self.partition_mut(part.partition)?.inbox;
            for (nth, message) in part.messages.into_iter().enumerate() {
                // The order ends with the last of its messages: were it gone with the first, a
                // crash could lose the others.
                let ends = finished.filter(|_| Some(nth) == last);
                inbox.deliver(message, Origin::HandedIn(ends));
            }
        }
        Ok(silent)
    }

    pub(crate) fn heartbeat(&mut self, worker: &WorkerId, now: Millis) {
        self.work.heartbeat(worker, now);
        self.roster.heartbeat(worker, now);
    }

    pub(crate) fn reclaim(
        &mut self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
        now: Millis,
    ) -> Vec<Delivery> {
        self.work.reclaim(worker, queues, dead_after, max, now)
    }

    #[cfg(feature = "disk")]
    pub(crate) fn put_back(&mut self, worker: &WorkerId, deliveries: &[Delivery]) {
        self.work.put_back(worker, deliveries);
    }

    #[cfg(feature = "disk")]
    pub(crate) fn is_assigned(&self, worker: &WorkerId, receipt: &Receipt) -> bool {
        self.work.is_assigned(worker, receipt)
    }

    pub(crate) fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Vec<bool> {
        receipts.iter().map(|receipt| self.work.is_assigned(worker, receipt)).collect()
    }

    pub(crate) fn retire(&mut self, worker: &WorkerId, queues: &[QueueName]) -> Vec<Counted> {
        self.roster.retire(worker);
        self.work.retire(worker, queues)
    }

    pub(crate) fn lose_order(&mut self, nth: usize) -> bool {
        self.work.lose(nth)
    }

    /// Gives no id from now on that `lost`, a later state, gave.
    pub(crate) fn leave_out_ids_of(&mut self, lost: &Self) {
        self.work.leave_out(lost.work.newest_order());
        for (partition, lost) in self.partitions.iter_mut().zip(&lost.partitions) {
            partition.inbox.leave_out(lost.inbox.newest_cursor());
        }
    }

    pub(crate) fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.partition(partition)?;
        let orders = self.work.of_partition(partition).map(|order| QueuedOrder {
            queue: order.queue.clone(),
            group: order.group,
            order: order.record.clone(),
        });
        Ok(orders.collect())
    }

    /// The dead letters of a partition behind `after`, at most `max`.
    pub(crate) fn dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
        now: Millis,
    ) -> Result<Vec<DeadLetterId>> {
        let letters = &self.partition(partition)?.letters;
        Ok(letters.list(after, now, self.limits.dead_letter_retention_ms).take(max).collect())
    }

    /// Forgets a dead letter; false if it is not there.
    pub(crate) fn remove_dead_letter(
        &mut self,
        partition: PartitionId,
        id: DeadLetterId,
        now: Millis,
    ) -> Result<bool> {
        let retention_ms = self.limits.dead_letter_retention_ms;
        Ok(self.partition_mut(partition)?.letters.remove(id, now, retention_ms))
    }
}

fn no_partition(id: PartitionId, count: usize) -> StorageError {
    let reason = format!(
        "partition {id} does not exist, the storage has {count}: all processes of a namespace must use its number of partitions"
    );
    StorageError::Config { reason }
}
