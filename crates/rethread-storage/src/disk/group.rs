//! One group of writes: everything in it becomes durable together.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use fjall::{Keyspace, OwnedWriteBatch, PersistMode, Readable, UserValue};
use rethread_core::ids::{Millis, OpId, PartitionId, ThreadKey};

use super::ages;
use super::keys;
use super::shelf::{Shelf, ShelfWrite};
use super::sweep;
use super::tables::{Tables, unreadable};
use super::unwritten::Unwritten;
use super::values::{Kept, Standing, encode_counters, encode_counts, encode_letter, encode_order};
use super::written::Written;
use crate::live::{Counts, Letters, Opened, OrderId, Origin};
use crate::memory::last_event;
use crate::wake::lock;
use crate::{Activity, Commit, DeadLetterId, JournalWrite, Result, ThreadWrite, WaitingChange};

/// Longer journals are left to the sweeper when they are replaced.
const ENTRIES_DROPPED_AT_ONCE_MAX: u64 = 128;

/// Writes that are collected and not yet made.
pub(super) struct Group<'a> {
    tables: &'a Tables,
    batch: OwnedWriteBatch,
    /// Which tables it writes; see `ages`.
    is_written: [bool; ages::TABLES],
    /// Threads that were prepared, as they stand after this group.
    standings: BTreeMap<(PartitionId, ThreadKey), Prepared>,
    counters: BTreeMap<PartitionId, (u64, u64)>,
    /// Keys of checkpoints that this group writes: no view of the tables has them.
    fresh_checkpoints: BTreeSet<Vec<u8>>,
    /// Keys of the stored checkpoints of the threads that the prepared commit deletes.
    doomed_checkpoints: Vec<Vec<u8>>,
    /// Waiting commands by key, of threads that lose one out of the middle: what is stored, and
    /// what this group puts there.
    lined_up: BTreeMap<Vec<u8>, Bytes>,
    /// Items and cache entries that this group changes, as they stand after it.
    kept: BTreeMap<(Shelf, Vec<u8>), Option<Kept>>,
    written: Written,
}

#[derive(Clone, Copy)]
struct Prepared {
    standing: Standing,
    has_header: bool,
    is_changed: bool,
}

impl<'a> Group<'a> {
    pub(super) fn new(tables: &'a Tables) -> Self {
        let batch = tables.db.batch();
        Self {
            tables,
            batch,
            is_written: [false; ages::TABLES],
            standings: BTreeMap::new(),
            counters: BTreeMap::new(),
            fresh_checkpoints: BTreeSet::new(),
            doomed_checkpoints: Vec::new(),
            lined_up: BTreeMap::new(),
            kept: BTreeMap::new(),
            written: Written::default(),
        }
    }

    fn put(&mut self, table: &Keyspace, key: Vec<u8>, value: impl Into<UserValue>) {
        self.mark(table);
        let value = value.into();
        self.written.row(key.len() + value.len());
        self.batch.insert(table, key, value);
    }

    fn take(&mut self, table: &Keyspace, key: Vec<u8>) {
        self.mark(table);
        self.written.row(key.len());
        self.batch.remove(table, key);
    }

    fn mark(&mut self, table: &Keyspace) {
        let is_it = self.tables.all().map(|one| std::ptr::eq(one, table));
        for (is_written, is_it) in self.is_written.iter_mut().zip(is_it) {
            *is_written |= is_it;
        }
    }

