use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use rethread_core::ids::{CallId, ThreadKey};
use rethread_core::thread::Job;
use rethread_storage::{
    CheckpointWrite, EventWrite, InboxCursor, JournalWrite, OrderGroup, QueuedOrder, ThreadWrite,
    WaitingChange,
};
use tracing::Span;

use crate::coordinator::{Addressee, Turned};

/// Most records (entries, events, checkpoints, waiting commands, orders) of one commit. One write is never split,
/// so a single one may have more.
const RECORDS_MAX: usize = 1_000;
/// Most bytes of one commit, with the same exception.
const BYTES_MAX: usize = 1024 * 1024;

/// What waits to be written, in the order it was decided.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    turns: VecDeque<Turned>,
    pushed: u64,
    written: u64,
}

/// What goes into one commit.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) threads: Vec<ThreadWrite>,
    pub(super) withdrawn: Vec<OrderGroup>,
    pub(super) orders: Vec<QueuedOrder>,
    pub(super) dead_letters: Vec<Bytes>,
    pub(super) handled: Vec<InboxCursor>,
    /// What workers are told afterwards.
    pub(super) mail: Vec<(Addressee, Bytes)>,
    /// What is begun afterwards.
    pub(super) jobs: Vec<(ThreadKey, CallId, Job)>,
    /// The thread of each turn that is written completely.
    pub(super) turns: Vec<ThreadKey>,
    /// The spans of the requests that are answered by it.
    pub(super) spans: Vec<Span>,
}

impl Batch {
    /// Whether storage would not change by it.
    pub(super) fn writes_nothing(&self) -> bool {
        let Self { threads, withdrawn, orders, dead_letters, .. } = self;
        threads.is_empty() && withdrawn.is_empty() && orders.is_empty() && dead_letters.is_empty()
    }
}

impl Outbox {
    pub(super) fn push(&mut self, turn: Turned) {
        self.pushed += 1;
        self.turns.push_back(turn);
    }

    /// Notes that turns, the oldest that were taken out, are written completely.
    pub(super) fn note_written(&mut self, turns: usize) {
        self.written += turns as u64;
    }

    /// How many turns there were so far.
    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// How many of them are written, from the first on.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Takes out as much as one commit may hold. Writes of one thread become one, in order.
    pub(super) fn take_batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut places: HashMap<ThreadKey, usize> = HashMap::new();
        let mut room = Room { records: RECORDS_MAX, bytes: BYTES_MAX, is_untouched: true };
        while let Some(turn) = self.turns.front_mut() {
            if let Some(write) = turn.write.take() {
                if !room.take(write_size(&write)) {
                    turn.write = Some(write);
                    return batch;
                }
                match places.get(&write.thread) {
                    Some(place) => merge(&mut batch.threads[*place], write),
                    None => {
                        places.insert(write.thread, batch.threads.len());
                        batch.threads.push(write);
                    }
                }
            }
            for group in turn.withdrawn.drain(..) {
                batch.orders.retain(|order| order.group != group);
                batch.withdrawn.push(group);
            }
            batch.dead_letters.append(&mut turn.dead_letters);
            batch.handled.append(&mut turn.handled);
            batch.spans.extend(turn.span.take());
            batch.mail.append(&mut turn.mail);
            let thread = turn.thread;
            batch.jobs.extend(turn.jobs.drain(..).map(|(call, job)| (thread, call, job)));
            let fit = turn.orders.iter().take_while(|order| room.take((1, order.order.len())));
            let fit = fit.count();
            batch.orders.extend(turn.orders.drain(..fit));
            if !turn.orders.is_empty() {
                return batch;
            }
            batch.turns.push(turn.thread);
            self.turns.pop_front();
        }
        batch
    }
}

/// Room left in a commit.
struct Room {
    records: usize,
    bytes: usize,
    is_untouched: bool,
}

impl Room {
    /// Takes room if there is enough; the first one to ask gets it in any case.
    fn take(&mut self, (records, bytes): (usize, usize)) -> bool {
        let fits = records <= self.records && bytes <= self.bytes;
        if !fits && !self.is_untouched {
            return false;
        }
        self.is_untouched = false;
        self.records = self.records.saturating_sub(records);
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }
}

