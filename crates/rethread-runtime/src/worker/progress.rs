//! How far a body is, kept for the next attempt of its call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::message::Target;
use rethread_core::payload::Payload;
use rethread_storage::{CacheKey, CacheLookup};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::worker::side::WorkerSide;

/// Where progress stands in the cache.
const GROUP: &str = "progress";
/// How long it is kept for a next attempt.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Shortest time between two writes of one attempt.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Longest time that the last write of an attempt may hold up its report.
const LAST_WRITE_MAX: Duration = Duration::from_secs(5);

/// Writes down what one attempt says of its progress: the first at once, then the newest every
/// second, and the last when it is dropped.
#[derive(Debug, Default)]
pub(super) struct ProgressLog {
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Writer {
    newest: watch::Sender<Bytes>,
    hurry: Arc<Notify>,
    task: JoinHandle<()>,
}

impl ProgressLog {
    /// Keeps the newest progress.
    pub(super) fn keep(&mut self, side: &Arc<WorkerSide>, target: &Target, progress: &Payload) {
        let value = Bytes::copy_from_slice(progress.as_bytes());
        match &self.writer {
            Some(writer) => drop(writer.newest.send_replace(value)),
            None => self.writer = Some(Writer::start(side, key_of(target), value)),
        }
    }

    /// Waits until the last of it is written.
    pub(super) async fn settle(mut self) {
        let Some(Writer { newest, hurry, task }) = self.writer.take() else { return };
        drop(newest);
        hurry.notify_one();
        if timeout(LAST_WRITE_MAX, task).await.is_err() {
            tracing::warn!("progress of an attempt could not be written in time");
        }
    }
}

impl Drop for ProgressLog {
    fn drop(&mut self) {
        if let Some(writer) = &self.writer {
            writer.hurry.notify_one();
        }
    }
}

impl Writer {
    fn start(side: &Arc<WorkerSide>, key: CacheKey, first: Bytes) -> Self {
        let (newest, mut to_write) = watch::channel(first);
        to_write.mark_changed();
        let hurry = Arc::new(Notify::new());
        let (side, hurried) = (Arc::clone(side), Arc::clone(&hurry));
        let task = tokio::spawn(async move {
            // What was sent before the sender was dropped is still seen.
            while to_write.changed().await.is_ok() {
                let value = to_write.borrow_and_update().clone();
                match side.storage.fill_cache(&key, value, Some(KEPT_FOR)).await {
                    Ok(()) => side.cache_failures.worked(),
                    Err(error) => side.cache_failures.failed(&error),
                }
                // Too early is fine as well.
                let _ = timeout(WRITE_EVERY, hurried.notified()).await;
            }
        });
        Self { newest, hurry, task }
    }
}

/// What an earlier attempt of the call said last; none if nothing is known.
pub(super) async fn last_known(side: &WorkerSide, target: &Target) -> Option<Payload> {
    match side.storage.look_up_cache(&key_of(target), "", Duration::ZERO).await {
        Ok(CacheLookup::Hit(value)) => Some(Payload::from_bytes(value)),
        Ok(CacheLookup::Vacant | CacheLookup::Filling) => None,
        Err(error) => {
            side.cache_failures.failed(&error);
            None
        }
    }
}

fn key_of(target: &Target) -> CacheKey {
    let (execution, call) = (target.execution.as_uuid().as_bytes(), target.call.as_bytes());
    let entry = [execution.as_slice(), call.as_slice()].concat();
    CacheKey { group: GROUP.into(), entry: Bytes::from(entry) }
}
