//! `queues`, `owners` and `workers`.

use super::output::{span_ms, table};
use super::{AdminFlags, Result};

pub(super) async fn queues(flags: &AdminFlags) -> Result<()> {
    let place = flags.look().await?;
    let queues = place.admin().queues().await?;
    flags.output().show(&queues, |queues| {
        let row = |queue: &rethread_client::admin::QueueInfo| {
            vec![
                queue.queue.clone(),
                queue.waiting.to_string(),
                queue.assigned.to_string(),
                span_ms(queue.oldest_ms),
                queue.workers.to_string(),
                queue.slots.to_string(),
            ]
        };
        let heads = ["QUEUE", "WAITING", "ASSIGNED", "OLDEST", "WORKERS", "SLOTS"];
        table(&heads, queues.iter().map(row).collect(), "no orders and no workers")
    })?;
    place.close().await
}

pub(super) async fn owners(flags: &AdminFlags) -> Result<()> {
    let place = flags.look().await?;
    let partitions = place.admin().partitions().await?;
    flags.output().show(&partitions, |partitions| {
        let row = |partition: &rethread_client::admin::PartitionInfo| {
            let owner = partition.owner.as_ref();
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            vec![
                partition.partition.to_string(),
                or_none(owner.map(|owner| owner.node.clone())),
                or_none(owner.map(|owner| owner.epoch.to_string())),
                or_none(owner.map(|owner| span_ms(owner.expires_in_ms))),
                partition.inbox.to_string(),
                partition.active_threads.to_string(),
                partition.dead_letters.to_string(),
            ]
        };
        let heads = ["PARTITION", "OWNER", "EPOCH", "LEASE", "INBOX", "ACTIVE", "DEAD"];
        table(&heads, partitions.iter().map(row).collect(), "no partitions")
    })?;
    place.close().await
}

pub(super) async fn workers(flags: &AdminFlags) -> Result<()> {
    let place = flags.look().await?;
    let workers = place.admin().workers().await?;
    flags.output().show(&workers, |workers| {
        let row = |worker: &rethread_client::admin::WorkerInfo| {
            let queues = worker.queues.iter().map(|(queue, slots)| format!("{queue}:{slots}"));
            vec![
                worker.worker.clone(),
                span_ms(worker.silent_for_ms),
                queues.collect::<Vec<_>>().join(","),
                worker.version.clone().unwrap_or_else(|| "-".to_owned()),
                worker.tasks.join(","),
            ]
        };
        let heads = ["WORKER", "SILENT FOR", "QUEUES:SLOTS", "VERSION", "TASKS"];
        table(&heads, workers.iter().map(row).collect(), "no workers within the last hour")
    })?;
    place.close().await
}
