use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rethread_core::failure::Failure;
use rethread_core::policy::{self, RetryOn};

use crate::error::Error;
use crate::options::OptionError;

type Predicate = dyn Fn(&Error) -> bool + Send + Sync;

/// How often and how long apart failed attempts are repeated, and which.
///
/// The wait before attempt n+1 is `min(max_interval, initial_interval * backoff_factor^(n-1))`,
/// plus up to one second with `jitter`. Of several policies the first that matches a failure
/// decides; attempts are counted over all of them.
///
/// | | default |
/// |---|---|
/// | attempts in all, the first included | 3 |
/// | [`Retry::initial_interval`] | 500 ms |
/// | [`Retry::backoff_factor`] | 2 |
/// | [`Retry::max_interval`] | 128 s |
/// | [`Retry::jitter`] | true |
/// | [`Retry::on`] | [`RetryOn::Default`] |
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use std::time::Duration;
///
/// use rethread::prelude::*;
///
/// #[task(retry = [
///     Retry::attempts(10).when(|error| error.message().contains("rate limit")),
///     Retry::attempts(3).initial_interval(Duration::from_millis(100)),
/// ])]
/// async fn ask(prompt: String) -> Result<String> {
///     Ok(prompt)
/// }
/// ```
#[derive(Clone, Default)]
pub struct Retry {
    policy: policy::Retry,
    predicate: Option<Arc<Predicate>>,
}

impl Retry {
    /// The default policy with this many attempts in all.
    pub fn attempts(max_attempts: u32) -> Self {
        Self::default().max_attempts(max_attempts)
    }

    /// Sets the number of attempts in all, the first included.
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.policy.max_attempts = max_attempts;
        self
    }

    /// Sets the wait before the second attempt.
    #[must_use]
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.policy = self.policy.initial_interval(interval);
        self
    }

    /// Sets the factor from each wait to the next.
    #[must_use]
    pub fn backoff_factor(mut self, factor: f64) -> Self {
        self.policy = self.policy.backoff_factor(factor);
        self
    }

    /// Sets the longest wait.
    #[must_use]
    pub fn max_interval(mut self, interval: Duration) -> Self {
        self.policy = self.policy.max_interval(interval);
        self
    }

    /// Sets whether waits get a random addition of up to one second.
    #[must_use]
    pub fn jitter(mut self, jitter: bool) -> Self {
        self.policy = self.policy.jitter(jitter);
        self
    }

    /// Sets which failures are retried, instead of what was said before by this or by
    /// [`Retry::when`].
    #[must_use]
    pub fn on(mut self, retry_on: RetryOn) -> Self {
        self.policy = self.policy.on(retry_on);
        self.predicate = None;
        self
    }

    /// Retries the failures for which `predicate` says so.
    ///
    /// It is asked where the code lives: on the worker that ran the attempt, or in the
    /// coordinator for the body of an entrypoint. It sees what is recorded of the error: kind,
    /// message and details. Errors that say of themselves that they are final are not shown to
    /// it. If it panics it says no.
    #[must_use]
    pub fn when(mut self, predicate: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.policy = self.policy.on(RetryOn::When);
        self.predicate = Some(Arc::new(predicate));
        self
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.policy, f)
    }
}

/// One retry policy, or several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a retry policy",
    label = "expected a `Retry`, or an array or vector of them",
    note = "for example `Retry::attempts(3)`"
)]
pub trait IntoRetries {
    /// The policies, in the order in which they are asked.
    fn into_retries(self) -> Vec<Retry>;
}

impl IntoRetries for Retry {
    fn into_retries(self) -> Vec<Retry> {
        vec![self]
    }
}

impl IntoRetries for Vec<Retry> {
    fn into_retries(self) -> Vec<Retry> {
        self
    }
}

impl<const N: usize> IntoRetries for [Retry; N] {
    fn into_retries(self) -> Vec<Retry> {
        self.into()
    }
}

/// Retry policies as the engine knows them, with what it cannot know beside them.
#[derive(Default)]
pub(crate) struct Policies {
    pub(crate) recorded: Vec<policy::Retry>,
    pub(crate) predicates: Predicates,
}

