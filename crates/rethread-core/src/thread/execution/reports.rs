//! What workers report, and what time brings.

use crate::event::EventKind;
use crate::ids::{CallId, Millis};
use crate::journal::{Asked, Entry, Fact};
use crate::message::{AttemptOutcome, Emitted, Report};
use crate::replay::CallRequest;
use crate::retry::{RetryDecision, decide};
use crate::thread::calls::CallState;
use crate::thread::execution::Execution;
use crate::thread::turn::{RunLog, Turn};

/// Wait before a task is offered again that a worker did not know, in milliseconds.
const UNKNOWN_TASK_WAIT_MS: u64 = 1_000;

impl Execution {
    /// Takes a report. It counts for the call, whoever ran the attempt: the first outcome that
    /// is recorded stands, and later ones are dropped.
    pub(in crate::thread) fn handle_report(&mut self, report: Report) {
        self.held.push(report);
    }

    /// Writes down the reports that could not be handled, since the inbox forgets them.
    pub(super) fn keep_held(&mut self, now: Millis, turn: &mut Turn) {
        for report in std::mem::take(&mut self.held) {
            self.append_held(now, report, turn);
        }
    }

    pub(super) fn handle_held(&mut self, now: Millis, turn: &mut Turn) -> bool {
        if self.held.is_empty() {
            return false;
        }
        for report in std::mem::take(&mut self.held) {
            if self.mismatch.is_some() {
                self.append_held(now, report, turn);
            } else {
                self.settle_report(now, report, turn);
            }
        }
        true
    }

    fn settle_report(&mut self, now: Millis, report: Report, turn: &mut Turn) {
        let id = report.target.call;
        let Some(call) = self.calls.get(id) else {
            if !self.index.is_recorded(id) && self.mismatch.is_none() {
                let found = match self.calls.len() {
                    0 => "makes no call".into(),
                    made => format!("makes {made} other calls"),
                };
                self.mismatch(format!("the call {id}, which a worker has run"), found);
                self.append_held(now, report, turn);
            }
            return;
        };
        let (state, scope) = (call.state, id);
        let current = match state {
            CallState::InFlight { attempt }
            | CallState::Backoff { attempt, .. }
            | CallState::Asking { attempt } => attempt,
            CallState::Undecided
            | CallState::Timer { .. }
            | CallState::Running
            | CallState::Arrived
            | CallState::Settled => return,
        };
        let attempt = report.target.attempt;
        match report.outcome {
            AttemptOutcome::Completed(value) => self.arrive(id, Ok(value)),
            _ if attempt < current || !matches!(state, CallState::InFlight { .. }) => {}
            AttemptOutcome::Failed(failure) => {
                let attempts = self.attempts.entry(id).or_default();
                attempts.failures += 1;
                attempts.newest = attempts.newest.max(attempt);
                let CallRequest::Task { options, .. } = &call.request else { return };
                match decide(&options.retry, &failure, attempts.failures, jitter(id, attempt)) {
                    RetryDecision::GiveUp => self.arrive(id, Err(failure)),
                    RetryDecision::After(wait_ms) => {
                        let retry_at = now.plus(wait_ms);
                        attempts.retry_at = retry_at;
                        let next = CallState::Backoff { attempt: attempt + 1, until: retry_at };
                        self.calls.set_state(id, next);
                        let fact = Fact::AttemptFailed { call: id, attempt, failure, retry_at };
                        self.append(now, fact, turn);
                    }
                }
            }
            AttemptOutcome::Asked { index, value } => {
                let interrupt = scope.interrupt(index);
                let answered = self.questions.answers_of(id).len() as u32;
                if index < answered {
                    // The attempt did not have an answer that is there by now.
                    self.dispatch(id, attempt, turn);
                    return;
                }
                self.questions.ask(Asked { interrupt, scope, index, value }, None);
                self.suspend(id, attempt, turn);
            }
            // An answer may have come since the worker said so.
            AttemptOutcome::Suspended if self.is_blocked_on_people(id) => {
                self.suspend(id, attempt, turn);
            }
            AttemptOutcome::Suspended => self.dispatch(id, attempt, turn),
            AttemptOutcome::UnknownTask => {
                let until = now.plus(UNKNOWN_TASK_WAIT_MS);
                self.calls.set_state(id, CallState::Backoff { attempt, until });
            }
        }
    }

    /// Appends a report to the journal although the execution may not be live: it is taken up
    /// when a later replay comes to it.
    fn append_held(&mut self, now: Millis, report: Report, turn: &mut Turn) {
        let entry = Entry { at: now, fact: Fact::Held(report) };
        turn.append(entry.clone());
        self.journal.push(entry);
    }

    /// Custom events of a task body. Values that were seen before are passed over: a worker hands
    /// them in again when it does not know whether they arrived.
    ///
    /// What was seen is remembered in memory only. After a reload an attempt goes on wherever its
    /// next message begins, so a repetition right across the reload is shown twice.
    pub(in crate::thread) fn handle_emitted(
        &mut self,
        now: Millis,
        emitted: Emitted,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        let Emitted { target, worker, first, values } = emitted;
        let is_open = self.calls.get(target.call).is_some_and(|call| {
            matches!(call.state, CallState::InFlight { .. } | CallState::Undecided)
        });
        if !is_open {
            return;
        }
        let next = self.emitted.entry((target.call, target.attempt, worker)).or_insert(first);
        let seen = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
        *next = first.saturating_add(values.len() as u64).max(*next);
        for value in values.into_iter().skip(seen) {
            let (call, attempt) = (Some(target.call), target.attempt);
            turn.event(log, now, EventKind::Custom { call, attempt, value });
        }
    }

    /// Does what is due.
    pub(in crate::thread) fn handle_timeout(&mut self, now: Millis, turn: &mut Turn) {
        if self.cursor != self.journal.len() {
            return;
        }
        for id in self.calls.due(now) {
            match self.calls.get(id).map(|call| call.state) {
                Some(CallState::Backoff { attempt, .. }) => self.dispatch(id, attempt, turn),
                Some(CallState::Timer { .. }) => self.fire(id),
                _ => {}
            }
        }
    }
}

/// A fraction from 0 to 1 that is the same for the same attempt: the core draws no random
/// numbers, and a hash spreads calls as well.
fn jitter(call: CallId, attempt: u32) -> f64 {
    let bits = CallId::nth(u128::from(call.low_bits()), attempt).low_bits();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