    /// Reads where the threads of a commit stand, so that writing it cannot fail half-way.
    pub(super) fn prepare(&mut self, commit: &Commit) -> Result<()> {
        let view = self.tables.view();
        self.doomed_checkpoints.clear();
        for write in &commit.threads {
            let key = (commit.lease.partition, write.thread);
            if let btree_map::Entry::Vacant(entry) = self.standings.entry(key) {
                let standing = self.tables.standing(&view, key.0, key.1)?;
                let standing = standing.unwrap_or_default();
                let header = keys::header(key.0, key.1);
                let has_header =
                    view.contains_key(&self.tables.threads, header).map_err(unreadable)?;
                entry.insert(Prepared { standing, has_header, is_changed: false });
            }
            if write.delete {
                let prefix = keys::thread(key.0, key.1);
                for pair in view.prefix(&self.tables.checkpoints, prefix) {
                    let checkpoint = pair.key().map_err(unreadable)?;
                    self.doomed_checkpoints.push(checkpoint.to_vec());
                }
            }
            if write.waiting.iter().any(|change| matches!(change, WaitingChange::Remove(_))) {
                for pair in view.prefix(&self.tables.live, keys::waiting_of(key.0, key.1)) {
                    let (stored, command) = pair.into_inner().map_err(unreadable)?;
                    let line = self.lined_up.entry(stored.to_vec());
                    line.or_insert_with(|| Bytes::copy_from_slice(&command));
                }
            }
        }
        Ok(())
    }

    pub(super) fn set_counters(&mut self, partition: PartitionId, counters: (u64, u64)) {
        self.counters.insert(partition, counters);
    }

    pub(super) fn submit(
        &mut self,
        partition: PartitionId,
        number: u64,
        op: OpId,
        message: &Bytes,
    ) {
        self.put(&self.tables.live, keys::inbox(partition, number), &message[..]);
        self.put(&self.tables.live, keys::op(partition, op), &b""[..]);
    }

    pub(super) fn forget_ops(&mut self, partition: PartitionId, ops: &[OpId]) {
        for op in ops {
            self.take(&self.tables.live, keys::op(partition, *op));
        }
    }

    pub(super) fn set_counts(&mut self, partition: PartitionId, order: OrderId, counts: Counts) {
        let key = keys::fetches(partition, order);
        self.put(&self.tables.live, key, encode_counts(counts));
    }

    pub(super) fn remove_order(&mut self, partition: PartitionId, order: OrderId) {
        self.take(&self.tables.live, keys::order(partition, order));
        self.take(&self.tables.live, keys::fetches(partition, order));
    }

    pub(super) fn remove_letter(&mut self, partition: PartitionId, id: DeadLetterId) {
        self.take(&self.tables.live, keys::letter(partition, id));
    }