fn write_size(write: &ThreadWrite) -> (usize, usize) {
    let journal: &[Bytes] = match &write.journal {
        JournalWrite::Keep => &[],
        JournalWrite::Append(entries) | JournalWrite::Replace(entries) => entries,
    };
    let events = write.events.iter().flat_map(|events| &events.records);
    let checkpoints = write.checkpoints.iter().map(|checkpoint| &checkpoint.record);
    let waiting = write.waiting.iter().filter_map(|change| match change {
        WaitingChange::Append(command) => Some(command),
        WaitingChange::DropFirst(_) | WaitingChange::Remove(_) => None,
    });
    let records = journal.iter().chain(events).chain(checkpoints).chain(&write.header);
    let records = records.chain(waiting);
    let none = (write.drop_checkpoints.len(), 0);
    records.fold(none, |(count, bytes), record| (count + 1, bytes + record.len()))
}

/// Adds a later write of the same thread.
fn merge(earlier: &mut ThreadWrite, later: ThreadWrite) {
    if later.delete {
        // Only what was said to readers stays of what stood before.
        let events = std::mem::take(&mut earlier.events);
        *earlier = ThreadWrite { events, delete: true, ..ThreadWrite::none(later.thread) };
    }
    earlier.checkpoints.retain(|written| !later.drop_checkpoints.contains(&written.id));
    earlier.drop_checkpoints.extend(later.drop_checkpoints);
    earlier.waiting.extend(later.waiting);
    earlier.header = later.header.or(earlier.header.take());
    merge_journal(&mut earlier.journal, later.journal);
    for checkpoint in later.checkpoints {
        merge_checkpoint(&mut earlier.checkpoints, checkpoint);
    }
    earlier.base = later.base.or(earlier.base);
    for events in later.events {
        merge_events(&mut earlier.events, events);
    }
    earlier.activity = later.activity.or(earlier.activity);
}

fn merge_journal(earlier: &mut JournalWrite, later: JournalWrite) {
    match (earlier, later) {
        (_, JournalWrite::Keep) => {}
        (
            JournalWrite::Append(entries) | JournalWrite::Replace(entries),
            JournalWrite::Append(more),
        ) => {
            entries.extend(more);
        }
        (earlier, later) => *earlier = later,
    }
}

fn merge_checkpoint(earlier: &mut Vec<CheckpointWrite>, later: CheckpointWrite) {
    match earlier.iter_mut().find(|checkpoint| checkpoint.id == later.id) {
        Some(checkpoint) => *checkpoint = later,
        None => earlier.push(later),
    }
}

