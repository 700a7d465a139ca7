//! The owner's write: one script call for everything.
//!
//! The call is laid out in two passes over the same parts in the same order, first the keys and
//! then the arguments, so that no value is copied more than once.

use std::collections::BTreeSet;

use redis::{Cmd, Value};
use rethread_core::ids::{CheckpointId, QueueName};
use rethread_storage::{
    Activity, Commit, EventWrite, InboxCursor, JournalWrite, OrderGroup, QueuedOrder, Result,
    StorageError, ThreadWrite, WaitingChange,
};

use crate::error::malformed;
use crate::keys::{PartitionKeys, ThreadKeys};
use crate::link::{After, Written};
use crate::slots::{self, LastEvent};
use crate::withdrawal::Sighting;
use crate::{RedisStorage, reply, script};

/// Most dead letters that a partition keeps; the oldest go.
const DEAD_LETTERS_MAX: usize = 10_000;

impl RedisStorage {
    fn retention(&self) -> Retention {
        Retention {
            events: self.event_retention_ms(),
            dead_letters: self.dead_letter_retention_ms(),
        }
    }

    pub(crate) async fn apply(&self, commit: &Commit) -> Result<()> {
        let keys = self.keys().partition(commit.lease.partition)?;
        // Rare, so it may cost round trips.
        let sightings = match commit.withdrawn.as_slice() {
            [] => Vec::new(),
            groups => self.look_for(commit.lease.partition, groups).await?,
        };
        let unnamed = self.queue_names().unnamed(commit);
        let call = layout(commit, keys, &sightings, &unnamed, &self.retention());
        let after = match commit.orders.as_slice() {
            [] => After::ACKNOWLEDGED,
            _ => After::ringing(self.keys().queue_bell()),
        };
        let Written { value: answer, kept } =
            self.link.write(&script::COMMIT, &call, after).await?;
        let partition = commit.lease.partition;
        let what = "answer to a commit";
        if matches!(answer, Value::Int(0 | 1)) {
            kept?;
            self.history().note(partition, commit.lease.token, commit.number);
            if answer == Value::Int(1) {
                self.queue_names().note(commit.lease, unnamed);
            }
            return Ok(());
        }
        let mut answer = reply::array(answer, what)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let refusal = reply::text(next(), what)?;
        match refusal.as_str() {
            "FENCED" => {
                self.history().check(partition, reply::number(next(), what)?)?;
                let (began, holder) = (reply::text(next(), what)?, reply::text(next(), what)?);
                self.check_beginning(partition, &holder, &began)?;
                Err(StorageError::Fenced { partition })
            }
            "ROLLEDBACK" => Err(StorageError::RolledBack {
                partition,
                expected: commit.number.saturating_sub(1),
                found: reply::number(next(), what)?,
            }),
            "EVENTS" => Err(malformed(
                "event log",
                format!(
                    "{} ends with event {}, which is not the one before the first to be written",
                    reply::text(next(), what)?,
                    reply::number(next(), what)?
                ),
            )),
            other => Err(malformed(what, format!("`{other}` is not a refusal"))),
        }
    }
}

/// How long things are kept, in milliseconds.
struct Retention {
    events: u64,
    dead_letters: u64,
}

