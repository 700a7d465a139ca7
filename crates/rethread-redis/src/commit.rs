//! The owner's write: one script call for everything.
//!
//! The call is laid out in two passes over the same parts in the same order, first the keys and
//! then the arguments, so that no value is copied more than once.

use redis::{Cmd, Value};
use rethread_core::ids::{CheckpointId, RunId};
use rethread_storage::{
    Activity, Commit, EventWrite, InboxCursor, JournalWrite, QueuedOrder, Result, StorageError,
    ThreadWrite,
};

use crate::error::{Effect, malformed};
use crate::keys::{PartitionKeys, ThreadKeys};
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn apply(&self, commit: &Commit) -> Result<()> {
        let keys = self.keys().partition(commit.lease.partition)?;
        let call = layout(commit, keys, self.event_retention_ms());
        let answer = self.link.eval(&script::COMMIT, &call, Effect::Write).await?;
        let partition = commit.lease.partition;
        let what = "answer to a commit";
        if matches!(answer, Value::Int(0 | 1)) {
            return Ok(());
        }
        let mut answer = reply::array(answer, what)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let refusal = reply::text(next(), what)?;
        match refusal.as_str() {
            "FENCED" => Err(StorageError::Fenced { partition }),
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

fn layout(commit: &Commit, partition: &PartitionKeys, event_retention_ms: u64) -> Cmd {
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
    for run in &orders {
        keys.push(partition.queue(&run[0].queue));
    }

    let (args, bytes) = size(commit);
    let mut call = script::COMMIT.call_with_capacity(&keys, args, bytes);
    call.arg(commit.lease.token.to_string())
        .arg(commit.number)
        .arg(commit.number.saturating_sub(1))
        .arg(commit.consumed.map(oldest_behind).unwrap_or_default())
        .arg(event_retention_ms)
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
    for run in &orders {
        call.arg("Q").arg(run[0].queue.as_str()).arg(run.len());
        for order in *run {
            call.arg(&order.order[..]);
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
        let ThreadKeys { thread, journal, checkpoints, checkpoint_ids } = thread.clone();
        keys.extend([thread, journal, checkpoints, checkpoint_ids]);
    }
    if dropped(write).next().is_some() {
        let ThreadKeys { thread, checkpoints, checkpoint_ids, .. } = thread.clone();
        keys.extend([thread, checkpoints, checkpoint_ids]);
    }
    if changes_fields(write) {
        keys.push(thread.thread);
    }
    if write.journal != JournalWrite::Keep {
        keys.push(thread.journal);
    }
    for _ in &write.checkpoints {
        keys.push(thread.checkpoints.clone());
        keys.push(thread.checkpoint_ids.clone());
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
    if changes_fields(write) {
        let last = last_event(write);
        let fields = [write.header.is_some(), write.base.is_some(), last.is_some()];
        call.arg("H").arg(2 * fields.iter().filter(|present| **present).count());
        if let Some(header) = &write.header {
            call.arg("h").arg(&header[..]);
        }
        if let Some(base) = &write.base {
            call.arg("b").arg(&base.as_uuid().as_bytes()[..]);
        }
        if let Some((run, seq)) = last {
            call.arg("l").arg(format!("{}:{seq}", run.as_uuid().simple()));
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

fn changes_fields(write: &ThreadWrite) -> bool {
    write.header.is_some() || write.base.is_some() || last_event(write).is_some()
}

/// The checkpoints that go by themselves: not with their thread, and not by being replaced.
fn dropped(write: &ThreadWrite) -> impl Iterator<Item = &CheckpointId> {
    let stays = |id: &CheckpointId| write.checkpoints.iter().any(|written| written.id == *id);
    write.drop_checkpoints.iter().filter(move |id| !write.delete && !stays(id))
}

fn last_event(write: &ThreadWrite) -> Option<(RunId, u64)> {
    let last = write.events.iter().rev().find(|event| !event.records.is_empty())?;
    Some((last.run, last.first_seq + last.records.len() as u64 - 1))
}

/// The id of the oldest entry that a trim behind `cursor` leaves.
fn oldest_behind(InboxCursor(ms, seq): InboxCursor) -> String {
    match seq.checked_add(1) {
        Some(seq) => format!("{ms}-{seq}"),
        None => format!("{}-0", ms.saturating_add(1)),
    }
}

/// About how many arguments the commit has, and how many bytes.
fn size(commit: &Commit) -> (usize, usize) {
    let mut args = 9 + commit.consumed_beyond.len() + commit.orders.len() * 2;
    let mut bytes: usize = 128 + commit.consumed_beyond.len() * 20;
    bytes += commit.orders.iter().map(|order| order.order.len()).sum::<usize>();
    for write in &commit.threads {
        args += 20 + write.checkpoints.len() * 3 + write.drop_checkpoints.len();
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