fn merge_events(earlier: &mut Vec<EventWrite>, later: EventWrite) {
    let same_run = earlier.iter_mut().find(|events| events.run == later.run);
    match same_run {
        Some(events) => {
            debug_assert_eq!(
                events.first_seq + events.records.len() as u64,
                later.first_seq,
                "events of a run are numbered without a gap"
            );
            events.records.extend(later.records);
            events.ends |= later.ends;
        }
        None => earlier.push(later),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rethread_core::ids::{CheckpointId, Millis, QueueName, RunId, WorkerId};
    use rethread_storage::Activity;

    fn key(n: u8) -> ThreadKey {
        ThreadKey::from_bytes([n; 16])
    }

    fn run(n: u8) -> RunId {
        format!("00000000-0000-0000-0000-0000000000{n:02}").parse().expect("a UUID")
    }

    fn entries(count: usize) -> Vec<Bytes> {
        (0..count).map(|n| Bytes::from(n.to_string())).collect()
    }

    fn addressee() -> Addressee {
        Addressee::Worker(WorkerId::new("w").expect("valid"))
    }

    fn turn(thread: u8, journal: JournalWrite, orders: usize) -> Turned {
        let write = ThreadWrite { journal, ..ThreadWrite::none(key(thread)) };
        let order = QueuedOrder {
            queue: QueueName::standard(),
            group: OrderGroup([0; 16]),
            order: Bytes::from("o"),
        };
        Turned {
            write: Some(write),
            orders: vec![order; orders],
            mail: vec![(addressee(), Bytes::from(vec![thread]))],
            handled: vec![InboxCursor(u64::from(thread), 0)],
            ..Turned::none(key(thread))
        }
    }

    #[test]
    fn writes_of_a_thread_become_one_in_order() {
        let mut outbox = Outbox::default();
        outbox.push(turn(1, JournalWrite::Append(entries(2)), 0));
        outbox.push(turn(2, JournalWrite::Keep, 0));
        outbox.push(turn(1, JournalWrite::Append(entries(1)), 0));
        let batch = outbox.take_batch();
        assert_eq!(batch.threads.len(), 2);
        let all: Vec<_> = entries(2).into_iter().chain(entries(1)).collect();
        assert_eq!(batch.threads[0].journal, JournalWrite::Append(all));
        assert_eq!(batch.turns, [key(1), key(2), key(1)]);
    }

    #[test]
    fn a_replaced_journal_forgets_what_was_appended_before() {
        let mut journal = JournalWrite::Append(entries(3));
        merge_journal(&mut journal, JournalWrite::Replace(entries(1)));
        merge_journal(&mut journal, JournalWrite::Keep);
        merge_journal(&mut journal, JournalWrite::Append(entries(1)));
        let all: Vec<_> = entries(1).into_iter().chain(entries(1)).collect();
        assert_eq!(journal, JournalWrite::Replace(all));
    }

    fn checkpoint(n: u64) -> CheckpointWrite {
        CheckpointWrite { id: CheckpointId::at(Millis(1), n, run(1)), record: Bytes::from("c") }
    }

    #[test]
    fn a_deletion_forgets_all_but_events() {
        let of_run = |n| EventWrite { run: run(n), first_seq: 1, records: entries(1), ends: true };
        let mut write = ThreadWrite {
            header: Some(Bytes::from("h")),
            journal: JournalWrite::Append(entries(1)),
            checkpoints: vec![checkpoint(1)],
            base: Some(checkpoint(1).id),
            activity: Some(Activity::Due(Millis(1))),
            events: vec![of_run(1)],
            ..ThreadWrite::none(key(1))
        };
        let none = ThreadWrite::none(key(1));
        merge(&mut write, ThreadWrite { delete: true, events: vec![of_run(2)], ..none.clone() });
        let events = vec![of_run(1), of_run(2)];
        assert_eq!(write, ThreadWrite { delete: true, events, ..none.clone() });
        merge(&mut write, ThreadWrite { header: Some(Bytes::from("new")), ..none });
        assert!(write.delete && write.header == Some(Bytes::from("new")), "it began anew");
    }

    #[test]
    fn a_dropped_checkpoint_is_not_written_unless_it_is_made_again() {
        let none = ThreadWrite::none(key(1));
        let mut write = ThreadWrite { checkpoints: vec![checkpoint(1)], ..none.clone() };
        let dropped = vec![checkpoint(1).id];
        merge(&mut write, ThreadWrite { drop_checkpoints: dropped.clone(), ..none.clone() });
        assert!(write.checkpoints.is_empty() && write.drop_checkpoints == dropped);
        merge(&mut write, ThreadWrite { checkpoints: vec![checkpoint(1)], ..none });
        assert_eq!((write.checkpoints, write.drop_checkpoints), (vec![checkpoint(1)], dropped));
    }

    #[test]
    fn events_of_a_run_become_one_log() {
        let events =
            |n, first_seq, ends| EventWrite { run: run(n), first_seq, records: entries(2), ends };
        let mut all = vec![events(1, 1, false)];
        merge_events(&mut all, events(2, 1, false));
        merge_events(&mut all, events(1, 3, true));
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].first_seq, all[0].records.len(), all[0].ends), (1, 4, true));
    }

    #[test]
    fn orders_spill_into_the_next_commit_and_a_write_is_never_split() {
        let mut outbox = Outbox::default();
        outbox.push(turn(1, JournalWrite::Append(entries(2 * RECORDS_MAX)), 10));
        outbox.push(turn(2, JournalWrite::Append(entries(1)), 0));
        let first = outbox.take_batch();
        assert_eq!((first.threads.len(), first.orders.len()), (1, 0));
        assert_eq!(first.mail.len(), 1, "the write that it names is in it");
        assert_eq!(first.handled.len(), 1, "its message is consumed with the write");
        assert!(first.turns.is_empty(), "its orders are missing");
        let second = outbox.take_batch();
        assert_eq!((second.threads.len(), second.orders.len()), (1, 10));
        assert_eq!(second.turns, [key(1), key(2)]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_commit_has_a_size_in_bytes() {
        let mut outbox = Outbox::default();
        let big = || JournalWrite::Append(vec![Bytes::from(vec![0; BYTES_MAX / 2 + 1])]);
        outbox.push(turn(1, big(), 0));
        outbox.push(turn(2, big(), 0));
        assert_eq!(outbox.take_batch().turns, [key(1)]);
        assert_eq!(outbox.take_batch().turns, [key(2)]);
    }

    #[test]
    fn commands_that_wait_take_room() {
        let mut outbox = Outbox::default();
        for thread in [1, 2] {
            let command = Bytes::from(vec![0; BYTES_MAX / 2 + 1]);
            let waiting = vec![WaitingChange::Append(command)];
            let write = ThreadWrite { waiting, ..ThreadWrite::none(key(thread)) };
            outbox.push(Turned { write: Some(write), ..Turned::none(key(thread)) });
        }
        assert_eq!(outbox.take_batch().turns, [key(1)]);
        assert_eq!(outbox.take_batch().turns, [key(2)]);
    }
}
