//! Work queues: a stream for each queue and partition, read as the consumer group `w`.
//!
//! An entry is deleted when its order is handed in, so the length of a stream is the number of
//! orders that are queued or assigned.

mod assigned;
mod fetch;
mod liveness;
mod settle;
mod spread;

use std::sync::Arc;

use bytes::Bytes;
use redis::cmd;
use rethread_core::ids::{PartitionId, QueueName};
use rethread_storage::{Delivery, OrderGroup, QueuedOrder, Receipt, Result};

pub(crate) use assigned::Workers;

use crate::RedisStorage;
use crate::error::{Effect, malformed};
use crate::reply::{self, Entry};

pub(crate) const QUEUE: &str = "work queue";
pub(crate) const PAGE: usize = 1000;

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

    /// Queues of a partition that have had orders, sorted.
    pub(crate) async fn queues_of(&self, partition: PartitionId) -> Result<Vec<QueueName>> {
        let mut members = cmd("SMEMBERS");
        members.arg(&self.keys().partition(partition)?.queue_names);
        let answer = self.link.run(&members, Effect::Read).await?;
        let read = |name| {
            QueueName::new(reply::text(name, QUEUE)?)
                .map_err(|error| malformed(QUEUE, error.to_string()))
        };
        let mut queues =
            reply::array(answer, QUEUE)?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        queues.sort_unstable();
        Ok(queues)
    }

    pub(crate) async fn all_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        let keys = self.keys().partition(partition)?;
        let mut orders = Vec::new();
        for queue in self.queues_of(partition).await? {
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
                    let Order { group, order, .. } = read_order(entry);
                    orders.push(QueuedOrder { queue: queue.clone(), group, order });
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(orders)
    }
}

/// An order as it stands in its queue.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) group: OrderGroup,
    pub(crate) order: Bytes,
    /// How often it was given to workers before it was put back, without those times that it was
    /// handed back.
    fetches: u32,
    /// The same with those times.
    given: u32,
}

/// An entry that is no order of ours becomes one that its reader cannot decode: it is told of and
/// taken out like any other, and does not stand in the way of those beside it.
pub(crate) fn read_order(entry: Entry) -> Order {
    let foreign =
        Order { group: OrderGroup([0; 16]), order: entry.first_value(), fetches: 0, given: 0 };
    parse_order(entry).unwrap_or(foreign)
}

fn parse_order(mut entry: Entry) -> Result<Order> {
    let order = entry.take(0, "o", QUEUE)?;
    let group = <[u8; 16]>::try_from(&entry.take(1, "e", QUEUE)?[..])
        .map_err(|_| malformed(QUEUE, "the group of an order does not have 16 bytes"))?;
    let group = OrderGroup(group);
    if entry.fields.len() == 4 {
        return Ok(Order { group, order, fetches: 0, given: 0 });
    }
    let mut count = |index, name| {
        let count = entry.take(index, name, QUEUE)?;
        let count = reply::number(redis::Value::BulkString(count.into()), QUEUE)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    };
    Ok(Order { group, order, fetches: count(2, "f")?, given: count(3, "g")? })
}

fn delivery(stream: &Stream, entry: Entry, times: u32) -> Delivery {
    let id = entry.id;
    let Order { order, fetches, given, .. } = read_order(entry);
    Delivery {
        receipt: Receipt { partition: stream.partition, queue: stream.queue.clone(), id },
        fetches: fetches.saturating_add(times),
        given: given.saturating_add(times),
        order,
    }
}

fn id_text((ms, seq): (u64, u64)) -> String {
    format!("{ms}-{seq}")
}
