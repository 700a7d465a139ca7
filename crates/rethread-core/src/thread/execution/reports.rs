//! What workers report, and what time brings.

use crate::dead_letter::{DeadItem, DeadLetter};
use crate::failure::{Failure, kind};
use crate::ids::{CallId, Millis};
use crate::journal::{Asked, Entry, Fact};
use crate::message::{AttemptOutcome, Report};
use crate::replay::ReplayMismatch;
use crate::retry::{RetryDecision, decide};
use crate::thread::calls::CallState;
use crate::thread::execution::{Execution, HeldReport};
use crate::thread::turn::Turn;

/// Shortest and longest wait before a task is offered again that a worker did not know, in
/// milliseconds.
const UNKNOWN_TASK_WAITS_MS: (u64, u64) = (1_000, 30_000);

impl Execution {
    /// Takes a report. It counts for the call, whoever ran the attempt: the first outcome that
    /// is recorded stands, and later ones are dropped.
    pub(in crate::thread) fn handle_report(&mut self, report: Report) {
        self.held.push(HeldReport { report, is_recorded: false });
    }

    /// Writes down the reports that could not be handled, since the inbox forgets them.
    pub(super) fn keep_held(&mut self, now: Millis, turn: &mut Turn) {
        let unrecorded = self.held.extract_if(.., |held| !held.is_recorded);
        for HeldReport { report, .. } in unrecorded.collect::<Vec<_>>() {
            if report.outcome.is_lasting() {
                // A later replay comes to it, and so does this one.
                self.append_held(now, report, turn);
            } else {
                self.in_flight.remove(&report.target.open_call());
            }
        }
    }

    /// Sets reports aside whose calls no body has made; says if there were any.
    pub(super) fn set_unclaimed_aside(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let calls = &self.calls;
        let is_unclaimed = |held: &mut HeldReport| calls.get(held.report.target.call).is_none();
        let unclaimed: Vec<_> = self.held.extract_if(.., is_unclaimed).collect();
        let any = !unclaimed.is_empty();
        for HeldReport { report, is_recorded } in unclaimed {
            // What belongs to a child entrypoint that has ended is not made again.
            if self.index.is_recorded(report.target.call) {
                continue;
            }
            // Its order is gone and says nothing of the call, which is ordered when it is made.
            if !report.outcome.is_lasting() {
                self.in_flight.remove(&report.target.open_call());
                continue;
            }
            if !is_recorded {
                self.append_held(now, report.clone(), turn);
                self.cursor = self.journal.len();
            }
            self.unclaimed.push(report);
        }
        any
    }

    pub(super) fn handle_held(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let held = std::mem::take(&mut self.held);
        let any = !held.is_empty();
        for HeldReport { report, .. } in held {
            self.settle_report(now, report, turn);
        }
        any
    }

    /// The attempt that a call has a report of which is still to be handled.
    pub(super) fn reported_attempt(&mut self, call: CallId) -> Option<u32> {
        let claimed = self.unclaimed.extract_if(.., |report| report.target.call == call);
        let claimed = claimed.map(|report| HeldReport { report, is_recorded: true });
        self.held.extend(claimed.collect::<Vec<_>>());
        let mut held = self.held.iter().map(|held| &held.report.target);
        held.find(|target| target.call == call).map(|target| target.attempt)
    }

    /// What it came to is in the journal too.
    pub(super) fn forget_held(&mut self, call: CallId, attempt: u32) {
        self.held.retain(|HeldReport { report: Report { target, .. }, .. }| {
            target.call != call || target.attempt > attempt
        });
    }

    /// The question it asked is in the journal too.
    pub(super) fn forget_held_question(&mut self, asked: &Asked) {
        self.held.retain(|HeldReport { report, .. }| match report.outcome {
            AttemptOutcome::Asked { index, .. } => {
                report.target.call != asked.scope || index != asked.index
            }
            _ => true,
        });
    }

    /// A worker runs or has run a call that no body makes, and nothing foreign can come before
    /// it.
    pub(super) fn unclaimed_mismatch(&mut self, now: Millis) -> Option<ReplayMismatch> {
        let is_unclaimed =
            |call: &CallId| self.calls.get(*call).is_none() && !self.index.is_recorded(*call);
        let in_flight = self.in_flight.keys().filter(|open| open.execution == self.id);
        let reported = self.unclaimed.iter().map(|report| report.target.call);
        let mut open = reported.chain(in_flight.map(|open| open.call));
        let call = open.find(is_unclaimed)?;
        // A body that is still to begin, or does again what it did, may make it.
        if self.index.repeats || !self.retries.is_empty() || self.may_still_be_woken(now) {
            return None;
        }
        let found = self.found_instead();
        self.mismatch(format!("the call {call}, which a worker runs"), found);
        self.mismatch.clone()
    }