fn layout(
    commit: &Commit,
    partition: &PartitionKeys,
    sightings: &[Sighting],
    unnamed: &BTreeSet<QueueName>,
    retention: &Retention,
) -> Cmd {
    let orders = by_queue(&commit.orders);
    let mut keys = vec![
        partition.lease.clone(),
        partition.inbox.clone(),
        partition.active.clone(),
        partition.queue_names.clone(),
    ];
    for event in events(commit) {
        keys.push(partition.events(event.run));
        keys.push(partition.events_offset(event.run));
    }
    for thread in &commit.threads {
        push_thread_keys(&mut keys, thread, partition);
    }
    if !commit.dead_letters.is_empty() {
        keys.push(partition.dead_letters.clone());
    }
    keys.extend(sightings.iter().map(|sighting| sighting.queue.clone()));
    for run in &orders {
        keys.push(partition.queue(&run[0].queue));
    }

    let (args, bytes) = size(commit);
    let mut call = script::COMMIT.call_with_capacity(&keys, args, bytes);
    call.arg(commit.lease.token.to_string())
        .arg(commit.number)
        .arg(commit.number.saturating_sub(1))
        .arg(commit.consumed.map(oldest_behind).unwrap_or_default())
        .arg(retention.events)
        .arg(events(commit).count())
        .arg(commit.consumed_beyond.len());
    for InboxCursor(ms, seq) in &commit.consumed_beyond {
        call.arg(format!("{ms}-{seq}"));
    }
    for event in events(commit) {
        call.arg(event.first_seq).arg(u8::from(event.ends)).arg(event.records.len());
        for record in &event.records {
            call.arg(&record[..]);
        }
    }
    for thread in &commit.threads {
        push_thread_args(&mut call, thread);
    }
    if !commit.dead_letters.is_empty() {
        call.arg("L").arg(retention.dead_letters).arg(DEAD_LETTERS_MAX);
        call.arg(commit.dead_letters.len());
        for letter in &commit.dead_letters {
            call.arg(&letter[..]);
        }
    }
    if !sightings.is_empty() {
        call.arg("W").arg(sightings.len()).arg(commit.withdrawn.len());
        for OrderGroup(group) in &commit.withdrawn {
            call.arg(&group[..]);
        }
        for Sighting { unseen, orders, .. } in sightings {
            call.arg(unseen).arg(orders.len()).arg(orders);
        }
    }
    for run in &orders {
        let queue = &run[0].queue;
        call.arg("Q").arg(if unnamed.contains(queue) { queue.as_str() } else { "" });
        call.arg(run.len());
        for order in *run {
            call.arg(&order.group.0[..]).arg(&order.order[..]);
        }
    }
    call
}

fn events(commit: &Commit) -> impl Iterator<Item = &EventWrite> {
    commit.threads.iter().flat_map(|thread| &thread.events)
}

/// Orders that follow each other into the same queue go in together; their order stays.
fn by_queue(orders: &[QueuedOrder]) -> Vec<&[QueuedOrder]> {
    orders.chunk_by(|a, b| a.queue == b.queue).collect()
}

fn push_thread_keys(keys: &mut Vec<String>, write: &ThreadWrite, partition: &PartitionKeys) {
    let thread = partition.thread(write.thread);
    if write.delete {
        let ThreadKeys { thread, checkpoints, checkpoint_ids, waiting } = thread.clone();
        keys.extend([thread, checkpoints, checkpoint_ids, waiting]);
    }
    if dropped(write).next().is_some() {
        let ThreadKeys { thread, checkpoints, checkpoint_ids, .. } = thread.clone();
        keys.extend([thread, checkpoints, checkpoint_ids]);
    }
    if changes_slots(write) {
        keys.push(thread.thread.clone());
    }
    if write.journal != JournalWrite::Keep {
        keys.push(thread.thread.clone());
    }
    for _ in &write.checkpoints {
        keys.push(thread.thread.clone());
        keys.push(thread.checkpoints.clone());
        keys.push(thread.checkpoint_ids.clone());
    }
    for _ in &write.waiting {
        keys.push(thread.waiting.clone());
    }
}

fn push_thread_args(call: &mut Cmd, write: &ThreadWrite) {
    if write.delete {
        call.arg("X").arg(&write.thread.as_bytes()[..]);
    }
    let count = dropped(write).count();
    if count > 0 {
        call.arg("V").arg(count);
        for id in dropped(write) {
            call.arg(&id.as_uuid().as_bytes()[..]);
        }
    }
    if changes_slots(write) {
        let last = last_event(write);
        let changed = [write.header.is_some(), write.base.is_some(), last.is_some()];
        call.arg("H").arg(2 * changed.iter().filter(|changed| **changed).count());
        if let Some(header) = &write.header {
            call.arg(slots::HEADER).arg(&header[..]);
        }
        if let Some(base) = &write.base {
            call.arg(slots::BASE).arg(&base.as_uuid().as_bytes()[..]);
        }
        if let Some(last) = last {
            call.arg(slots::LAST_EVENT).arg(last.encode());
        }
    }
    match &write.journal {
        JournalWrite::Keep => {}
        JournalWrite::Append(entries) | JournalWrite::Replace(entries) => {
            let replaces = matches!(write.journal, JournalWrite::Replace(_));
            call.arg(if replaces { "R" } else { "A" }).arg(entries.len());
            for entry in entries {
                call.arg(&entry[..]);
            }
        }
    }
    for checkpoint in &write.checkpoints {
        call.arg("C").arg(&checkpoint.id.as_uuid().as_bytes()[..]).arg(&checkpoint.record[..]);
    }
    for change in &write.waiting {
        match change {
            WaitingChange::Append(command) => call.arg("T").arg(1).arg(&command[..]),
            WaitingChange::DropFirst(count) => {
                call.arg("U").arg(i64::try_from(*count).unwrap_or(i64::MAX))
            }
            WaitingChange::Remove(place) => call.arg("Y").arg(*place),
        };
    }
    match write.activity {
        None => {}
        Some(Activity::Due(at)) => {
            call.arg("D").arg(at.0).arg(&write.thread.as_bytes()[..]);
        }
        Some(Activity::Parked) => {
            call.arg("P").arg(&write.thread.as_bytes()[..]);
        }
    }
}

