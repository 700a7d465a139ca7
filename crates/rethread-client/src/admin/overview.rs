//! Partitions, queues and workers.

use std::collections::BTreeMap;

use rethread_core::ids::PartitionId;
use rethread_core::worker_card::WorkerCard;
use rethread_storage::{PartitionStatus, WorkerStatus};
use serde::Serialize;

use crate::admin::{Admin, decode};
use crate::error::Result;

/// A partition, and who owns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartitionInfo {
    /// Its number, from 0.
    pub partition: u16,
    /// The coordinator that owns it; none if nobody does, or its lease has expired.
    pub owner: Option<OwnerInfo>,
    /// Number of its last commit.
    pub last_commit: u64,
    /// Messages in its inbox.
    pub inbox: u64,
    /// Threads that have work in progress.
    pub active_threads: u64,
    /// Dead letters that are kept.
    pub dead_letters: u64,
}

/// The coordinator that owns a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OwnerInfo {
    /// Its node.
    pub node: String,
    /// How many owners the partition has had, this one included.
    pub epoch: u64,
    /// Time until its lease expires, in milliseconds.
    pub expires_in_ms: u64,
}

/// A queue, of all partitions together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueInfo {
    /// Its name.
    pub queue: String,
    /// Orders that no worker has.
    pub waiting: u64,
    /// Orders that a worker has.
    pub assigned: u64,
    /// Age of the oldest order of either kind, in milliseconds.
    pub oldest_ms: u64,
    /// Workers that live and serve it.
    pub workers: usize,
    /// Their slots; of workers that do not describe themselves none.
    pub slots: u64,
}

/// A worker that has sent a heartbeat within the last hour and has not signed off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its id.
    pub worker: String,
    /// Time since its last heartbeat, in milliseconds. One that is silent for longer than
    /// `worker_dead_after_ms` counts as dead.
    pub silent_for_ms: u64,
    /// The queues it serves, each with its slots.
    pub queues: BTreeMap<String, u32>,
    /// The names of its tasks, sorted.
    pub tasks: Vec<String>,
    /// When it started, in milliseconds since 1970; none if it does not describe itself.
    pub started_at_ms: Option<u64>,
    /// Version of the engine it was built with.
    pub version: Option<String>,
}

/// Silence after which a worker is not counted as serving its queues.
const SILENT_MAX_MS: u64 = 10_000;

impl WorkerInfo {
    /// Whether it was heard of within the last ten seconds.
    pub fn is_alive(&self) -> bool {
        self.silent_for_ms <= SILENT_MAX_MS
    }

    fn new(status: &WorkerStatus) -> Self {
        // A worker that describes itself in a newer way is a worker all the same.
        let card: Option<WorkerCard> = decode("card of a worker", &status.description).ok();
        let queues = card.iter().flat_map(|card| &card.queues);
        Self {
            worker: status.worker.to_string(),
            silent_for_ms: status.silent_for_ms,
            queues: queues.map(|(queue, slots)| (queue.to_string(), *slots)).collect(),
            tasks: card.as_ref().map(|card| card.tasks.clone()).unwrap_or_default(),
            started_at_ms: card.as_ref().map(|card| card.started_at.0),
            version: card.map(|card| card.version),
        }
    }
}

impl PartitionInfo {
    fn new(partition: PartitionId, status: &PartitionStatus) -> Self {
        let owner = status.owner.as_ref().map(|holder| OwnerInfo {
            node: holder.node.to_string(),
            epoch: holder.epoch,
            expires_in_ms: holder.expires_in_ms,
        });
        Self {
            partition: partition.0,
            owner,
            last_commit: status.last_commit,
            inbox: status.inbox,
            active_threads: status.active_threads,
            dead_letters: status.dead_letters,
        }
    }
}

impl Admin {
    /// All partitions, by number.
    ///
    /// # Errors
    /// [`ClientError::Storage`](crate::ClientError::Storage) when the storage cannot be reached.
    pub async fn partitions(&self) -> Result<Vec<PartitionInfo>> {
        let statuses = self.statuses().await?;
        Ok(statuses.iter().map(|(id, status)| PartitionInfo::new(*id, status)).collect())
    }

    /// The queues that hold orders or that a worker serves, by name.
    ///
    /// # Errors
    /// As [`Admin::partitions`].
    pub async fn queues(&self) -> Result<Vec<QueueInfo>> {
        let mut queues: BTreeMap<String, QueueInfo> = BTreeMap::new();
        fn entry<'a>(queues: &'a mut BTreeMap<String, QueueInfo>, name: &str) -> &'a mut QueueInfo {
            queues.entry(name.to_owned()).or_insert_with(|| QueueInfo {
                queue: name.to_owned(),
                waiting: 0,
                assigned: 0,
                oldest_ms: 0,
                workers: 0,
                slots: 0,
            })
        }
        for (_, status) in self.statuses().await? {
            for part in &status.queues {
                let queue = entry(&mut queues, part.queue.as_str());
                queue.waiting += part.waiting;
                queue.assigned += part.assigned;
                queue.oldest_ms = queue.oldest_ms.max(part.oldest_ms);
            }
        }
        for worker in self.workers().await?.iter().filter(|worker| worker.is_alive()) {
            for (name, slots) in &worker.queues {
                let queue = entry(&mut queues, name);
                queue.workers += 1;
                queue.slots += u64::from(*slots);
            }
        }
        Ok(queues.into_values().collect())
    }

    /// The workers, by id.
    ///
    /// # Errors
    /// As [`Admin::partitions`].
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>> {
        let workers = self.client.read(|storage| storage.list_workers()).await?;
        let mut workers: Vec<_> = workers.iter().map(WorkerInfo::new).collect();
        workers.sort_by(|a, b| a.worker.cmp(&b.worker));
        Ok(workers)
    }

    async fn statuses(&self) -> Result<Vec<(PartitionId, PartitionStatus)>> {
        let mut statuses = Vec::new();
        for partition in self.client.partitions() {
            let status = self.client.read(|storage| storage.partition_status(partition)).await?;
            statuses.push((partition, status));
        }
        Ok(statuses)
    }
}
