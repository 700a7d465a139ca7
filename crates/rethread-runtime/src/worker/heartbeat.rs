//! Saying that a worker lives, and what it can do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{Millis, QueueName, WorkerId};
use rethread_core::record::Record;
use rethread_core::worker_card::WorkerCard;
use rethread_sdk::Registry;
use rethread_storage::Storage;

use crate::failure_log::FailureLog;
use crate::options::PoolOptions;
use crate::worker::heard::Heard;

/// Time between two descriptions: a storage that lost its data shows the worker again by then.
const DESCRIBE_EVERY: Duration = Duration::from_secs(120);
/// Wait before a description that failed is sent again.
const DESCRIBE_AGAIN: Duration = Duration::from_secs(5);

/// A worker that lives.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) worker: WorkerId,
    pub(super) queues: Vec<QueueName>,
    pub(super) every: Duration,
    pub(super) heard: Arc<Heard>,
    /// How it describes itself to operators.
    pub(super) card: Bytes,
}

impl Pulse {
    /// Says again and again that the worker lives, and what it can do. It runs on the pulse
    /// thread: bodies that block their runtime must not make the worker look dead.
    pub(super) async fn run(self) {
        tokio::join!(self.beat(), self.describe());
    }

    async fn beat(&self) {
        let failures = FailureLog::new("sending a heartbeat");
        loop {
            tokio::time::sleep(self.every).await;
            let sent = self.heard.now();
            match self.storage.heartbeat(&self.worker, &self.queues).await {
                Ok(()) => {
                    self.heard.note(sent);
                    failures.worked();
                }
                Err(error) => failures.failed(&error),
            }
        }
    }

    async fn describe(&self) {
        let failures = FailureLog::new("describing a worker");
        loop {
            let wait = match self.storage.describe_worker(&self.worker, self.card.clone()).await {
                Ok(()) => {
                    failures.worked();
                    DESCRIBE_EVERY
                }
                Err(error) => {
                    failures.failed(&error);
                    DESCRIBE_AGAIN
                }
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// What a worker with these pools and this code can do.
pub(super) fn card(pools: &[PoolOptions], registry: &Registry, started_at: Millis) -> Bytes {
    let slots = |pool: &PoolOptions| u32::try_from(pool.slots).unwrap_or(u32::MAX);
    let mut tasks: Vec<_> = registry.task_names().map(str::to_owned).collect();
    tasks.sort_unstable();
    let card = WorkerCard {
        queues: pools.iter().map(|pool| (pool.queue.clone(), slots(pool))).collect(),
        tasks,
        started_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    card.to_record()
}
