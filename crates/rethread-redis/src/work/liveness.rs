//! Workers that live, that are dead, and that sign off.

use std::collections::HashSet;
use std::time::Duration;

use redis::cmd;
use rethread_core::ids::{QueueName, WorkerId};
use rethread_storage::{Delivery, Receipt, Result};

use super::assigned::Expected;
use super::{PAGE, QUEUE, Stream, delivery, id_text};
use crate::error::Effect;
use crate::lease::millis;
use crate::link::{After, is_refused_with};
use crate::reply::Entry;
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn note_alive(&self, name: &WorkerId, queues: &[QueueName]) -> Result<()> {
        let mut call = script::HEARTBEAT.call(&[self.keys().heartbeats()]);
        call.arg(name.as_str());
        // Repeating it changes nothing that matters.
        let answer = self.link.eval(&script::HEARTBEAT, &call, Effect::Read).await;
        if answer.is_err() {
            // A server that was away may come back with an older state, in which the worker has
            // orders that it has given up since.
            let window = self.link.response_timeout();
            self.workers().get(name).note_doubt(queues, window);
        }
        answer.map(drop)
    }

    pub(crate) async fn take_over(
        &self,
        name: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>> {
        let streams = self.streams(queues);
        let dead = self.dead_consumers(name, &streams, dead_after).await?;
        let worker = self.workers().get(name);
        let _gate = worker.gate.read().await;
        let mut deliveries = Vec::new();
        for (stream, consumer) in dead {
            let room = (max - deliveries.len()).min(PAGE);
            if room == 0 {
                break;
            }
            let mut call = script::RECLAIM.call(&[&*stream.key]);
            call.arg(name.as_str()).arg(&consumer[..]).arg(room);
            let expected = Expected::new(&worker, queues, self.link.response_timeout());
            let taken = self.link.eval(&script::RECLAIM, &call, Effect::Write).await;
            let taken = taken.and_then(|answer| {
                reply::array(answer, QUEUE)?
                    .into_iter()
                    .map(|order| {
                        let mut parts = reply::array(order, QUEUE)?.into_iter();
                        let mut next = || parts.next().unwrap_or_default();
                        let id = reply::stream_id(next(), QUEUE)?;
                        let entry = Entry { id, fields: reply::array(next(), QUEUE)? };
                        let times = reply::number(next(), QUEUE)?;
                        Ok(delivery(stream, entry, u32::try_from(times).unwrap_or(u32::MAX)))
                    })
                    .collect::<Result<Vec<_>>>()
            });
            match taken {
                Ok(taken) => {
                    worker.note_delivered(&taken);
                    expected.arrived();
                    deliveries.extend(taken);
                }
                // What was taken over before must reach the caller.
                Err(_) if !deliveries.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(deliveries)
    }

    /// Consumers of other workers that do not live, with the streams they have read.
    async fn dead_consumers<'a>(
        &self,
        name: &WorkerId,
        streams: &'a [Stream],
        dead_after: Duration,
    ) -> Result<Vec<(&'a Stream, bytes::Bytes)>> {
        // The consumers first: one that appears later has sent a heartbeat before.
        let asks = streams.iter().map(|stream| {
            let mut ask = cmd("XINFO");
            ask.arg("CONSUMERS").arg(&*stream.key).arg("w");
            ask
        });
        let answers = self.link.run_all(asks.collect(), Effect::Read).await?;
        let mut others = Vec::new();
        for (stream, answer) in streams.iter().zip(answers) {
            // No group, or no stream (ERR no such key): nobody has read it yet.
            if is_refused_with(&answer, "NOGROUP") || is_refused_with(&answer, "ERR") {
                continue;
            }
            for consumer in reply::array(self.link.checked(answer)?, QUEUE)? {
                let mut fields = reply::array(consumer, QUEUE)?.into_iter();
                while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
                    if reply::bytes(field, QUEUE)? != "name" {
                        continue;
                    }
                    let consumer = reply::bytes(value, QUEUE)?;
                    if consumer != name.as_str() {
                        others.push((stream, consumer));
                    }
                    break;
                }
            }
        }
        if others.is_empty() {
            return Ok(others);
        }
        let mut call = script::ALIVE.call(&[self.keys().heartbeats()]);
        call.arg(millis(dead_after));
        let answer = self.link.eval(&script::ALIVE, &call, Effect::Read).await?;
        let alive: HashSet<_> = reply::all_bytes(answer, "heartbeats")?.into_iter().collect();
        others.retain(|(_, consumer)| !alive.contains(consumer));
        Ok(others)
    }

    /// Asks for each order by itself, all in one round trip.
    ///
    /// What is not the worker's is not in its hands any more: should the server go back to a state
    /// in which it is, the worker must be given it again.
    pub(crate) async fn still_assigned(
        &self,
        name: &WorkerId,
        receipts: &[Receipt],
    ) -> Result<Vec<bool>> {
        let mut asks = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            let key = self.keys().partition(receipt.partition)?.queue(&receipt.queue);
            let id = id_text(receipt.id);
            let mut ask = cmd("XPENDING");
            ask.arg(key).arg("w").arg(&id).arg(&id).arg(1).arg(name.as_str());
            asks.push(ask);
        }
        let answers = self.link.run_all(asks, Effect::Read).await?;
        let is_assigned = |answer| {
            // A stream or its group was deleted, and the order with it.
            if is_refused_with(&answer, "NOGROUP") {
                return Ok(false);
            }
            Ok(!reply::array(self.link.checked(answer)?, QUEUE)?.is_empty())
        };
        let found: Vec<bool> = answers.into_iter().map(is_assigned).collect::<Result<_>>()?;
        let refused = receipts.iter().zip(&found).filter(|(_, is_assigned)| !**is_assigned);
        self.workers().get(name).note_finished(refused.map(|(receipt, _)| receipt));
        Ok(found)
    }

    pub(crate) async fn sign_off(&self, name: &WorkerId, queues: &[QueueName]) -> Result<()> {
        let calls = self.streams(queues).into_iter().map(|stream| {
            let mut call = script::GIVE_BACK.call(&[&*stream.key]);
            call.arg(name.as_str());
            call
        });
        let answers =
            self.link.write_all(&script::GIVE_BACK, calls.collect(), After::NOTHING).await?;
        answers.into_iter().try_for_each(|answer| answer?.done().map(drop))?;
        let forget = |command: &str, key: &str| {
            let mut forget = cmd(command);
            forget.arg(key).arg(name.as_str());
            forget
        };
        let forgets = vec![
            forget("ZREM", self.keys().heartbeats()),
            forget("HDEL", self.keys().descriptions()),
        ];
        // Repeating it changes nothing.
        for answer in self.link.run_all(forgets, Effect::Read).await? {
            self.link.checked(answer)?;
        }
        self.workers().remove(name);
        Ok(())
    }
}
