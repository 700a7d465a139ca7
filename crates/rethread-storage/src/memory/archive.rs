//! Threads, checkpoints and event logs, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::ops::Bound;

use bytes::Bytes;
use rethread_core::ids::{CheckpointId, Millis, PartitionId, RunId, ThreadKey};
use rethread_core::planted;

use crate::paging;
use crate::{
    DeadLetterId, EventWrite, HeaderRecord, JournalWrite, LoadedThread, ThreadPage, ThreadWrite,
    WaitingChange,
};

/// Most event logs dropped by one commit.
const LOGS_DROPPED_MAX: usize = 64;

type LogKey = (PartitionId, RunId);

/// What a commit writes about threads.
#[derive(Debug, Clone, Default)]
pub(super) struct Archive {
    threads: BTreeMap<(PartitionId, ThreadKey), Thread>,
    logs: BTreeMap<LogKey, BTreeMap<u64, Bytes>>,
    /// Logs of ended runs, with the time at which each is dropped.
    ended: VecDeque<(Millis, LogKey)>,
    pub(super) letters: BTreeMap<(PartitionId, DeadLetterId), Bytes>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Thread {
    header: Option<Bytes>,
    journal: Vec<Bytes>,
    checkpoints: BTreeMap<CheckpointId, Bytes>,
    base: Option<CheckpointId>,
    last_event: Option<(RunId, u64)>,
    waiting: VecDeque<Bytes>,
}

impl Archive {
    /// Applies a change; logs that end with it are dropped at `drop_at`.
    pub(super) fn apply(&mut self, partition: PartitionId, write: ThreadWrite, drop_at: Millis) {
        let key = (partition, write.thread);
        if write.delete && planted::is("delete-forgets-a-key") {
            if let Some(thread) = self.threads.get_mut(&key) {
                thread.header = None;
            }
        } else if write.delete {
            self.threads.remove(&key);
        }
        let thread = self.threads.entry(key).or_default();
        for id in &write.drop_checkpoints {
            thread.checkpoints.remove(id);
        }
        thread.base = thread.base.filter(|base| !write.drops(*base));
        if let Some(header) = write.header {
            thread.header = Some(header);
        }
        match write.journal {
            JournalWrite::Keep => {}
            JournalWrite::Append(entries) => thread.journal.extend(entries),
            JournalWrite::Replace(entries) => thread.journal = entries,
        }
        thread.checkpoints.extend(write.checkpoints.into_iter().map(|c| (c.id, c.record)));
        thread.base = write.base.or(thread.base);
        for change in write.waiting {
            match change {
                WaitingChange::Append(command) => thread.waiting.push_back(command),
                WaitingChange::DropFirst(count) => {
                    thread.waiting.drain(..count.min(thread.waiting.len()));
                }
                WaitingChange::Remove(place) => drop(thread.waiting.remove(place)),
            }
        }
        for events in write.events {
            thread.last_event = last_event(&events).or(thread.last_event);
            let log = (partition, events.run);
            if events.ends {
                self.ended.push_back((drop_at, log));
            }
            self.logs.entry(log).or_default().extend((events.first_seq..).zip(events.records));
        }
        if thread.header.is_none() {
            // Of a thread that is not there, nothing may be left to hold it.
            thread.last_event = None;
        }
        if *thread == Thread::default() {
            self.threads.remove(&key);
        }
    }

    /// Shows the events of a change, and nothing else of it.
    pub(super) fn publish(&mut self, partition: PartitionId, write: &ThreadWrite) {
        for events in &write.events {
            let log = self.logs.entry((partition, events.run)).or_default();
            log.extend((events.first_seq..).zip(events.records.iter().cloned()));
        }
    }

    /// Drops logs whose time is over.
    pub(super) fn sweep(&mut self, now: Millis) {
        for _ in 0..LOGS_DROPPED_MAX {
            match self.ended.front() {
                Some((at, log)) if *at <= now => self.logs.remove(log),
                _ => return,
            };
            self.ended.pop_front();
        }
    }

    pub(super) fn load(&self, partition: PartitionId, thread: ThreadKey) -> Option<LoadedThread> {
        let thread = self.threads.get(&(partition, thread))?;
        Some(LoadedThread {
            header: thread.header.clone()?,
            journal: thread.journal.clone(),
            base: thread.base.and_then(|id| thread.checkpoints.get(&id).cloned()),
            last_event: thread.last_event,
            waiting: thread.waiting.iter().cloned().collect(),
        })
    }

    pub(super) fn header(&self, partition: PartitionId, thread: ThreadKey) -> Option<HeaderRecord> {
        let thread = self.threads.get(&(partition, thread))?;
        Some(HeaderRecord { header: thread.header.clone()?, last_event: thread.last_event })
    }

    pub(super) fn threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> ThreadPage {
        let first = (partition, paging::first_key(from.unwrap_or(0)));
        let all = self.threads.range(first..).take_while(|((of, _), _)| *of == partition);
        let headed = all.filter_map(|((_, key), thread)| Some((*key, thread.header.clone()?)));
        paging::page(headed.map(Ok), max).unwrap_or_else(|never: Infallible| match never {})
    }

    pub(super) fn checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Option<Bytes> {
        self.threads.get(&(partition, thread))?.checkpoints.get(&id).cloned()
    }

    pub(super) fn checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Vec<Bytes> {
        let Some(thread) = self.threads.get(&(partition, thread)) else { return Vec::new() };
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let newest_first = thread.checkpoints.range((Bound::Unbounded, end)).rev();
        newest_first.take(max).map(|(_, record)| record.clone()).collect()
    }

    pub(super) fn events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Vec<Bytes> {
        let Some(log) = self.logs.get(&(partition, run)) else { return Vec::new() };
        let behind = log.range((Bound::Excluded(after), Bound::Unbounded));
        behind.take(max).map(|(_, record)| record.clone()).collect()
    }

    pub(super) fn last_events(&self, partition: PartitionId, run: RunId, max: usize) -> Vec<Bytes> {
        let Some(log) = self.logs.get(&(partition, run)) else { return Vec::new() };
        let skipped = log.len().saturating_sub(max);
        log.values().skip(skipped).cloned().collect()
    }
}

/// The run and number of the last of these events; none if there are none.
pub(crate) fn last_event(events: &EventWrite) -> Option<(RunId, u64)> {
    let behind_first = (events.records.len() as u64).checked_sub(1)?;
    Some((events.run, events.first_seq + behind_first))
}
