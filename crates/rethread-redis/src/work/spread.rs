//! How workers take orders on a cluster, where each partition is asked by itself.

use std::collections::VecDeque;

use redis::Value;
use rethread_core::ids::{QueueName, WorkerId};
use rethread_storage::{Delivery, Result};
use tokio::time::Instant;

use super::assigned::{Expected, Worker};
use super::{QUEUE, Stream, delivery};
use crate::link::After;
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    /// Takes what is there, and waits for the bell if there is nothing.
    pub(super) async fn take_spread(
        &self,
        name: &WorkerId,
        worker: &Worker,
        queues: &[QueueName],
        streams: &[Stream],
        max: usize,
        deadline: Instant,
    ) -> Result<Vec<Delivery>> {
        let mut bell = self.queue_bell.listen(&self.watches, self.keys().queue_bell()).await?;
        loop {
            let expected = Expected::new(worker, queues, self.link.response_timeout());
            let (mut deliveries, is_sure) = self.take_from_each(name, streams, max).await?;
            let excess = deliveries.split_off(max.min(deliveries.len()));
            if !excess.is_empty() {
                // What cannot be given back now is found as lost later.
                self.put_back(name, streams, &excess).await?;
            }
            worker.note_delivered(&deliveries);
            if is_sure {
                expected.arrived();
            }
            if !deliveries.is_empty() || !bell.wait(deadline).await {
                return Ok(deliveries);
            }
        }
    }

    /// Asks some partitions at once, and more of them each time, until there are enough orders or
    /// there is nothing left. Says whether all that was asked has answered; fails if nothing came
    /// for that reason.
    async fn take_from_each(
        &self,
        name: &WorkerId,
        streams: &[Stream],
        max: usize,
    ) -> Result<(Vec<Delivery>, bool)> {
        let mut left: VecDeque<&[Stream]> =
            streams.chunk_by(|a, b| a.partition == b.partition).collect();
        let mut deliveries = Vec::new();
        let mut failure = None;
        let mut at_once = max;
        while deliveries.len() < max && !left.is_empty() {
            let asked: Vec<_> = left.drain(..at_once.min(left.len())).collect();
            let room = ((max - deliveries.len()) / asked.len()).max(1);
            let calls = asked.iter().map(|group| {
                let keys: Vec<&str> = group.iter().map(|stream| &*stream.key).collect();
                let mut call = script::FETCH.call(&keys);
                call.arg(name.as_str()).arg(room);
                call
            });
            let answers =
                self.link.write_all(&script::FETCH, calls.collect(), After::NOTHING).await?;
            for (group, answer) in asked.into_iter().zip(answers) {
                let before = deliveries.len();
                match answer {
                    Ok(written) => read_group(group, written.value, &mut deliveries)?,
                    Err(error) => failure = Some(error),
                }
                if deliveries.len() - before >= room {
                    left.push_back(group);
                }
            }
            at_once = at_once.saturating_mul(2);
        }
        match failure {
            Some(error) if deliveries.is_empty() => Err(error),
            failure => Ok((deliveries, failure.is_none())),
        }
    }
}

fn read_group(streams: &[Stream], answer: Value, deliveries: &mut Vec<Delivery>) -> Result<()> {
    for (stream, entries) in streams.iter().zip(reply::array(answer, QUEUE)?) {
        for entry in reply::entries(entries, QUEUE)? {
            deliveries.push(delivery(stream, entry, 1));
        }
    }
    Ok(())
}
