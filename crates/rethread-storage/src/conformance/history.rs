//! A history whose every prefix is known: commit `n` writes record `n` everywhere and consumes
//! message `n`. Tests of crashes and of damage write it and look at what is left.

use bytes::Bytes;
use rethread_core::ids::{Millis, PartitionId, ThreadKey};
use rethread_core::store::Namespace;

use super::kit::{LONG, NO_WAIT, checkpoint_id, node, op, queue, run};
use crate::{
    Acquisition, Activity, CacheKey, CacheLookup, CheckpointWrite, Commit, EventWrite, InboxCursor,
    ItemName, ItemRecord, JournalWrite, Lease, OrderGroup, QueuedOrder, Storage, StorageError,
    ThreadWrite, WaitingChange,
};

const P: PartitionId = PartitionId(1);
const THREAD: ThreadKey = ThreadKey::from_bytes([3; 16]);
const GROUP: OrderGroup = OrderGroup([1; 16]);

/// How many commands wait on the thread.
const WAITING: u64 = 3;

/// Why a look ended.
#[derive(Debug)]
pub enum Finding {
    /// The storage said that something is amiss.
    Loud(StorageError),
    /// The storage gave something else than was written.
    Wrong(String),
}

impl From<StorageError> for Finding {
    fn from(error: StorageError) -> Self {
        Self::Loud(error)
    }
}

/// What a look found: a whole prefix of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Number of the last commit.
    pub commits: u64,
    /// Whether the message of the next commit is there.
    pub has_next_message: bool,
    /// The epoch under which was looked.
    pub epoch: u64,
}

fn record(n: u64) -> Bytes {
    Bytes::from(format!("record {n}"))
}

fn item_name(n: u64) -> ItemName {
    ItemName { namespace: Namespace::new(["n"]).expect("valid labels"), key: n.to_string() }
}

fn cache_key(n: u64) -> CacheKey {
    CacheKey { group: "g".into(), entry: record(n) }
}

/// Acquires the partition of the history; returns the number of its last commit as well.
///
/// # Errors
/// Those of [`Storage::acquire`].
///
/// # Panics
/// When another node holds it.
pub async fn acquire(storage: &dyn Storage) -> Result<(Lease, u64), StorageError> {
    match storage.acquire(P, &node("node"), LONG).await? {
        Acquisition::Acquired { lease, last_commit } => Ok((lease, last_commit)),
        held @ Acquisition::Held { .. } => panic!("nobody else is there: {held:?}"),
    }
}

/// Submits message `number`. If it is there already, it stays one.
///
/// # Errors
/// Those of [`Storage::submit`].
pub async fn submit(storage: &dyn Storage, number: u64) -> Result<(), StorageError> {
    storage.submit(P, op(number.into()), record(number)).await
}

/// Makes commit `number`; its message must be the oldest.
///
/// # Errors
/// Those of the operations.
pub async fn commit(storage: &dyn Storage, lease: Lease, number: u64) -> Result<(), StorageError> {
    let items = storage.read_inboxes(&[(P, InboxCursor::START)], 9, NO_WAIT).await?;
    assert_eq!(items.first().map(|item| &item.message), Some(&record(number)), "the oldest");
    storage.put_item(&item_name(number), lasting(number)).await?;
    storage.fill_cache(&cache_key(number), record(number), None).await?;
    let events =
        EventWrite { run: run(1), first_seq: number, records: vec![record(number)], ends: false };
    let checkpoint = CheckpointWrite { id: checkpoint_id(number.into()), record: record(number) };
    let mut waiting = vec![WaitingChange::Append(record(number))];
    if number > WAITING {
        waiting.push(WaitingChange::DropFirst(1));
    }
    let write = ThreadWrite {
        header: Some(record(number)),
        journal: JournalWrite::Append(vec![record(number)]),
        checkpoints: vec![checkpoint],
        base: Some(checkpoint_id(number.into())),
        events: vec![events],
        activity: Some(Activity::Due(Millis(number))),
        waiting,
        ..ThreadWrite::none(THREAD)
    };
    let order = QueuedOrder { queue: queue("q"), group: GROUP, order: record(number) };
    let commit = Commit {
        consumed: items.first().map(|item| item.cursor),
        threads: vec![write],
        orders: vec![order],
        dead_letters: vec![record(number)],
        ..Commit::new(lease, number)
    };
    storage.commit(commit).await
}

