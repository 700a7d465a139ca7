//! How workers hand in what they did.

use std::collections::BTreeMap;

use redis::Cmd;
use rethread_core::ids::{PartitionId, QueueName, WorkerId};
use rethread_storage::{HandIn, Receipt, Result};

use super::id_text;
use crate::link::{After, Written};
use crate::{RedisStorage, script};

/// The orders of one queue that are handed in together stand between these two.
struct Span<'a> {
    queue: &'a QueueName,
    oldest: (u64, u64),
    newest: (u64, u64),
}

impl<'a> Span<'a> {
    fn of(receipt: &'a Receipt) -> Self {
        Self { queue: &receipt.queue, oldest: receipt.id, newest: receipt.id }
    }

    fn include(&mut self, id: (u64, u64)) {
        self.oldest = self.oldest.min(id);
        self.newest = self.newest.max(id);
    }
}

impl RedisStorage {
    /// One script call for each partition, all in one round trip.
    pub(crate) async fn settle(&self, name: &WorkerId, parts: &[HandIn]) -> Result<()> {
        let mut by_partition: BTreeMap<PartitionId, Vec<&HandIn>> = BTreeMap::new();
        for part in parts {
            by_partition.entry(part.partition).or_default().push(part);
        }
        let mut calls = Vec::with_capacity(by_partition.len());
        for (partition, parts) in &by_partition {
            calls.push(self.settle_call(name, *partition, parts)?);
        }
        let after = After::ringing(self.keys().inbox_bell());
        let answers = self.link.write_all(&script::HAND_IN, calls, after).await?;
        let worker = self.workers().get(name);
        let mut outcome = Ok(());
        for (parts, answer) in by_partition.values().zip(answers) {
            match answer.and_then(Written::done) {
                Ok(_) => {
                    worker.note_finished(parts.iter().filter_map(|part| part.finished.as_ref()));
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    fn settle_call(
        &self,
        name: &WorkerId,
        partition: PartitionId,
        parts: &[&HandIn],
    ) -> Result<Cmd> {
        let keys = self.keys().partition(partition)?;
        let mut queues: Vec<Span<'_>> = Vec::new();
        for receipt in parts.iter().filter_map(|part| part.finished.as_ref()) {
            match queues.iter_mut().find(|span| *span.queue == receipt.queue) {
                Some(span) => span.include(receipt.id),
                None => queues.push(Span::of(receipt)),
            }
        }
        let mut names = vec![keys.inbox.clone()];
        names.extend(queues.iter().map(|span| keys.queue(span.queue)));
        let messages = || parts.iter().flat_map(|part| &part.messages);
        let mut call = script::HAND_IN.call_with_capacity(
            &names,
            1 + queues.len() * 2 + parts.len() * 3 + messages().count(),
            64 + parts.len() * 32 + messages().map(bytes::Bytes::len).sum::<usize>(),
        );
        call.arg(name.as_str());
        for span in &queues {
            call.arg(id_text(span.oldest)).arg(id_text(span.newest));
        }
        for part in parts {
            match &part.finished {
                Some(receipt) => {
                    let queue = queues.iter().position(|span| *span.queue == receipt.queue);
                    // Keys count from 1 in Lua, and the first is the inbox.
                    call.arg(queue.map_or(0, |queue| queue + 2)).arg(id_text(receipt.id));
                }
                None => {
                    call.arg(0).arg("");
                }
            }
            call.arg(part.messages.len());
            for message in &part.messages {
                call.arg(&message[..]);
            }
        }
        Ok(call)
    }
}
