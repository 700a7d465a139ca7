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

/// Decides after `failures` failed attempts, the last of which ended in `failure`.
///
/// The first policy that matches the failure decides; attempts are counted over all policies
/// as in LangGraph. `jitter` is a fraction from 0 to 1 that the caller drew.
pub fn decide(policies: &[Retry], failure: &Failure, failures: u32, jitter: f64) -> RetryDecision {
    let Some(policy) = policies.iter().find(|policy| matches(&policy.retry_on, failure)) else {
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

fn matches(retry_on: &RetryOn, failure: &Failure) -> bool {
    match (failure.retryable, retry_on) {
        (Some(false), _) => false,
        (_, RetryOn::Any) => true,
        (_, RetryOn::Kinds(kinds)) => kinds.contains(&failure.kind),
        (Some(true), RetryOn::Default) => true,
        (None, RetryOn::Default) => !matches!(
            failure.kind.as_str(),
            kind::PANIC
                | kind::SERIALIZATION
                | kind::CANCELLED
                | kind::OUTSIDE_RUN
                | kind::POISONED
                | kind::REPLAY_MISMATCH
                | kind::LIMIT
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: &str) -> Failure {
        Failure::new(kind, "x")
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
