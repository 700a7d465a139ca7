//! What a task or entrypoint asks of the engine: where it runs, how long, how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::QueueName;

/// Which failures a [`Retry`] policy retries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RetryOn {
    /// What LangGraph retries by default: everything but failures that say of themselves that
    /// they are final, kinds that tell of a mistake rather than of bad luck
    /// ([`crate::retry::DEFAULT_FINAL_KINDS`]), and those of the engine that cannot pass by
    /// themselves (serialization, panics, cancels).
    #[default]
    Default,
    /// Every failure, also a panic, unless it says of itself that it is final.
    Any,
    /// Failures whose kind is in the list.
    Kinds(Vec<String>),
    /// Failures for which a predicate says so. It is code, and is asked where the code lives: on
    /// the worker that ran the attempt, or in the coordinator for an entrypoint.
    When,
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

/// Whether, and for how long, the results of a task or entrypoint are reused by equal calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// How long a result is kept, in milliseconds from when it is stored; none: for ever.
    pub ttl_ms: Option<u64>,
}

impl Cache {
    /// Results are kept until they are cleared.
    pub fn forever() -> Self {
        Self::default()
    }

    /// Results are kept for this long.
    pub fn ttl(ttl: Duration) -> Self {
        Self { ttl_ms: Some(whole_ms(ttl)) }
    }
}

/// Longest times of one attempt. Both are counted anew for each attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Longest time in all, in milliseconds.
    pub run_ms: Option<u64>,
    /// Longest time without a sign of progress, in milliseconds.
    pub idle_ms: Option<u64>,
}

impl Timeouts {
    /// Sets the longest time in all.
    pub fn set_run(&mut self, timeout: Duration) {
        self.run_ms = Some(whole_ms(timeout));
    }

    /// Sets the longest time without a sign of progress: an event, a call, a heartbeat.
    pub fn set_idle(&mut self, timeout: Duration) {
        self.idle_ms = Some(whole_ms(timeout));
    }

    /// Whether one of them leaves no time at all.
    pub fn has_zero(&self) -> bool {
        self.run_ms == Some(0) || self.idle_ms == Some(0)
    }
}

/// What a task asks of the engine besides being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskOptions {
    /// The queue its attempts are put in.
    pub queue: QueueName,
    /// Retry policies; the first that matches a failure decides. None: those of the entrypoint
    /// that the task runs in.
    pub retry: Vec<Retry>,
    /// Longest times of one attempt.
    pub timeouts: Timeouts,
    /// Whether results are reused. None: as the entrypoint says that the task runs in.
    pub cache: Option<Cache>,
    /// Part of the default cache key: a new version does not find the results of the old one.
    pub version: Option<String>,
}

impl Default for TaskOptions {
    fn default() -> Self {
        Self {
            queue: QueueName::standard(),
            retry: Vec::new(),
            timeouts: Timeouts::default(),
            cache: None,
            version: None,
        }
    }
}

/// What an entrypoint asks of the engine besides being run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntrypointOptions {
    /// Retry policies of its body, and of the tasks in it that have none of their own.
    pub retry: Vec<Retry>,
    /// Longest times of one attempt of its body. The body of a graph plays one step: its times
    /// begin anew with each step, and there is none for a whole run of a graph.
    pub timeouts: Timeouts,
    /// Whether results are reused, its own and those of the tasks in it that do not say.
    pub cache: Option<Cache>,
    /// Part of the default cache key.
    pub version: Option<String>,
    /// What it keeps of its runs when another entrypoint or a task calls it.
    pub history: History,
    /// For a graph of which not all fields are part of the result: those that are. What streams
    /// show of a graph within another is limited to them.
    pub outputs: Option<Vec<String>>,
}

/// What an entrypoint keeps of its runs when another entrypoint or a task calls it. At the root
/// of a thread it makes no difference.
///
/// LangGraph's `checkpointer` of a sub-entrypoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum History {
    /// Nothing beyond the execution that calls it: `previous` is none. LangGraph's `None`.
    #[default]
    #[serde(rename = "i")]
    Inherit,
    /// Its saved value, one for each thread and place of call: `previous` is what the last
    /// completed execution left. LangGraph's `True`.
    #[serde(rename = "t")]
    Thread,
    /// As [`History::Inherit`], and it shows no checkpoints. LangGraph's `False`, without its
    /// forgetting of answers.
    #[serde(rename = "o")]
    Off,
}
