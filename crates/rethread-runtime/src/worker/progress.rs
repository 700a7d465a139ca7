//! How far a body is, kept for the next attempt of its call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::message::Target;
use rethread_core::payload::Payload;
use rethread_storage::names::PROGRESS_GROUP;
use rethread_storage::{CacheKey, CacheLookup};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::worker::side::WorkerSide;

/// How long it is kept for a next attempt.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Shortest time between two writes of one attempt.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How often a value is written that cannot be written, unless a newer one comes.
const TRIES_MAX: u32 = 5;
/// Longest time that the last write of an attempt may hold up its report.
const LAST_WRITE_MAX: Duration = Duration::from_secs(5);

/// How long an attempt asks for the progress of an earlier one while the storage is out of reach.
const READ_MAX: Duration = Duration::from_secs(5);
/// Wait before it asks again.
const READ_AGAIN: Duration = Duration::from_millis(100);

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
            let mut tries_left = TRIES_MAX;
            // What was sent before the sender was dropped is still seen.
            while to_write.changed().await.is_ok() {
                let value = to_write.borrow_and_update().clone();
                match side.storage.fill_cache(&key, value, Some(KEPT_FOR)).await {
                    Ok(()) => {
                        side.cache_failures.worked();
                        tries_left = TRIES_MAX;
                    }
                    Err(error) => {
                        side.cache_failures.failed(&error);
                        tries_left = tries_left.saturating_sub(1);
                        if tries_left > 0 {
                            to_write.mark_changed();
                        }
                    }
                }
                // Too early is fine as well.
                let _ = timeout(WRITE_EVERY, hurried.notified()).await;
            }
        });
        Self { newest, hurry, task }
    }
}

/// What an earlier attempt of the call said last; none if nothing is known.
///
/// What ended that attempt may have hit the storage as well, so it is asked for a while: to begin
/// at nothing costs more.
pub(super) async fn last_known(side: &WorkerSide, target: &Target) -> Option<Payload> {
    let key = key_of(target);
    let deadline = Instant::now() + READ_MAX;
    loop {
        match side.storage.look_up_cache(&key, "", Duration::ZERO).await {
            Ok(CacheLookup::Hit(value)) => return Some(Payload::from_bytes(value)),
            Ok(CacheLookup::Vacant | CacheLookup::Filling) => return None,
            Err(error) => side.cache_failures.failed(&error),
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep(READ_AGAIN).await;
    }
}

fn key_of(target: &Target) -> CacheKey {
    let (execution, call) = (target.execution.as_uuid().as_bytes(), target.call.as_bytes());
    let entry = [execution.as_slice(), call.as_slice()].concat();
    CacheKey { group: PROGRESS_GROUP.into(), entry: Bytes::from(entry) }
}
