use std::time::Duration;

use rethread_storage::StorageError;
use tokio::time::{Instant, sleep};

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Growing pauses between attempts, up to a total time.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    /// Lasts for `limit` from now.
    pub(crate) fn lasting(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, pause: PAUSE_MIN }
    }

    /// Pauses; false at once when the time is up.
    pub(crate) async fn pause(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

/// Whether the operation may succeed if it is tried again.
pub(crate) fn may_pass(error: &StorageError) -> bool {
    matches!(error, StorageError::Unavailable { .. } | StorageError::Unknown { .. })
}