    /// Adds a commit that was prepared; logs that end with it are dropped at `drop_at`.
    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        opened: &Opened,
        now: Millis,
        drop_at: Millis,
    ) {
        let partition = commit.lease.partition;
        for origin in &opened.consumed {
            match origin {
                Origin::Submitted(number) => {
                    self.take(&self.tables.live, keys::inbox(partition, *number));
                }
                Origin::HandedIn(Some(finished)) => self.remove_order(partition, finished.order),
                Origin::HandedIn(None) => {}
            }
        }
        for order in &opened.withdrawn {
            self.remove_order(partition, *order);
        }
        for (order, id) in commit.orders.iter().zip(opened.first_order..) {
            let key = keys::order(partition, id);
            self.put(&self.tables.live, key, encode_order(order, now));
        }
        for (record, id) in commit.dead_letters.iter().zip(Letters::ids_of(commit.number)) {
            let key = keys::letter(partition, id);
            self.put(&self.tables.live, key, encode_letter(now, record));
        }
        for id in &opened.dropped_letters {
            self.remove_letter(partition, *id);
        }
        for key in std::mem::take(&mut self.doomed_checkpoints) {
            self.take(&self.tables.checkpoints, key);
        }
        for write in &commit.threads {
            self.thread(partition, write, now, drop_at);
        }
    }

    fn thread(
        &mut self,
        partition: PartitionId,
        write: &ThreadWrite,
        now: Millis,
        drop_at: Millis,
    ) {
        let tables = self.tables;
        let thread = write.thread;
        let prepared = self.standings.get(&(partition, thread));
        let Prepared { mut standing, has_header, .. } =
            *prepared.expect("invariant: commits are prepared");
        let has_header = write.header.is_some() || (has_header && !write.delete);
        if write.delete {
            self.delete(partition, thread, &mut standing, now);
        }
        if let Some(header) = &write.header {
            self.put(&tables.threads, keys::header(partition, thread), &header[..]);
        }
        self.journal(partition, thread, &mut standing, &write.journal, now);
        for change in &write.waiting {
            self.waiting(partition, thread, &mut standing, change);
        }
        for id in &write.drop_checkpoints {
            let key = keys::checkpoint(partition, thread, *id);
            self.fresh_checkpoints.remove(&key);
            self.take(&tables.checkpoints, key);
        }
        for checkpoint in &write.checkpoints {
            let key = keys::checkpoint(partition, thread, checkpoint.id);
            self.fresh_checkpoints.insert(key.clone());
            self.put(&tables.checkpoints, key, &checkpoint.record[..]);
        }
        standing.base = write.base.or(standing.base.filter(|base| !write.drops(*base)));
        for events in &write.events {
            for (record, number) in events.records.iter().zip(events.first_seq..) {
                let key = keys::event(partition, events.run, number);
                self.put(&tables.events, key, &record[..]);
            }
            standing.last_event = last_event(events).or(standing.last_event);
            if events.ends {
                self.discard(drop_at, sweep::EVENTS, &keys::log(partition, events.run));
            }
        }
        let active = keys::active(partition, thread);
        match write.activity_change() {
            None => {}
            Some(Activity::Parked) => self.take(&tables.live, active),
            Some(Activity::Due(at)) => {
                self.put(&tables.live, active, &at.0.to_be_bytes()[..]);
            }
        }
        let is_refusal = write.header.is_none() && write.events.iter().any(|events| events.ends);
        if write.delete || is_refusal {
            let prefix = keys::thread(partition, thread);
            let left = [&prefix[..], &standing.generation.to_be_bytes()].concat();
            self.discard(now.plus(1), sweep::STANDINGS, &left);
        }
        if !has_header {
            // They are answers to whoever asked something of a thread that is not there.
            standing.last_event = None;
        }
        let prepared = Prepared { standing, has_header, is_changed: true };
        self.standings.insert((partition, thread), prepared);
    }

    /// Removes what is stored of a thread and what this group has written of it; of the stored
    /// checkpoints, the commit has taken care.
    fn delete(
        &mut self,
        partition: PartitionId,
        thread: ThreadKey,
        standing: &mut Standing,
        now: Millis,
    ) {
        let prefix = keys::thread(partition, thread);
        self.take(&self.tables.threads, keys::header_of(&prefix));
        let from_here = self.fresh_checkpoints.range(prefix.clone()..);
        let fresh: Vec<_> = from_here.take_while(|key| key.starts_with(&prefix)).cloned().collect();
        for key in fresh {
            self.fresh_checkpoints.remove(&key);
            self.take(&self.tables.checkpoints, key);
        }
        self.journal(partition, thread, standing, &JournalWrite::Replace(Vec::new()), now);
        self.waiting(partition, thread, standing, &WaitingChange::DropFirst(usize::MAX));
        *standing = Standing { generation: standing.generation, ..Standing::default() };
    }

    fn journal(
        &mut self,
        partition: PartitionId,
        thread: ThreadKey,
        standing: &mut Standing,
        write: &JournalWrite,
        now: Millis,
    ) {
        let entries = match write {
            JournalWrite::Keep => return,
            JournalWrite::Append(entries) => entries,
            JournalWrite::Replace(entries) => {
                let (old, count) = (standing.generation, standing.entries);
                if count > ENTRIES_DROPPED_AT_ONCE_MAX {
                    self.discard(now, sweep::JOURNALS, &keys::journal(partition, thread, old));
                } else {
                    for number in 0..count {
                        let key = keys::entry(partition, thread, old, number);
                        self.take(&self.tables.journals, key);
                    }
                }
                standing.generation += 1;
                standing.entries = 0;
                entries
            }
        };
        for entry in entries {
            let key = keys::entry(partition, thread, standing.generation, standing.entries);
            self.put(&self.tables.journals, key, &entry[..]);
            standing.entries += 1;
        }
    }

    fn waiting(
        &mut self,
        partition: PartitionId,
        thread: ThreadKey,
        standing: &mut Standing,
        change: &WaitingChange,
    ) {
        let (first, end) = &mut standing.waiting;
        match change {
            WaitingChange::Append(command) => {
                self.line_up(keys::waiting(partition, thread, *end), command.clone());
                *end += 1;
            }
            WaitingChange::DropFirst(count) => {
                let left = first.saturating_add(*count as u64).min(*end);
                for number in *first..left {
                    let key = keys::waiting(partition, thread, number);
                    self.take(&self.tables.live, key);
                }
                *first = left;
            }
            WaitingChange::Remove(place) => {
                let removed = first.saturating_add(*place as u64);
                if removed < *end {
                    *end -= 1;
                    // Those behind it move up. One that is missing is told when it is read.
                    for number in removed..*end {
                        let next = keys::waiting(partition, thread, number + 1);
                        if let Some(command) = self.lined_up.get(&next).cloned() {
                            self.line_up(keys::waiting(partition, thread, number), command);
                        }
                    }
                    let key = keys::waiting(partition, thread, *end);
                    self.take(&self.tables.live, key);
                }
            }
        }
        if first == end {
            standing.waiting = (0, 0);
        }
    }

    fn line_up(&mut self, key: Vec<u8>, command: Bytes) {
        self.put(&self.tables.live, key.clone(), &command[..]);
        self.lined_up.insert(key, command);
    }

    /// Puts, replaces or removes items or cache entries.
    ///
    /// # Errors
    /// When what is stored cannot be read; nothing is added then.
    pub(super) fn shelve(&mut self, write: ShelfWrite, now: Millis) -> Result<()> {
        match write {
            ShelfWrite::Put { shelf, key, kept } => self.keep(shelf, key, kept, now),
            ShelfWrite::Remove { shelf, keys } => {
                self.kept.extend(keys.into_iter().map(|key| ((shelf, key), None)));
            }
            ShelfWrite::Touch { shelf, key, expires_at } => {
                let row = (shelf, key);
                let kept = match self.kept.get(&row) {
                    Some(kept) => kept.clone(),
                    None => shelf.read(self.tables, &row.1)?,
                };
                if let Some(kept) = kept.filter(|kept| kept.lasts(now)) {
                    let kept = Kept { expires_at: Some(expires_at), ..kept };
                    self.keep(shelf, row.1, kept, now);
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, shelf: Shelf, key: Vec<u8>, kept: Kept, now: Millis) {
        if let Some(at) = kept.expires_at {
            // The sweeper does not look at times that it has been through.
            self.discard(at.max(now), shelf.garbage(), &key);
        }
        self.kept.insert((shelf, key), Some(kept));
    }

    /// Leaves keys to the sweeper; what they are says `what`, see there.
    fn discard(&mut self, due: Millis, what: u8, key: &[u8]) {
        self.put(&self.tables.live, keys::garbage(due, what, key), &b""[..]);
    }

    /// Makes the writes, all or none.
    ///
    /// # Errors
    /// The tables refuse all further writes.
    pub(super) fn write(mut self, mode: PersistMode) -> Result<(), Unwritten> {
        for ((partition, thread), prepared) in std::mem::take(&mut self.standings) {
            if prepared.is_changed {
                let key = keys::standing(partition, thread);
                self.put(&self.tables.threads, key, prepared.standing.encode());
            }
        }
        for ((shelf, key), kept) in std::mem::take(&mut self.kept) {
            match kept {
                Some(kept) => self.put(shelf.table(self.tables), key, kept.encode()),
                None => self.take(shelf.table(self.tables), key),
            }
        }
        for (partition, counters) in std::mem::take(&mut self.counters) {
            let value = encode_counters(counters);
            self.put(&self.tables.live, keys::ledger(partition), value);
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut ages = lock(&self.tables.ages);
        let next = ages.next(self.is_written);
        for (nth, table) in self.tables.all().into_iter().enumerate() {
            if nth == 0 || self.is_written[nth] {
                let age = next.encode(nth);
                self.written.row(ages::KEY.len() + age.len());
                self.batch.insert(table, ages::KEY, age);
            }
        }
        let written = self.batch.durability(Some(mode)).commit();
        written.map_err(|error| Unwritten::new(&error))?;
        *ages = next;
        drop(ages);
        self.written.group(mode);
        lock(&self.tables.written).add(self.written);
        Ok(())
    }
}
