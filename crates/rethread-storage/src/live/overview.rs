//! What operators see of the state in memory.

use std::collections::BTreeMap;

use rethread_core::ids::{Millis, PartitionId, QueueName};

use super::Live;
use crate::{OrderStatus, PartitionStatus, QueueStatus, Result};

impl Live {
    pub(crate) fn partition_status(&self, id: PartitionId, now: Millis) -> Result<PartitionStatus> {
        let partition = self.partition(id)?;
        let letters = partition.letters.list(None, now, self.limits.dead_letter_retention_ms);
        Ok(PartitionStatus {
            owner: partition.ownership.holder(now),
            last_commit: partition.ownership.last_commit(),
            inbox: partition.inbox.len(),
            active_threads: partition.active.len() as u64,
            dead_letters: letters.count() as u64,
            queues: self.queues_of(id, now),
        })
    }

    fn queues_of(&self, id: PartitionId, now: Millis) -> Vec<QueueStatus> {
        let mut queues = BTreeMap::<&QueueName, QueueStatus>::new();
        for order in self.work.of_partition(id) {
            let queue = queues.entry(&order.queue).or_insert_with(|| QueueStatus {
                queue: order.queue.clone(),
                waiting: 0,
                assigned: 0,
                oldest_ms: 0,
            });
            match order.holder {
                None => queue.waiting += 1,
                Some(_) => queue.assigned += 1,
            }
            queue.oldest_ms = queue.oldest_ms.max(now.0.saturating_sub(order.entered.0));
        }
        queues.into_values().collect()
    }

    pub(crate) fn list_orders(
        &self,
        id: PartitionId,
        max: usize,
        now: Millis,
    ) -> Result<Vec<OrderStatus>> {
        self.partition(id)?;
        let orders = self.work.of_partition(id).take(max).map(|order| OrderStatus {
            queue: order.queue.clone(),
            order: order.record.clone(),
            worker: order.holder.clone(),
            age_ms: now.0.saturating_sub(order.entered.0),
        });
        Ok(orders.collect())
    }
}
