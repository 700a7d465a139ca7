//! What a task or entrypoint asks of the engine: where it runs, how long, how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::QueueName;

/// Which failures a [`Retry`] policy retries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RetryOn {
    /// Everything but failures that say of themselves that they are final, and those of the
    /// engine that cannot pass by themselves (serialization, panics, cancels).
    #[default]
    Default,
    /// Every failure, also a panic, unless it says of itself that it is final.
    Any,
    /// Failures whose kind is in the list.
    Kinds(Vec<String>),
}

/// How often and how long apart failed attempts are repeated.
///
/// The fields and defaults are those of LangGraph's `RetryPolicy`. The wait before
/// attempt n+1 is `min(max_interval, initial_interval * backoff_factor^(n-1))`, plus up to one
/// second if `jitter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Wait before the second attempt, in milliseconds. Default 500.
    pub initial_interval_ms: u64,
    /// Factor from each wait to the next. Default 2.
    pub backoff_factor: f64,
    /// Longest wait, in milliseconds, before jitter is added. Default 128,000.
    pub max_interval_ms: u64,
    /// Attempts in all, the first included. Default 3.
    pub max_attempts: u32,
    /// Whether up to one second is added to each wait. Default true.
    pub jitter: bool,
    /// Which failures are retried.
    pub retry_on: RetryOn,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial_interval_ms: 500,
            backoff_factor: 2.0,
            max_interval_ms: 128_000,
            max_attempts: 3,
            jitter: true,
            retry_on: RetryOn::Default,
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Retry {
    /// The default policy with this many attempts in all.
    pub fn attempts(max_attempts: u32) -> Self {
        Self { max_attempts, ..Self::default() }
    }

    /// Sets the wait before the second attempt.
    #[must_use]
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.initial_interval_ms = whole_ms(interval);
        self
    }

    /// Sets the factor from each wait to the next.
    #[must_use]
    pub fn backoff_factor(mut self, factor: f64) -> Self {
        self.backoff_factor = factor;
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub fn max_interval(mut self, interval: Duration) -> Self {
        self.max_interval_ms = whole_ms(interval);
        self
    }

    /// Sets whether waits get a random addition.
    #[must_use]
    pub fn jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets which failures are retried.
    #[must_use]
    pub fn on(mut self, retry_on: RetryOn) -> Self {
        self.retry_on = retry_on;
        self
    }
}

/// What a task asks of the engine besides being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskOptions {
    /// The queue its attempts are put in.
    pub queue: QueueName,
    /// Retry policies; the first that matches a failure decides. None: no retry.
    pub retry: Vec<Retry>,
    /// Longest time one attempt may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

impl Default for TaskOptions {
    fn default() -> Self {
        Self { queue: QueueName::standard(), retry: Vec::new(), timeout_ms: None }
    }
}

impl TaskOptions {
    /// Sets the longest time one attempt may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout_ms = Some(whole_ms(timeout));
    }
}
