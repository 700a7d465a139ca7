use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::{QueueName, WorkerId};
use rethread_storage::Storage;

use crate::failure_log::FailureLog;
use crate::worker::heard::{Heard, Moment};

/// Says again and again that a worker lives. It runs on the pulse thread: bodies that block
/// their runtime must not make the worker look dead.
pub(super) async fn run(
    storage: Arc<dyn Storage>,
    worker: WorkerId,
    queues: Vec<QueueName>,
    every: Duration,
    heard: Arc<Heard>,
) {
    let failures = FailureLog::new("sending a heartbeat");
    loop {
        tokio::time::sleep(every).await;
        let sent = Moment::now();
        match storage.heartbeat(&worker, &queues).await {
            Ok(()) => {
                heard.note(sent);
                failures.worked();
            }
            Err(error) => failures.failed(&error),
        }
    }
}