fn changes_slots(write: &ThreadWrite) -> bool {
    write.header.is_some() || write.base.is_some() || last_event(write).is_some()
}

/// The checkpoints that go by themselves: not with their thread, and not by being replaced.
fn dropped(write: &ThreadWrite) -> impl Iterator<Item = &CheckpointId> {
    let stays = |id: &CheckpointId| write.checkpoints.iter().any(|written| written.id == *id);
    write.drop_checkpoints.iter().filter(move |id| !write.delete && !stays(id))
}

/// What the slot of the last event is to say: nothing while a run goes on, whose log tells.
fn last_event(write: &ThreadWrite) -> Option<LastEvent> {
    let last = write.events.iter().rev().find(|event| !event.records.is_empty())?;
    // With a header the slot costs nothing, and tells of a thread that was made anew.
    let changes_anyway = write.header.is_some() || write.delete || write.events.len() > 1;
    let is_told = last.first_seq == 1 || last.ends || changes_anyway;
    let number = last.first_seq + last.records.len() as u64 - 1;
    is_told.then_some(LastEvent { run: last.run, number, is_open: !last.ends })
}

/// The id of the oldest entry that a trim behind `cursor` leaves.
fn oldest_behind(InboxCursor(ms, seq): InboxCursor) -> String {
    match seq.checked_add(1) {
        Some(seq) => format!("{ms}-{seq}"),
        None => format!("{}-0", ms.saturating_add(1)),
    }
}

fn waiting_bytes(change: &WaitingChange) -> usize {
    match change {
        WaitingChange::Append(command) => command.len() + 8,
        WaitingChange::DropFirst(_) | WaitingChange::Remove(_) => 8,
    }
}

/// About how many arguments the commit has, and how many bytes.
fn size(commit: &Commit) -> (usize, usize) {
    let mut args = 16 + commit.consumed_beyond.len() + commit.orders.len() * 3;
    args += commit.withdrawn.len() + commit.dead_letters.len();
    let mut bytes: usize = 128 + commit.consumed_beyond.len() * 20 + commit.withdrawn.len() * 16;
    bytes += commit.orders.iter().map(|order| order.order.len() + 16).sum::<usize>();
    bytes += commit.dead_letters.iter().map(bytes::Bytes::len).sum::<usize>();
    for write in &commit.threads {
        args += 20 + write.checkpoints.len() * 3 + write.drop_checkpoints.len();
        args += write.waiting.len() * 3;
        bytes += write.waiting.iter().map(waiting_bytes).sum::<usize>();
        bytes += 192
            + write.drop_checkpoints.len() * 16
            + write.header.as_ref().map_or(0, bytes::Bytes::len);
        bytes += write.checkpoints.iter().map(|write| write.record.len() + 20).sum::<usize>();
        if let JournalWrite::Append(entries) | JournalWrite::Replace(entries) = &write.journal {
            args += entries.len();
            bytes += entries.iter().map(bytes::Bytes::len).sum::<usize>();
        }
        for event in &write.events {
            args += 3 + event.records.len();
            bytes += 32 + event.records.iter().map(bytes::Bytes::len).sum::<usize>();
        }
    }
    (args, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trim_keeps_what_stands_behind_the_cursor() {
        assert_eq!(oldest_behind(InboxCursor(5, 7)), "5-8");
        assert_eq!(oldest_behind(InboxCursor(5, u64::MAX)), "6-0");
        assert_eq!(oldest_behind(InboxCursor::START), "0-1");
    }
}
