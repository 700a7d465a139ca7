//! The retry decision: policy and failure in, wait or give up out.

use crate::failure::{Failure, kind};
use crate::policy::{Retry, RetryOn};

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Try again after this many milliseconds.
    After(u64),
    /// The failure is the outcome of the call.
    GiveUp,
}

/// Kinds that [`RetryOn::Default`] does not retry: those of LangGraph's default predicate,
/// under the names that Python gives them, and the engine's own that do not
/// pass by themselves.
pub const DEFAULT_FINAL_KINDS: [&str; 22] = [
    "ValueError",
    "TypeError",
    "ArithmeticError",
    "ZeroDivisionError",
    "LookupError",
    "KeyError",
    "IndexError",
    "ImportError",
    "NameError",
    "SyntaxError",
    "RuntimeError",
    "ReferenceError",
    "StopIteration",
    "OSError",
    "TimeoutError",
    kind::PANIC,
    kind::SERIALIZATION,
    kind::CANCELLED,
    kind::OUTSIDE_RUN,
    kind::POISONED,
    kind::REPLAY_MISMATCH,
    kind::LIMIT,
];

/// Decides after `failures` failed attempts, the last of which ended in `failure`.
///
/// The first policy that matches the failure decides; attempts are counted over all policies
/// as in LangGraph. `jitter` is a fraction from 0 to 1 that the caller drew; `predicate` tells
/// what the predicate of the n-th policy says, for those that have one.
pub fn decide(
    policies: &[Retry],
    failure: &Failure,
    failures: u32,
    jitter: f64,
    predicate: impl Fn(usize) -> bool,
) -> RetryDecision {
    let mut policies = policies.iter().enumerate();
    let matching =
        policies.find(|(nth, policy)| matches(&policy.retry_on, failure, || predicate(*nth)));
    let Some((_, policy)) = matching else {
        return RetryDecision::GiveUp;
    };
    if failures >= policy.max_attempts {
        return RetryDecision::GiveUp;
    }
    RetryDecision::After(wait_ms(policy, failures, jitter))
}

fn wait_ms(policy: &Retry, failures: u32, jitter: f64) -> u64 {
    let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    let grown = policy.initial_interval_ms as f64 * policy.backoff_factor.powi(exponent);
    let capped = grown.clamp(0.0, policy.max_interval_ms as f64) as u64;
    let extra = if policy.jitter { (jitter.clamp(0.0, 1.0) * 1_000.0) as u64 } else { 0 };
    capped.saturating_add(extra)
}

fn matches(retry_on: &RetryOn, failure: &Failure, predicate: impl FnOnce() -> bool) -> bool {
    match (failure.retryable, retry_on) {
        (Some(false), _) => false,
        (_, RetryOn::Any) => true,
        (_, RetryOn::Kinds(kinds)) => kinds.contains(&failure.kind),
        (_, RetryOn::When) => predicate(),
        (Some(true), RetryOn::Default) => true,
        (None, RetryOn::Default) => !DEFAULT_FINAL_KINDS.contains(&failure.kind.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: &str) -> Failure {
        Failure::new(kind, "x")
    }

    fn decide(policies: &[Retry], failure: &Failure, failures: u32, jitter: f64) -> RetryDecision {
        super::decide(policies, failure, failures, jitter, |_| false)
    }

    #[test]
    fn a_predicate_is_asked_for_its_own_policy() {
        let when = || Retry::attempts(2).jitter(false).on(RetryOn::When);
        let policies = [when(), when().initial_interval(std::time::Duration::from_millis(7))];
        let decided =
            |nth: usize| super::decide(&policies, &failure("A"), 1, 0.0, move |asked| asked == nth);
        assert_eq!(decided(0), RetryDecision::After(500));
        assert_eq!(decided(1), RetryDecision::After(7));
        assert_eq!(decided(2), RetryDecision::GiveUp);
    }

    #[test]
    fn mistakes_are_not_retried_by_default() {
        let policy = [Retry::default().jitter(false)];
        for kind in ["ValueError", "OSError", "TimeoutError", kind::LIMIT] {
            assert_eq!(decide(&policy, &failure(kind), 1, 0.0), RetryDecision::GiveUp, "{kind}");
        }
        for kind in ["Error", "ConnectionError", kind::TIMEOUT] {
            assert_eq!(
                decide(&policy, &failure(kind), 1, 0.0),
                RetryDecision::After(500),
                "{kind}"
            );
        }
    }

    #[test]
    fn waits_grow_to_the_limit() {
        let policy = [Retry::attempts(10).jitter(false)];
        let waits: Vec<_> =
            [1, 2, 3, 9].map(|failures| decide(&policy, &failure("Error"), failures, 0.5)).to_vec();
        assert_eq!(waits, [500, 1_000, 2_000, 128_000].map(RetryDecision::After));
    }

    #[test]
    fn jitter_is_added_after_the_limit() {
        let policy = [Retry::attempts(10)];
        assert_eq!(decide(&policy, &failure("Error"), 9, 1.0), RetryDecision::After(129_000));
    }

    #[test]
    fn attempts_include_the_first() {
        let policy = [Retry::attempts(2).jitter(false)];
        assert_eq!(decide(&policy, &failure("Error"), 1, 0.0), RetryDecision::After(500));
        assert_eq!(decide(&policy, &failure("Error"), 2, 0.0), RetryDecision::GiveUp);
    }

    #[test]
    fn the_first_matching_policy_decides() {
        let only = |kind: &str, attempts| {
            Retry::attempts(attempts).jitter(false).on(RetryOn::Kinds(vec![kind.into()]))
        };
        let policies = [only("A", 2), only("B", 5)];
        assert_eq!(decide(&policies, &failure("B"), 2, 0.0), RetryDecision::After(1_000));
        assert_eq!(decide(&policies, &failure("A"), 2, 0.0), RetryDecision::GiveUp);
        assert_eq!(decide(&policies, &failure("C"), 1, 0.0), RetryDecision::GiveUp);
    }

    #[test]
    fn a_final_failure_is_never_retried() {
        let policy = [Retry::default().on(RetryOn::Any)];
        assert_eq!(decide(&policy, &failure("Error").final_(), 1, 0.0), RetryDecision::GiveUp);
    }

    #[test]
    fn panics_need_an_explicit_policy() {
        let panic = failure(kind::PANIC);
        assert_eq!(decide(&[Retry::default()], &panic, 1, 0.0), RetryDecision::GiveUp);
        let any = [Retry::default().on(RetryOn::Any).jitter(false)];
        assert_eq!(decide(&any, &panic, 1, 0.0), RetryDecision::After(500));
    }

    #[test]
    fn huge_factors_stay_within_the_limit() {
        let policy =
            [Retry { backoff_factor: f64::MAX, ..Retry::attempts(u32::MAX).jitter(false) }];
        assert_eq!(
            decide(&policy, &failure("Error"), u32::MAX - 1, 0.0),
            RetryDecision::After(128_000)
        );
    }
}
