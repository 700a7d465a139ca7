//! Between the core's types and the storage's records.

use rethread_core::checkpoint::Checkpoint;
use rethread_core::event::{Event, EventKind, Refusal, RunOutcome};
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{Millis, QueueName, RunId, ThreadKey, WorkerId};
use rethread_core::journal::{Entry, Fact};
use rethread_core::message::{AttemptOutcome, Command, InboxMessage, Report, TaskOrder};
use rethread_core::record::{Record, RecordError};
use rethread_core::thread::{self, JournalChange, RunEvents, Write};
use rethread_storage::{
    Activity, CheckpointWrite, EventWrite, JournalWrite, LoadedThread, OrderGroup, QueuedOrder,
    ThreadWrite, WaitingChange,
};

/// What is stored of a thread, read.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) header: ThreadHeader,
    pub(crate) journal: Vec<Entry>,
    pub(crate) base: Option<Checkpoint>,
    /// Number of the last event of the header's run; none if the last event is another run's.
    pub(crate) last_event: Option<u64>,
    /// The commands that wait for the run in progress.
    pub(crate) waiting: Vec<Command>,
}

/// Reads a message. An order that its worker cannot read and this build can comes back like one
/// of a task that the worker does not have: it waits for a worker of this version.
///
/// # Errors
/// [`RecordError`], also of an order that nobody can read: [`is_newer`] says whether a newer
/// build can.
pub(crate) fn message(record: &[u8]) -> Result<InboxMessage, RecordError> {
    let message = InboxMessage::from_record(record)?;
    let InboxMessage::Unreadable(order) = &message else { return Ok(message) };
    match TaskOrder::from_record(order) {
        Ok(TaskOrder { target, .. }) => {
            let worker = WorkerId::new("older-worker").expect("invariant: it is a valid id");
            let report = Report { target, worker, outcome: AttemptOutcome::UnknownTask };
            Ok(InboxMessage::Report(report))
        }
        Err(error) if is_newer(&error) => Err(error),
        // Given up as an order, not as a message.
        Err(_) => Ok(message),
    }
}

/// Whether a newer build can read it: then it is left for that.
pub(crate) fn is_newer(error: &RecordError) -> bool {
    matches!(error, RecordError::TooNew { .. })
}

pub(crate) fn thread_write(thread: ThreadKey, write: &Write) -> ThreadWrite {
    ThreadWrite {
        thread,
        header: write.header.as_ref().map(Record::to_record),
        journal: journal_write(&write.journal),
        checkpoints: write.checkpoints.iter().map(checkpoint_write).collect(),
        base: write.base,
        events: write.events.iter().filter_map(event_write).collect(),
        activity: write.activity.map(activity),
        drop_checkpoints: write.drop_checkpoints.clone(),
        delete: write.delete,
        waiting: write.waiting.iter().map(waiting_change).collect(),
    }
}

fn journal_write(change: &JournalChange) -> JournalWrite {
    let entries: Vec<_> = change.append.iter().map(Record::to_record).collect();
    match (change.drop_all, entries.is_empty()) {
        (true, _) => JournalWrite::Replace(entries),
        (false, false) => JournalWrite::Append(entries),
        (false, true) => JournalWrite::Keep,
    }
}

fn waiting_change(change: &thread::WaitingChange) -> WaitingChange {
    match change {
        thread::WaitingChange::Append(command) => WaitingChange::Append(command.to_record()),
        thread::WaitingChange::DropFirst(count) => WaitingChange::DropFirst(*count),
        thread::WaitingChange::Remove(place) => WaitingChange::Remove(*place),
    }
}

fn checkpoint_write(checkpoint: &Checkpoint) -> CheckpointWrite {
    CheckpointWrite { id: checkpoint.id, record: checkpoint.to_record() }
}

fn event_write(events: &RunEvents) -> Option<EventWrite> {
    let first_seq = events.events.first()?.seq;
    let records = events.events.iter().map(Record::to_record).collect();
    Some(EventWrite { run: events.run, first_seq, records, ends: events.ends })
}

fn activity(activity: thread::Activity) -> Activity {
    match activity {
        thread::Activity::Parked => Activity::Parked,
        thread::Activity::Due(at) => Activity::Due(at),
    }
}

pub(crate) fn queued_order(queue: QueueName, order: &TaskOrder) -> QueuedOrder {
    QueuedOrder { queue, group: OrderGroup::of(order.target.execution), order: order.to_record() }
}

pub(crate) fn decode(loaded: &LoadedThread) -> Result<Decoded, RecordError> {
    let header = ThreadHeader::from_record(&loaded.header)?;
    let entries = loaded.journal.iter().map(|entry| Entry::from_record(entry));
    let journal = entries.collect::<Result<Vec<_>, _>>()?;
    let base = loaded.base.as_ref().map(|base| Checkpoint::from_record(base)).transpose()?;
    let last_event = loaded.last_event.filter(|(run, _)| *run == header.run).map(|(_, seq)| seq);
    let waiting = loaded.waiting.iter().map(|command| Command::from_record(command));
    let waiting = waiting.collect::<Result<Vec<_>, _>>()?;
    Ok(Decoded { header, journal, base, last_event, waiting })
}

/// The whole event log of a run that is refused without its thread.
pub(crate) fn refused(thread: ThreadKey, run: RunId, at: Millis, refusal: Refusal) -> ThreadWrite {
    let kind = EventKind::RunEnded(RunOutcome::Refused(refusal));
    let record = Event { seq: 1, at, kind }.to_record();
    let events = vec![EventWrite { run, first_seq: 1, records: vec![record], ends: true }];
    ThreadWrite { events, ..ThreadWrite::none(thread) }
}

/// A report that is kept in the journal until the thread can be loaded again.
pub(crate) fn held(thread: ThreadKey, at: Millis, report: Report) -> ThreadWrite {
    let entry = Entry { at, fact: Fact::Held(report) }.to_record();
    ThreadWrite { journal: JournalWrite::Append(vec![entry]), ..ThreadWrite::none(thread) }
}