fn lasting(n: u64) -> ItemRecord {
    ItemRecord { record: record(n), expires_at: None }
}

/// Looks at everything: it is a whole prefix of the history.
///
/// # Errors
/// What is amiss.
pub async fn look(storage: &dyn Storage) -> Result<Prefix, Finding> {
    let (lease, last) = acquire(storage).await?;
    let all: Vec<_> = (1..=last).map(record).collect();
    match storage.load_thread(P, THREAD).await? {
        None => same("the thread", &0, &last)?,
        Some(thread) => {
            same("the header", &thread.header, &record(last))?;
            same("the journal", &thread.journal, &all)?;
            same("the base", &thread.base, &Some(record(last)))?;
            same("the last event", &thread.last_event, &Some((run(1), last)))?;
            let waiting: Vec<_> = (last.saturating_sub(WAITING) + 1..=last).map(record).collect();
            same("what waits", &thread.waiting, &waiting)?;
        }
    }
    same("the log", &storage.read_events(P, run(1), 0, 1 << 20).await?, &all)?;
    let mut checkpoints = storage.list_checkpoints(P, THREAD, None, 1 << 20).await?;
    checkpoints.reverse();
    same("the checkpoints", &checkpoints, &all)?;
    let orders = storage.queued_orders(P).await?.into_iter();
    let orders: Vec<_> = orders.map(|order| (order.group, order.order)).collect();
    let expected: Vec<_> = all.iter().map(|order| (GROUP, order.clone())).collect();
    same("the orders", &orders, &expected)?;
    let letters = storage.list_dead_letters(P, None, 1 << 20).await?;
    let letters: Vec<_> = letters.into_iter().map(|letter| letter.record).collect();
    same("the dead letters", &letters, &all)?;
    let active = storage.active_threads(P).await?;
    let expected = if last == 0 { Vec::new() } else { vec![(THREAD, Millis(last))] };
    same("the active threads", &active, &expected)?;
    look_at_values(storage, last).await?;
    let items = storage.read_inboxes(&[(P, InboxCursor::START)], 9, NO_WAIT).await?;
    let left: Vec<_> = items.into_iter().map(|item| item.message).collect();
    if !left.is_empty() {
        same("the inbox", &left, &vec![record(last + 1)])?;
    }
    let epoch = lease.token.epoch;
    Ok(Prefix { commits: last, has_next_message: !left.is_empty(), epoch })
}

/// Those of the commits are there, and the next one may be.
async fn look_at_values(storage: &dyn Storage, last: u64) -> Result<(), Finding> {
    let mut items = storage.scan_items(&["n".to_owned()], None, 1 << 20).await?;
    items.sort_by_key(|(name, _)| name.key.parse::<u64>().unwrap_or(u64::MAX));
    let expected = |count: usize| -> Vec<_> {
        (1..=count as u64).map(|n| (item_name(n), lasting(n))).collect()
    };
    let count = items.len().clamp(last as usize, last as usize + 1);
    same("the items", &items, &expected(count))?;
    for n in 1..=last {
        match storage.look_up_cache(&cache_key(n), "look", LONG).await? {
            CacheLookup::Hit(value) => same("a cached value", &value, &record(n))?,
            // What is cached may be made again.
            CacheLookup::Vacant | CacheLookup::Filling => {}
        }
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), Finding> {
    if found == expected {
        return Ok(());
    }
    let (mut found, mut expected) = (format!("{found:?}"), format!("{expected:?}"));
    for text in [&mut found, &mut expected] {
        *text = text.chars().take(2_000).collect();
    }
    Err(Finding::Wrong(format!("{what}: found {found}, expected {expected}")))
}
