use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::PartitionId;
use rethread_storage::{QueueStatus, Result, Storage, StorageError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long a sample is shown again.
const FRESH: Duration = Duration::from_secs(2);
/// How long taking one may take.
const SAMPLE_MAX: Duration = Duration::from_secs(5);

/// What the storage holds at the moment of what this process owns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) inbox: u64,
    pub(super) active_threads: u64,
    pub(super) dead_letters: u64,
    /// Queues by name; each partition has a part of each.
    pub(super) queues: BTreeMap<String, QueueDepth>,
    /// Workers that live, of the whole namespace.
    pub(super) workers: u64,
}

/// What stands in a queue.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct QueueDepth {
    pub(super) waiting: u64,
    pub(super) assigned: u64,
    pub(super) oldest_ms: u64,
}

impl QueueDepth {
    fn add(&mut self, part: &QueueStatus) {
        self.waiting += part.waiting;
        self.assigned += part.assigned;
        self.oldest_ms = self.oldest_ms.max(part.oldest_ms);
    }
}

/// Takes samples, not more often than is of use, however many ask.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    last: Mutex<Option<(Instant, Arc<Sample>)>>,
}

impl Sampler {
    /// The sample of the last seconds, or a new one.
    pub(super) async fn sample(
        &self,
        storage: &dyn Storage,
        partitions: &[PartitionId],
        dead_after: Duration,
    ) -> Result<Arc<Sample>> {
        let mut last = self.last.lock().await;
        if let Some((at, sample)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(sample));
        }
        let late = || StorageError::Unavailable { reason: "it answers too slowly".into() };
        let taken = timeout(SAMPLE_MAX, take(storage, partitions, dead_after)).await;
        let sample = Arc::new(taken.map_err(|_| late())??);
        *last = Some((Instant::now(), Arc::clone(&sample)));
        Ok(sample)
    }
}

async fn take(
    storage: &dyn Storage,
    partitions: &[PartitionId],
    dead_after: Duration,
) -> Result<Sample> {
    let mut sample = Sample::default();
    for partition in partitions {
        let status = storage.partition_status(*partition).await?;
        sample.inbox += status.inbox;
        sample.active_threads += status.active_threads;
        sample.dead_letters += status.dead_letters;
        for part in &status.queues {
            sample.queues.entry(part.queue.to_string()).or_default().add(part);
        }
    }
    let workers = storage.list_workers().await?;
    let lives = |silent_for_ms| Duration::from_millis(silent_for_ms) < dead_after;
    sample.workers = workers.iter().filter(|worker| lives(worker.silent_for_ms)).count() as u64;
    Ok(sample)
}
