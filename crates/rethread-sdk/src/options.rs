use std::time::Duration;

use rethread_core::ids::IdError;
use rethread_core::policy::{Cache, Retry, Timeouts};

/// What a task or entrypoint cannot ask of the engine.
///
/// It is found when the task or entrypoint is registered, and when a task is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The queue cannot exist.
    #[error("the queue cannot exist: {0}")]
    Queue(IdError),
    /// A timeout leaves no time.
    #[error("a timeout is at least 1 ms; leave it out for none")]
    ZeroTimeout,
    /// Results would be gone from the cache at once.
    #[error("results in the cache live for at least 1 ms; leave the cache out for none")]
    ZeroTtl,
    /// A retry policy does not even allow the first attempt.
    #[error("a retry policy has at least 1 attempt, the first one; leave it out for no retry")]
    NoAttempts,
    /// Waits cannot grow by this factor.
    #[error("the backoff factor of a retry policy is a number that is not negative")]
    BackoffFactor,
    /// A retry policy asks a predicate and has none.
    #[error("a retry policy asks a predicate and has none; give it one with `Retry::when`")]
    NoPredicate,
    /// A retry policy has a predicate where the code of the task is not.
    #[error(
        "a predicate is asked where the code of the task is: give it to the task itself, and say \
         `Retry::on(RetryOn::When)` here"
    )]
    PredicateElsewhere,
}

impl OptionError {
    pub(crate) fn of_retry(policy: &Retry) -> Result<(), Self> {
        if policy.max_attempts == 0 {
            return Err(Self::NoAttempts);
        }
        let factor = policy.backoff_factor;
        if factor.is_finite() && factor >= 0.0 { Ok(()) } else { Err(Self::BackoffFactor) }
    }

    pub(crate) fn of_cache(cache: Cache) -> Result<(), Self> {
        if cache.ttl_ms == Some(0) { Err(Self::ZeroTtl) } else { Ok(()) }
    }
}

/// Sets one of the two timeouts.
pub(crate) fn set_timeout(
    timeouts: &mut Timeouts,
    set: fn(&mut Timeouts, Duration),
    timeout: Duration,
) -> Result<(), OptionError> {
    set(timeouts, timeout);
    if timeouts.has_zero() { Err(OptionError::ZeroTimeout) } else { Ok(()) }
}

/// Keeps the first thing that is wrong.
pub(crate) fn note(first: &mut Option<OptionError>, checked: Result<(), OptionError>) {
    if let Err(error) = checked {
        first.get_or_insert(error);
    }
}
