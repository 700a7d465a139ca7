//! One storage under comparison, with what its answers have named so far.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{Millis, PartitionId, WorkerId};
use rethread_core::store::Namespace;

use super::generate::{PARTITIONS, QUEUES};
use super::op::{Ago, Label};
use crate::conformance::kit::{Shared, checkpoint_id, queue, run, thread, worker};
use crate::{
    CacheKey, CheckpointWrite, Commit, DeadLetterId, Delivery, EventWrite, InboxCursor, ItemName,
    JournalWrite, Lease, OrderGroup, QueueName, QueuedOrder, Receipt, Result, StorageError,
    ThreadWrite, WaitingChange,
};

use super::op::{Change, Life, ThreadChange};

/// Longer than a sequence takes.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// A storage and what can be named of it. Answers that agree keep the lists of two of them alike.
pub(super) struct Side {
    pub(super) storage: Shared,
    pub(super) leases: Vec<Lease>,
    pub(super) receipts: Vec<Held>,
    pub(super) partitions: Vec<Known>,
    pub(super) last_commit: Option<Commit>,
    /// Number of the next event of each run; none: it has ended.
    runs: BTreeMap<(PartitionId, u8), Option<u64>>,
}

/// An order that was given to a worker.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) worker: WorkerId,
    pub(super) receipt: Receipt,
    order: Bytes,
}

/// What is known of a partition.
#[derive(Default)]
pub(super) struct Known {
    pub(super) last_commit: u64,
    pub(super) cursors: Vec<InboxCursor>,
    pub(super) letters: Vec<DeadLetterId>,
}

impl Side {
    pub(super) fn new(storage: Shared) -> Self {
        Self {
            storage,
            leases: Vec::new(),
            receipts: Vec::new(),
            partitions: (0..PARTITIONS).map(|_| Known::default()).collect(),
            last_commit: None,
            runs: BTreeMap::new(),
        }
    }

    pub(super) fn known(&mut self, partition: u16) -> &mut Known {
        &mut self.partitions[usize::from(partition)]
    }

    /// The commit of a change, under a lease.
    pub(super) fn commit(&self, lease: Lease, skew: i64, change: &Change) -> Commit {
        let known = &self.partitions[usize::from(lease.partition.0)];
        let number = (known.last_commit + 1).saturating_add_signed(skew).max(1);
        let consumed = change.consumed.and_then(|ago| named(&known.cursors, ago));
        let beyond = change.consumed_beyond.iter().filter_map(|ago| named(&known.cursors, *ago));
        let beyond: BTreeSet<_> = beyond.filter(|cursor| Some(*cursor) > consumed).collect();
        let queue_of = |n: u8| queue_name(lease.partition.0, n);
        let orders = change.orders.iter().map(|(queue, group, record)| QueuedOrder {
            queue: queue_of(*queue),
            group: group_of(*group),
            order: value(*record),
        });
        Commit {
            consumed,
            consumed_beyond: beyond.into_iter().collect(),
            threads: change.threads.iter().map(|it| self.thread(lease.partition, it)).collect(),
            withdrawn: change.withdrawn.iter().map(|group| group_of(*group)).collect(),
            orders: orders.collect(),
            dead_letters: change.dead_letters.iter().map(|label| value(*label)).collect(),
            ..Commit::new(lease, number)
        }
    }

    fn thread(&self, partition: PartitionId, change: &ThreadChange) -> ThreadWrite {
        let events = change.events.iter().filter_map(|(run_number, count, ends)| {
            let known = self.runs.get(&(partition, run_of(change.thread, *run_number)));
            let first_seq = known.copied().unwrap_or(Some(1))?;
            let records = (0..*count as u64).map(|n| value((first_seq + n) as Label));
            let run = run_id(change.thread, *run_number);
            Some(EventWrite { run, first_seq, records: records.collect(), ends: *ends })
        });
        let waiting = change.waiting.iter().map(|(label, drops)| match drops {
            None => WaitingChange::Append(value(*label)),
            Some((count, true)) => WaitingChange::DropFirst(*count),
            Some((place, false)) => WaitingChange::Remove(*place),
        });
        ThreadWrite {
            thread: thread(change.thread),
            header: change.header.map(value),
            journal: match &change.journal {
                None => JournalWrite::Keep,
                Some((true, entries)) => JournalWrite::Replace(values(entries)),
                Some((false, entries)) => JournalWrite::Append(values(entries)),
            },
            checkpoints: change
                .checkpoints
                .iter()
                .map(|(id, label)| CheckpointWrite {
                    id: checkpoint_id((*id).into()),
                    record: value(*label),
                })
                .collect(),
            base: change.base.map(|id| checkpoint_id(id.into())),
            events: events.collect(),
            activity: change.activity.map(|due| match due {
                None => crate::Activity::Parked,
                Some(at) => crate::Activity::Due(Millis(at)),
            }),
            drop_checkpoints: change
                .drop_checkpoints
                .iter()
                .map(|id| checkpoint_id((*id).into()))
                .collect(),
            delete: change.delete,
            waiting: waiting.collect(),
        }
    }

