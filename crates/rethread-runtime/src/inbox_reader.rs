use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::engine::Engine;

/// Messages of one partition in one read.
const READ_MAX: usize = 500;
/// How long one read waits for messages.
const READ_WAIT: Duration = Duration::from_secs(1);
/// Wait after a failed read.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// Reads the inboxes of all owned partitions for as long as the engine runs. Dropping the future
/// ends all of it.
///
/// Usually one read is under way, over all of them. A partition that joins or gets room again
/// while it waits is read beside it and joins it later; no read is ever dropped half-way.
pub(crate) async fn run(engine: Arc<Engine>) {
    loop {
        engine.feeds.reset_reading();
        // Ends with this task.
        let mut reads = JoinSet::new();
        reads.spawn(read_all(Arc::clone(&engine)));
        if let Some(Err(error)) = reads.join_next().await {
            tracing::error!(%error, "inbox reader failed and starts again");
            tokio::time::sleep(RETRY_WAIT).await;
        }
    }
}

async fn read_all(engine: Arc<Engine>) {
    let mut reads = JoinSet::new();
    loop {
        if let Some(reading) = engine.feeds.begin_reading() {
            let engine = Arc::clone(&engine);
            reads.spawn(async move {
                let read = engine.storage.read_inboxes(&reading.after, READ_MAX, READ_WAIT).await;
                let items = match read {
                    Ok(items) => {
                        engine.failures.inboxes.worked();
                        items
                    }
                    Err(error) => {
                        engine.failures.inboxes.failed(&error);
                        tokio::time::sleep(RETRY_WAIT).await;
                        Vec::new()
                    }
                };
                engine.feeds.end_reading(&reading, items);
            });
        }
        tokio::select! {
            biased;
            Some(ended) = reads.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "reading inboxes failed");
                    engine.feeds.reset_reading();
                }
            }
            () = engine.feeds.changed() => {}
        }
    }
}
