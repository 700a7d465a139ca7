use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::{QueueName, WorkerId};
use rethread_storage::Storage;

/// Says again and again that a worker lives. It runs on the pulse thread: bodies that block
/// their runtime must not make the worker look dead.
pub(super) async fn run(
    storage: Arc<dyn Storage>,
    worker: WorkerId,
    queues: Vec<QueueName>,
    every: Duration,
) {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = storage.heartbeat(&worker, &queues).await {
            tracing::warn!(%worker, %error, "heartbeat failed, trying again");
        }
    }
}