    /// Notes that a change was committed.
    pub(super) fn committed(&mut self, commit: &Commit, change: &Change) {
        let partition = commit.lease.partition;
        self.known(partition.0).last_commit = commit.number;
        for change in &change.threads {
            for (run_number, count, ends) in &change.events {
                let run = (partition, run_of(change.thread, *run_number));
                let next = self.runs.entry(run).or_insert(Some(1));
                *next = next.filter(|_| !ends).map(|next| next + *count as u64);
            }
        }
    }

    /// Notes the receipts of deliveries, and says what they are.
    pub(super) fn delivered(&mut self, worker: &WorkerId, found: Vec<Delivery>) -> String {
        let shown = found.iter().map(|it| {
            let place = (it.receipt.partition.0, it.receipt.queue.as_str());
            (show(&it.order), it.fetches, it.given, place)
        });
        let shown = format!("{:?}", shown.collect::<Vec<_>>());
        for Delivery { receipt, order, .. } in found {
            // Whether a worker that has an order again may speak of it by an earlier receipt is up
            // to the adapter.
            let same = |held: &&mut Held| held.worker == *worker && held.order == order;
            for held in self.receipts.iter_mut().filter(same) {
                held.receipt = receipt.clone();
            }
            self.receipts.push(Held { worker: worker.clone(), receipt, order });
        }
        shown
    }
}

/// Each event log belongs to one thread.
fn run_of(thread: u8, number: u8) -> u8 {
    thread * 100 + number
}

pub(super) fn run_id(thread: u8, number: u8) -> rethread_core::ids::RunId {
    run(u128::from(run_of(thread, number)) + 1)
}

/// What came so long ago; older than the first: some other.
pub(super) fn named<T: Clone>(list: &[T], ago: Ago) -> Option<T> {
    let back = ago.checked_rem(list.len())?;
    list.iter().rev().nth(back).cloned()
}

pub(super) fn value(label: Label) -> Bytes {
    Bytes::from(format!("v{label}"))
}

fn values(labels: &[Label]) -> Vec<Bytes> {
    labels.iter().map(|label| value(*label)).collect()
}

pub(super) fn show(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A queue belongs to one partition: in which order the partitions of a queue are asked is up to
/// the adapter.
pub(super) fn queue_name(partition: u16, n: u8) -> QueueName {
    queue(&format!("p{partition}q{n}"))
}

pub(super) fn all_queues() -> Vec<QueueName> {
    (0..PARTITIONS).flat_map(|p| (0..QUEUES).map(move |n| queue_name(p, n))).collect()
}

pub(super) fn worker_of(n: u8) -> WorkerId {
    worker(&format!("w{n}"))
}

fn group_of(n: u8) -> OrderGroup {
    OrderGroup([n; 16])
}

pub(super) fn item_name(n: u8) -> ItemName {
    ItemName { namespace: namespace(n / 2 + 1), key: format!("k{}", n % 2) }
}

/// Labels by number; those of none are empty.
pub(super) fn labels(n: u8) -> Vec<String> {
    let labels: &[&str] = [&[][..], &["a"], &["a", "b"], &["b"]][usize::from(n)];
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn namespace(n: u8) -> Namespace {
    Namespace::new(labels(n)).expect("valid labels")
}

pub(super) fn cache_key(n: u8) -> CacheKey {
    CacheKey { group: group_name(n / 2), entry: value((n % 2).into()) }
}

pub(super) fn group_name(n: u8) -> String {
    ["g", "h", crate::names::PROGRESS_GROUP][usize::from(n)].to_owned()
}

pub(super) fn lasting(lasts: bool) -> Duration {
    if lasts { LONG } else { Duration::ZERO }
}

/// The end of an item.
pub(super) fn end(life: Life) -> Option<Millis> {
    match life {
        Life::Endless => None,
        // A time that every clock is far before, and every adapter can keep.
        Life::Long => Some(Millis(1 << 43)),
        Life::Over => Some(Millis(1)),
    }
}

/// What an answer says, without what is its adapter's own.
pub(super) fn said<T: Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(StorageError::Config { .. }) => "Config".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}
