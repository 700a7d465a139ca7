use std::time::Duration;

use rethread_core::failure::{Failure, kind};
use rethread_core::policy::Timeouts;
use tokio::time::{Instant, sleep_until};

/// When one attempt has taken too long.
#[derive(Debug)]
pub(super) struct Deadlines {
    timeouts: Timeouts,
    run: Option<Instant>,
    idle: Option<Instant>,
}

/// Which time an attempt has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimedOut {
    /// That for the whole of it.
    Run,
    /// That without a sign of progress.
    Idle,
}

impl Deadlines {
    /// Times that count from now.
    pub(super) fn start(timeouts: Timeouts) -> Self {
        let run = timeouts.run_ms.and_then(after);
        let idle = timeouts.idle_ms.and_then(after);
        Self { timeouts, run, idle }
    }

    /// There was a sign of progress.
    pub(super) fn progressed(&mut self) {
        self.idle = self.timeouts.idle_ms.and_then(after);
    }

    /// Waits until a time is used up.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn reached(&self) -> TimedOut {
        tokio::select! {
            biased;
            () = reached(self.run) => TimedOut::Run,
            () = reached(self.idle) => TimedOut::Idle,
        }
    }

    /// Which time is used up by now.
    pub(super) fn passed(&self) -> Option<TimedOut> {
        let now = Instant::now();
        let is_past = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if is_past(self.run) {
            return Some(TimedOut::Run);
        }
        is_past(self.idle).then_some(TimedOut::Idle)
    }

    /// What the caller of the task is told.
    pub(super) fn failure(&self, timed_out: TimedOut, task: &str) -> Failure {
        let message = match timed_out {
            TimedOut::Run => {
                let limit = self.timeouts.run_ms.unwrap_or_default();
                format!("task `{task}` took longer than {limit} ms")
            }
            TimedOut::Idle => {
                let limit = self.timeouts.idle_ms.unwrap_or_default();
                format!("task `{task}` showed no progress for {limit} ms")
            }
        };
        Failure::new(kind::TIMEOUT, message)
    }
}

/// Waits for a point of time; for ever if there is none.
pub(super) async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn after(ms: u64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_puts_off_the_end_of_idle_time_only() {
        let mut deadlines = Deadlines::start(Timeouts { run_ms: Some(100), idle_ms: Some(40) });
        tokio::time::advance(Duration::from_millis(39)).await;
        assert_eq!(deadlines.passed(), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(deadlines.passed(), Some(TimedOut::Idle));
        deadlines.progressed();
        assert_eq!(deadlines.passed(), None);
        tokio::time::advance(Duration::from_millis(60)).await;
        assert_eq!(deadlines.passed(), Some(TimedOut::Run));
    }
}