    fn settle_report(&mut self, now: Millis, report: Report, turn: &mut Turn) {
        let id = report.target.call;
        let is_given_up = self.giving_up.remove(&id).is_some()
            | self.in_flight.remove(&report.target.open_call()).is_some();
        let Some(call) = self.calls.get(id) else { return };
        let (state, scope, name) = (call.state, id, call.request.name().to_owned());
        let current = match state {
            CallState::InFlight { attempt }
            | CallState::Backoff { attempt, .. }
            | CallState::Asking { attempt } => attempt,
            CallState::Held { attempt } => attempt,
            CallState::Undecided
            | CallState::Timer { .. }
            | CallState::Performing
            | CallState::Running
            | CallState::Arrived
            | CallState::Settled => {
                if is_given_up {
                    self.note_attempt(now, id, report.target.attempt, turn);
                }
                return;
            }
        };
        let attempt = report.target.attempt;
        if attempt < current && matches!(state, CallState::InFlight { .. }) {
            // The order of the later attempt is out: its body must not start when a result is
            // recorded already. A report comes this late if its run was cancelled and went on
            // before it was read.
            return;
        }
        self.calls.set_waiting(id, false);
        self.hear_of(id, attempt);
        if !matches!(report.outcome, AttemptOutcome::UnknownTask)
            && let Some(attempts) = self.attempts.get_mut(&id)
        {
            attempts.unknown = 0;
        }
        match self.limited(&name, report.outcome) {
            AttemptOutcome::Completed(value) => self.arrive(id, Ok(value)),
            AttemptOutcome::Cached(value) => self.arrive_from(id, Ok(value), true),
            _ if !matches!(state, CallState::InFlight { .. }) => {}
            AttemptOutcome::Failed { failure, predicates } => {
                self.settle_failure(now, id, attempt, failure, &predicates, turn);
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
            // What was cancelled is settled; this is of a run that was cancelled and goes on.
            // Workers remember the attempt for a while.
            AttemptOutcome::Cancelled => {
                self.dispatch(id, attempt.max(self.heard_attempt(id)) + 1, turn);
            }
            AttemptOutcome::UnknownTask => {
                let attempts = self.attempts.entry(id).or_default();
                attempts.unknown = attempts.unknown.saturating_add(1);
                let wait_ms = unknown_task_wait_ms(attempts.unknown, jitter(id, attempts.unknown));
                let until = now.plus(wait_ms);
                self.calls.set_state(id, CallState::Backoff { attempt, until });
            }
        }
    }

    /// An attempt failed: another one follows, or the failure is the outcome of the call.
    fn settle_failure(
        &mut self,
        now: Millis,
        id: CallId,
        attempt: u32,
        failure: Failure,
        predicates: &[bool],
        turn: &mut Turn,
    ) {
        let failures = self.attempts.get(&id).map_or(0, |attempts| attempts.failures) + 1;
        let (policies, entrypoint) = self.retry_policies(id);
        let predicate = |policy: usize| match entrypoint {
            Some(name) => self.around.program.retries(name, policy, &failure),
            None => predicates.get(policy).copied().unwrap_or(false),
        };
        match decide(policies, &failure, failures, jitter(id, attempt), predicate) {
            RetryDecision::GiveUp => {
                self.note_attempt(now, id, attempt.saturating_sub(1), turn);
                self.bury_if_poisonous(now, id, &failure, turn);
                self.arrive(id, Err(failure));
            }
            RetryDecision::After(wait_ms) => {
                let retry_at = now.plus(wait_ms);
                let next = CallState::Backoff { attempt: attempt + 1, until: retry_at };
                self.calls.set_state(id, next);
                self.writes_anew(id, attempt + 1);
                self.record_attempt(now, id, attempt, failure, retry_at, turn);
            }
        }
    }

    /// Keeps a record of a call that no worker survived.
    fn bury_if_poisonous(&self, now: Millis, id: CallId, failure: &Failure, turn: &mut Turn) {
        let Some(call) = self.calls.get(id) else { return };
        if failure.kind != kind::POISONED {
            return;
        }
        let what = DeadItem::Task {
            thread: self.around.thread.clone(),
            run: self.run,
            call: id,
            name: call.request.name().to_owned(),
        };
        turn.bury(DeadLetter { at: now, reason: failure.message.clone(), what });
    }

    /// Offers tasks that workers did not know again at once: others have come.
    pub(in crate::thread) fn offer_unknown_tasks(&mut self, turn: &mut Turn) {
        if !self.is_live() {
            return;
        }
        let unknown = self.attempts.iter().filter(|(_, attempts)| attempts.unknown > 0);
        for id in unknown.map(|(id, _)| *id).collect::<Vec<_>>() {
            if let Some(CallState::Backoff { attempt, .. }) = self.calls.get(id).map(|it| it.state)
            {
                self.dispatch(id, attempt, turn);
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
        self.time_out_bodies(now, turn);
    }
}

/// How long to wait before a task is offered for the next time that so many workers in a row did
/// not know. Spread, so that the calls of a fan-out do not come all at once.
fn unknown_task_wait_ms(times: u32, jitter: f64) -> u64 {
    let (first, longest) = UNKNOWN_TASK_WAITS_MS;
    let doublings = times.saturating_sub(1).min(longest.ilog2());
    let wait = first.saturating_mul(1 << doublings).min(longest);
    (wait as f64 * (0.75 + jitter / 4.0)) as u64
}

/// A fraction from 0 to 1 that is the same for the same attempt: the core draws no random
/// numbers, and a hash spreads calls as well.
pub(super) fn jitter(call: CallId, attempt: u32) -> f64 {
    let bits = CallId::nth(u128::from(call.low_bits()), attempt).low_bits();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
