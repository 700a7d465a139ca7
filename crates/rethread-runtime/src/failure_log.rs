//! Telling of failures that repeat themselves: an outage of the storage must not fill the log.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Shortest time between two lines about failures of one kind.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Tells of the first failure of a kind of operation, then of one every ten seconds, and once
/// when the operation works again.
#[derive(Debug)]
pub(crate) struct FailureLog {
    /// The operation, as the subject of a sentence.
    operation: &'static str,
    /// Whether there is a recovery to be told: all that a success has to look at.
    has_failed: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    at: Option<Instant>,
    untold: u64,
}

impl FailureLog {
    pub(crate) fn new(operation: &'static str) -> Self {
        Self { operation, has_failed: AtomicBool::new(false), told: Mutex::default() }
    }

    /// The operation failed and is tried again.
    pub(crate) fn failed(&self, error: &dyn Display) {
        if let Some(untold) = self.tell_failure(Instant::now()) {
            let operation = self.operation;
            tracing::warn!(operation, %error, untold, "{operation} failed, trying again");
        }
    }

    /// The operation worked.
    pub(crate) fn worked(&self) {
        if self.tell_recovery() {
            let operation = self.operation;
            tracing::info!(operation, "{operation} works again");
        }
    }

    /// Whether to tell of a failure: then how many were not told before.
    fn tell_failure(&self, now: Instant) -> Option<u64> {
        let mut told = self.lock();
        if told.at.is_some_and(|at| now.duration_since(at) < TELL_EVERY) {
            told.untold += 1;
            return None;
        }
        told.at = Some(now);
        self.has_failed.store(true, Ordering::Relaxed);
        Some(std::mem::take(&mut told.untold))
    }

    /// Whether a failure was told since the last recovery.
    fn tell_recovery(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed) && self.has_failed.swap(false, Ordering::Relaxed)
    }

    // What it guards is right whatever panicked.
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_a_failure_now_and_then_and_of_the_recovery_once() {
        let log = FailureLog::new("test");
        let start = Instant::now();
        assert!(!log.tell_recovery());
        assert_eq!(log.tell_failure(start), Some(0));
        assert_eq!(log.tell_failure(start + TELL_EVERY / 2), None);
        assert!(log.tell_recovery());
        assert!(!log.tell_recovery());
        assert_eq!(log.tell_failure(start + TELL_EVERY / 2), None);
        assert!(!log.tell_recovery(), "one that was not told needs no end");
        assert_eq!(log.tell_failure(start + TELL_EVERY), Some(2));
    }
}
