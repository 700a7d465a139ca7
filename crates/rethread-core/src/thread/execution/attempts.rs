//! The numbers of attempts: those of a call go up, and none is given twice in a run.
//!
//! What is known of them follows from the journal alone, entry by entry, so that a replay finds
//! the same as whoever wrote it. Most attempts leave no entry: their workers died, or nobody waited
//! for their reports any more. Where such numbers would be forgotten with the memory,
//! [`Fact::AttemptFailed`] of a final failure notes how far they went.

use crate::failure::{Failure, kind};
use crate::ids::{CallId, Millis};
use crate::journal::Fact;
use crate::thread::calls::CallState;
use crate::thread::execution::Execution;
use crate::thread::turn::Turn;

/// What is known of the attempts of a call.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Attempts {
    /// How many failed in this run and were, or are to be, followed by another one.
    pub(super) failures: u32,
    /// The newest attempt that the journal tells of.
    pub(super) newest: u32,
    /// The newest attempt that counts no more: of an earlier run, or of a failure that is tried
    /// again. Bodies are told numbers from there on.
    pub(super) before: u32,
    /// When the next may start.
    pub(super) retry_at: Millis,
    /// Workers in a row that did not know the task.
    pub(super) unknown: u32,
}

impl Execution {
    /// Takes up that an attempt failed. One that failed for good is only noted: no failure that
    /// a policy counts.
    pub(super) fn count_attempt(
        &mut self,
        call: CallId,
        attempt: u32,
        failure: &Failure,
        retry_at: Millis,
    ) {
        let attempts = self.attempts.entry(call).or_default();
        attempts.failures += u32::from(failure.retryable != Some(false));
        attempts.newest = attempts.newest.max(attempt);
        attempts.retry_at = retry_at;
    }

    /// Takes up that a call failed: that was an attempt, too.
    pub(super) fn count_last_attempt(&mut self, call: CallId) {
        self.attempts.entry(call).or_default().newest += 1;
    }

    /// A failure that is tried again counts for nothing; only the numbers go on.
    pub(super) fn forget_failures(&mut self, call: CallId) {
        let attempts = self.attempts.entry(call).or_default();
        attempts.failures = 0;
        attempts.before = attempts.newest;
        attempts.retry_at = Millis::default();
    }

    /// Each run has all its attempts.
    pub(super) fn forget_all_failures(&mut self) {
        for attempts in self.attempts.values_mut() {
            attempts.failures = 0;
            attempts.before = attempts.newest;
        }
    }

    /// Records that an attempt failed and another one follows.
    pub(super) fn record_attempt(
        &mut self,
        now: Millis,
        call: CallId,
        attempt: u32,
        failure: Failure,
        retry_at: Millis,
        turn: &mut Turn,
    ) {
        self.count_attempt(call, attempt, &failure, retry_at);
        self.append(now, Fact::AttemptFailed { call, attempt, failure, retry_at }, turn);
    }

    /// Notes how far the numbers went, if the journal does not tell.
    pub(super) fn note_attempt(
        &mut self,
        now: Millis,
        call: CallId,
        attempt: u32,
        turn: &mut Turn,
    ) {
        let newest = self.attempts.get(&call).map_or(0, |attempts| attempts.newest);
        if attempt > newest {
            let failure = Failure::new(kind::CANCELLED, "the attempt was lost").final_();
            self.record_attempt(now, call, attempt, failure, now, turn);
        }
    }

    /// Notes the attempts of a call that is given up: made again, it begins behind them.
    pub(super) fn note_attempts_of_given_up(
        &mut self,
        now: Millis,
        call: CallId,
        state: CallState,
        turn: &mut Turn,
    ) {
        let (CallState::InFlight { attempt } | CallState::Held { attempt }) = state else { return };
        let given = attempt.max(self.heard_attempt(call));
        self.note_attempt(now, call, given.saturating_sub(1), turn);
    }
}