impl Policies {
    pub(crate) fn new(retries: impl IntoRetries) -> Self {
        let (recorded, predicates) = retries
            .into_retries()
            .into_iter()
            .map(|retry| (retry.policy, retry.predicate))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        Self { recorded, predicates: Predicates(predicates.into()) }
    }

    /// What is wrong with them, where they stand beside the code.
    pub(crate) fn check(&self) -> Result<(), OptionError> {
        for (policy, predicate) in self.recorded.iter().zip(&*self.predicates.0) {
            OptionError::of_retry(policy)?;
            if policy.retry_on == RetryOn::When && predicate.is_none() {
                return Err(OptionError::NoPredicate);
            }
        }
        Ok(())
    }

    /// What is wrong with them, where the code is elsewhere.
    pub(crate) fn check_without_code(&self) -> Result<(), OptionError> {
        if self.predicates.is_any() {
            return Err(OptionError::PredicateElsewhere);
        }
        self.recorded.iter().try_for_each(OptionError::of_retry)
    }
}

/// The predicates of retry policies, by the number of the policy.
#[derive(Clone, Default)]
pub(crate) struct Predicates(Arc<[Option<Arc<Predicate>>]>);

impl Predicates {
    /// Whether there is one.
    pub(crate) fn is_any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    /// What the predicate of the n-th policy says; false for a policy without one.
    pub(crate) fn says(&self, nth: usize, failure: &Failure) -> bool {
        let Some(predicate) = self.0.get(nth).and_then(Option::as_ref) else { return false };
        let error = Error::from_failure(failure.clone());
        // The failure stands, whatever becomes of the question.
        catch_unwind(AssertUnwindSafe(|| predicate(&error))).unwrap_or(false)
    }

    /// What all of them say, by the number of the policy; empty if there is none.
    pub(crate) fn say(&self, failure: &Failure) -> Vec<bool> {
        if !self.is_any() {
            return Vec::new();
        }
        (0..self.0.len()).map(|nth| self.says(nth, failure)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predicates(retries: impl IntoRetries) -> Predicates {
        Policies::new(retries).predicates
    }

    #[test]
    fn predicates_are_asked_by_number() {
        let predicates = predicates([
            Retry::attempts(2),
            Retry::attempts(3).when(|error| error.kind() == "A"),
            Retry::attempts(3).when(|_| panic!("a bug")),
        ]);
        let says = |kind| predicates.say(&Failure::new(kind, "x"));
        assert_eq!(says("A"), [false, true, false]);
        assert_eq!(says("B"), [false; 3]);
        assert!(!predicates.says(7, &Failure::new("A", "x")));
    }

    #[test]
    fn without_predicates_there_is_nothing_to_say() {
        assert_eq!(predicates(Retry::default()).say(&Failure::new("A", "x")), [false; 0]);
    }

    #[test]
    fn the_last_word_about_which_failures_counts() {
        let retry = Retry::attempts(2).when(|_| true).on(RetryOn::Any);
        assert_eq!(Policies::new(retry.clone()).check(), Ok(()));
        assert!(!predicates(retry).is_any());
        let retry = Retry::attempts(2).on(RetryOn::Any).when(|_| true);
        assert_eq!(Policies::new(retry.clone()).recorded[0].retry_on, RetryOn::When);
        assert!(predicates(retry).is_any());
    }

    #[test]
    fn policies_that_cannot_work_are_refused() {
        let check = |retry| Policies::new(retry).check();
        assert_eq!(check(Retry::attempts(0)), Err(OptionError::NoAttempts));
        assert_eq!(check(Retry::default().backoff_factor(-1.0)), Err(OptionError::BackoffFactor));
        assert_eq!(check(Retry::default().on(RetryOn::When)), Err(OptionError::NoPredicate));
        let here = Policies::new(Retry::default().when(|_| true));
        assert_eq!(here.check_without_code(), Err(OptionError::PredicateElsewhere));
        let there = Policies::new(Retry::default().on(RetryOn::When));
        assert_eq!(there.check_without_code(), Ok(()));
    }
}
