//! What operators see of a partition and of workers.

use std::collections::HashMap;

use bytes::Bytes;
use redis::Value;
use rethread_core::ids::{NodeId, OwnerToken, PartitionId, QueueName, WorkerId};
use rethread_storage::{
    OrderStatus, PartitionHolder, PartitionStatus, QueueStatus, Result, WorkerStatus,
};

use crate::error::{Effect, malformed};
use crate::work::{Order, PAGE, QUEUE, read_order};
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn status_of(&self, partition: PartitionId) -> Result<PartitionStatus> {
        let queues = self.queues_of(partition).await?;
        let keys = self.keys().partition(partition)?;
        let mut names = vec![
            keys.lease.clone(),
            keys.inbox.clone(),
            keys.active.clone(),
            keys.dead_letters.clone(),
        ];
        names.extend(queues.iter().map(|queue| keys.queue(queue)));
        let mut call = script::PARTITION_STATUS.call(&names);
        call.arg(self.dead_letter_retention_ms());
        let what = format!("status of {partition}");
        let answer = self.link.eval(&script::PARTITION_STATUS, &call, Effect::Read).await?;
        let mut answer = reply::array(answer, &what)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let holder = reply::text(next(), &what)?;
        let token = reply::text(next(), &what)?;
        let expires_in_ms = reply::number(next(), &what)?;
        let owner = match holder.as_str() {
            "" => None,
            _ => Some(read_holder(holder, &token, expires_in_ms, &what)?),
        };
        let mut count = || reply::number(next(), &what);
        let mut status = PartitionStatus {
            owner,
            last_commit: count()?,
            inbox: count()?,
            active_threads: count()?,
            dead_letters: count()?,
            queues: Vec::new(),
        };
        for queue in queues {
            let mut numbers = reply::array(next(), &what)?.into_iter();
            let mut count = || reply::number(numbers.next().unwrap_or_default(), &what);
            let (orders, assigned, oldest_ms) = (count()?, count()?, count()?);
            if orders > 0 {
                let waiting = orders.saturating_sub(assigned);
                status.queues.push(QueueStatus { queue, waiting, assigned, oldest_ms });
            }
        }
        Ok(status)
    }

    pub(crate) async fn orders_of(
        &self,
        partition: PartitionId,
        max: usize,
    ) -> Result<Vec<OrderStatus>> {
        let mut orders = Vec::new();
        for queue in self.queues_of(partition).await? {
            let mut from = "-".to_owned();
            while orders.len() < max {
                let count = (max - orders.len()).min(PAGE);
                let page = self.page_of_orders(partition, &queue, &from, count).await?;
                let is_last = page.len() < count;
                if let Some((id, _)) = page.last() {
                    from = format!("({}-{}", id.0, id.1);
                }
                orders.extend(page.into_iter().map(|(_, order)| order));
                if is_last {
                    break;
                }
            }
        }
        Ok(orders)
    }

    async fn page_of_orders(
        &self,
        partition: PartitionId,
        queue: &QueueName,
        from: &str,
        count: usize,
    ) -> Result<Vec<((u64, u64), OrderStatus)>> {
        let mut call = script::LIST_ORDERS.call(&[self.keys().partition(partition)?.queue(queue)]);
        call.arg(from).arg(count);
        let answer = self.link.eval(&script::LIST_ORDERS, &call, Effect::Read).await?;
        let mut answer = reply::array(answer, QUEUE)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let now = reply::number(next(), QUEUE)?;
        let entries = reply::entries(next(), QUEUE)?;
        let mut holders = HashMap::new();
        for pending in reply::array(next(), QUEUE)? {
            let mut parts = reply::array(pending, QUEUE)?.into_iter();
            let mut part = || parts.next().unwrap_or_default();
            holders.insert(reply::stream_id(part(), QUEUE)?, read_worker(part())?);
        }
        let mut page = Vec::with_capacity(entries.len());
        for entry in entries {
            let id = entry.id;
            let Order { order, .. } = read_order(entry);
            let (worker, age_ms) = (holders.remove(&id), now.saturating_sub(id.0));
            page.push((id, OrderStatus { queue: queue.clone(), order, worker, age_ms }));
        }
        Ok(page)
    }

    pub(crate) async fn keep_description(
        &self,
        worker: &WorkerId,
        description: &Bytes,
    ) -> Result<()> {
        let keys = [self.keys().heartbeats(), self.keys().descriptions()];
        let mut call = script::DESCRIBE_WORKER.call(&keys);
        call.arg(worker.as_str()).arg(&description[..]);
        // Repeating it changes nothing that matters.
        self.link.eval(&script::DESCRIBE_WORKER, &call, Effect::Read).await?;
        Ok(())
    }

    pub(crate) async fn workers_heard(&self) -> Result<Vec<WorkerStatus>> {
        let keys = [self.keys().heartbeats(), self.keys().descriptions()];
        let call = script::LIST_WORKERS.call(&keys);
        let answer = self.link.eval(&script::LIST_WORKERS, &call, Effect::Read).await?;
        let mut workers = Vec::new();
        for worker in reply::array(answer, WORKERS)? {
            let mut parts = reply::array(worker, WORKERS)?.into_iter();
            let mut next = || parts.next().unwrap_or_default();
            workers.push(WorkerStatus {
                worker: read_worker(next())?,
                silent_for_ms: reply::number(next(), WORKERS)?,
                description: reply::bytes(next(), WORKERS)?,
            });
        }
        workers.sort_unstable_by(|a, b| a.worker.cmp(&b.worker));
        Ok(workers)
    }
}

const WORKERS: &str = "list of workers";

fn read_worker(value: Value) -> Result<WorkerId> {
    WorkerId::new(reply::text(value, WORKERS)?)
        .map_err(|error| malformed(WORKERS, error.to_string()))
}

fn read_holder(
    node: String,
    token: &str,
    expires_in_ms: u64,
    what: &str,
) -> Result<PartitionHolder> {
    let node = NodeId::new(node).map_err(|error| malformed(what, error.to_string()))?;
    let OwnerToken { epoch, .. } =
        token.parse().map_err(|_| malformed(what, "its token is not `epoch:nonce`"))?;
    Ok(PartitionHolder { node, epoch, expires_in_ms })
}
