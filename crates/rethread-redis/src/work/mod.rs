//! Work queues: a stream for each queue and partition, read as the consumer group `w`.
//!
//! An entry is deleted when its order is handed in, so the length of a stream is the number of
//! orders that are queued or assigned.

mod assigned;
mod fetch;
mod liveness;
mod settle;

use std::sync::Arc;

use bytes::Bytes;
use redis::cmd;
use rethread_core::ids::{PartitionId, QueueName};
use rethread_storage::{Delivery, OrderGroup, QueuedOrder, Receipt, Result};

pub(crate) use assigned::Workers;

use crate::RedisStorage;
use crate::error::{Effect, malformed};
use crate::reply::{self, Entry};

const QUEUE: &str = "work queue";
const PAGE: usize = 1000;

/// One stream of orders.
#[derive(Debug, Clone)]
struct Stream {
    key: Arc<str>,
    partition: PartitionId,
    queue: QueueName,
}

impl RedisStorage {
    /// The streams of these queues, partition by partition.
    fn streams(&self, queues: &[QueueName]) -> Vec<Stream> {
        let of_queues: Vec<_> =
            queues.iter().map(|queue| (queue, self.keys().queue_streams(queue))).collect();
        let mut streams = Vec::with_capacity(queues.len() * usize::from(self.keys().count()));
        for partition in 0..self.keys().count() {
            for (queue, keys) in &of_queues {
                streams.push(Stream {
                    key: keys[usize::from(partition)].clone(),
                    partition: PartitionId(partition),
                    queue: (*queue).clone(),
                });
            }
        }
        streams
    }

    pub(crate) async fn all_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        let keys = self.keys().partition(partition)?;
        let mut members = cmd("SMEMBERS");
        members.arg(&keys.queue_names);
        let answer = self.link.run(&members, Effect::Read).await?;
        let mut orders = Vec::new();
        for name in reply::array(answer, QUEUE)? {
            let queue = QueueName::new(reply::text(name, QUEUE)?)
                .map_err(|error| malformed(QUEUE, error.to_string()))?;
            let key = keys.queue(&queue);
            // Pages, so that a long queue does not hold up the server. Nothing is missed: an
            // order that is put back meanwhile moves towards the end.
            let mut from = "-".to_owned();
            loop {
                let mut range = cmd("XRANGE");
                range.arg(&key).arg(&from).arg("+").arg("COUNT").arg(PAGE);
                let answer = self.link.run(&range, Effect::Read).await?;
                let entries = reply::entries(answer, QUEUE)?;
                let is_last = entries.len() < PAGE;
                if let Some(entry) = entries.last() {
                    from = format!("({}-{}", entry.id.0, entry.id.1);
                }
                for entry in entries {
                    let order = read_order(entry)?.1;
                    orders.push(QueuedOrder {
                        queue: queue.clone(),
                        group: OrderGroup([0; 16]),
                        order,
                    });
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(orders)
    }
}

/// How often an order was given to workers before it was put back.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    /// Without those times that it was handed back.
    fetches: u32,
    /// At all.
    given: u32,
}

fn read_order(mut entry: Entry) -> Result<(Before, Bytes)> {
    let order = entry.take(0, "o", QUEUE)?;
    if entry.fields.len() == 2 {
        return Ok((Before::default(), order));
    }
    let mut count = |index, name| {
        let count = entry.take(index, name, QUEUE)?;
        let count = reply::number(redis::Value::BulkString(count.into()), QUEUE)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    };
    Ok((Before { fetches: count(1, "f")?, given: count(2, "g")? }, order))
}

fn delivery(stream: &Stream, entry: Entry, times: u32) -> Result<Delivery> {
    let id = entry.id;
    let (before, order) = read_order(entry)?;
    Ok(Delivery {
        receipt: Receipt { partition: stream.partition, queue: stream.queue.clone(), id },
        fetches: before.fetches.saturating_add(times),
        given: before.given.saturating_add(times),
        order,
    })
}

fn id_text((ms, seq): (u64, u64)) -> String {
    format!("{ms}-{seq}")
}
