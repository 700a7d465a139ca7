//! Taking up what the journal records.

use crate::failure::Failure;
use crate::ids::{CallId, Millis};
use crate::journal::{Delivery, Entry, Fact};
use crate::message::NestedCall;
use crate::payload::Payload;
use crate::replay::{Body, Outcome, ReplayMismatch};
use crate::thread::calls::{Call, CallState, Waiter};
use crate::thread::execution::steps::Footing;
use crate::thread::execution::{Execution, HeldReport, Standing};
use crate::thread::turn::{RunLog, Turn};

/// How long a replay that is stuck waits for a wake-up from outside of the engine before it is
/// called a mismatch, in milliseconds.
const FOREIGN_GRACE_MS: u64 = 1_000;

impl Execution {
    /// Takes up the next entry; false if the bodies have not made what it belongs to.
    pub(super) fn take_entry(&mut self, turn: &mut Turn, log: &mut RunLog) -> bool {
        let position = self.cursor;
        let Entry { at, fact } = self.journal[position].clone();
        let failed = match &fact {
            Fact::Failed { delivery, .. } => Some(delivery.call),
            _ => None,
        };
        let taken = match fact {
            // Nothing follows from an execution that begins twice.
            Fact::Began(_) if position > 0 => false,
            Fact::Began(began) => {
                let footing = Footing::of_root(&began, self.run);
                self.children = began.children;
                let answer = began.answer.filter(|_| !self.index.has_questions());
                match self.around.program.is_graph(&began.entrypoint) {
                    true => self.ahead.extend(answer.map(|answer| (self.root, answer))),
                    false => self.answer = answer,
                }
                let (name, input) = (&began.entrypoint, &began.input);
                match self.call_for_body(self.root, name, input, footing, at) {
                    Ok(()) => true,
                    Err(failure) => {
                        let found = format!("cannot run it: {failure}");
                        self.mismatch(format!("a run of `{name}`"), found);
                        false
                    }
                }
            }
            Fact::Completed { delivery: Delivery { scope, .. }, .. }
            | Fact::Failed { delivery: Delivery { scope, .. }, .. }
            | Fact::Called { caller: scope, .. }
                if self.index.is_given_up(position, scope) =>
            {
                true
            }
            Fact::Asked(asked) if self.index.is_given_up(position, asked.scope) => {
                self.forget_held_question(&asked);
                self.questions.recall_given_up(&asked);
                true
            }
            Fact::Completed { .. } if self.index.is_void(position) => true,
            Fact::Completed { delivery, value, is_cached: _ } => {
                let value = self.kept(delivery.call, value);
                let is_taken = self.take_outcome(position, at, &delivery, Ok(value.clone()));
                if is_taken {
                    self.show_again(position, &delivery, value, turn, log);
                }
                is_taken
            }
            Fact::Failed { delivery, failure, .. } => {
                if self.index.is_void(position) {
                    self.forget_held(delivery.call, u32::MAX);
                    true
                } else {
                    self.take_outcome(position, at, &delivery, Err(failure))
                }
            }
            Fact::AttemptFailed { call, attempt, retry_at, failure } => {
                self.count_attempt(call, attempt, &failure, retry_at);
                self.forget_held(call, attempt);
                true
            }
            Fact::Asked(asked) => {
                let is_asked_now = !self.index.is_in_earlier_run(position);
                self.questions.recall(&asked, is_asked_now);
                self.forget_held_question(&asked);
                true
            }
            Fact::Answered { .. } if self.index.is_void(position) => true,
            Fact::Answered { interrupt, value } => {
                let Some(question) = self.questions.get_mut(interrupt) else {
                    return false;
                };
                let (scope, waiting) = (question.asked.scope, question.waiting);
                drop(self.take_ahead(scope));
                let Some(question) = self.questions.get_mut(interrupt) else {
                    return false;
                };
                match waiting {
                    _ if self.index.is_given_up(position, scope) => {
                        question.answer = Some(value);
                        true
                    }
                    Some(slot) => {
                        question.answer = Some(value.clone());
                        self.deliver(scope, slot, at, Ok(value))
                    }
                    None if self.scopes.contains_key(&scope) && !self.index.reopened => false,
                    None => {
                        question.answer = Some(value);
                        true
                    }
                }
            }
            Fact::Called { caller, body: _, attempt, worker, call, request } => {
                self.callers.insert(caller, (worker, attempt));
                let nested = NestedCall { call, request };
                self.take_nested_call(at, nested, caller, attempt, turn, log)
            }
            Fact::RunBegan { .. } => {
                self.forget_all_failures();
                self.made_now.clear();
                true
            }
            Fact::RunStopped { .. } | Fact::Made { .. } | Fact::Changed { .. } => true,
            Fact::BodyFailed { body, attempt, retry_at, failure: _ } => {
                self.attempts.entry(body).or_default().failures += 1;
                self.take_failure(position, body, attempt, retry_at)
            }
            Fact::BodyBegan { body, attempt, abandoned: _, is_kept: _ } => {
                self.take_beginning(position, body, attempt, at)
            }
            Fact::AnsweredAhead { body, value } => {
                if !self.index.is_in_earlier_run(position) {
                    self.ahead.insert(body, value);
                }
                true
            }
            Fact::Stepped(stepped) => self.take_step(position, &stepped, at),
            Fact::ChildSaved { key, state } => {
                self.children.insert(key, state);
                true
            }
            Fact::Held(report) => {
                self.held.push(HeldReport { report, is_recorded: true });
                true
            }
        };
        self.cursor += usize::from(taken);
        if let Some(call) = failed.filter(|_| taken) {
            self.count_last_attempt(call);
            if self.index.is_void(position) {
                self.forget_failures(call);
            }
        }
        taken
    }

    /// What is there now of a recorded result.
    pub(super) fn kept(&self, call: CallId, value: Payload) -> Payload {
        let position = self.index.outcome_position(call);
        let is_earlier = position.is_some_and(|told| self.index.is_in_earlier_run(told));
        let node = self.calls.get(call).and_then(|call| call.request.node());
        match node.filter(|_| is_earlier) {
            Some(node) => node.kept(value),
            None => value,
        }
    }

    fn take_outcome(
        &mut self,
        position: usize,
        at: Millis,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> bool {
        let made_by_task = self.calls.get(delivery.scope).is_some_and(Call::is_task);
        if self.index.is_recorded(delivery.scope) && !made_by_task {
            return true;
        }
        let state = self.calls.get(delivery.call).map(|call| (call.state, call.waiter));
        let waiter = match state {
            Some((CallState::Undecided | CallState::Running | CallState::Timer { .. }, waiter)) => {
                waiter
            }
            None if self.index.reopened => {
                self.leftovers.insert(delivery.call, outcome);
                return true;
            }
            Some(_) | None => return false,
        };
        let made = self.scopes.get(&delivery.scope).map_or(0, |scope| scope.made());
        if made != delivery.made && !self.index.reopened {
            return false;
        }
        debug_assert!(position < self.journal.len());
        match waiter {
            Waiter::Body(slot) => {
                if !self.deliver(delivery.scope, slot, at, outcome.clone()) {
                    return false;
                }
                self.note_outcome(delivery.scope, delivery.call, &outcome);
            }
            Waiter::Task => {
                self.settle_nested(delivery.call, outcome);
            }
        }
        self.leftovers.remove(&delivery.call);
        self.end_call(delivery.call);
        true
    }

    /// The next entry does not fit what the bodies have done. It is a mismatch, unless something
    /// outside of the engine may still wake them.
    pub(super) fn standing_when_stuck(&mut self, now: Millis) -> Standing {
        if !self.looked {
            self.looked = true;
            return Standing::LookAgain;
        }
        if self.may_still_be_woken(now) {
            return Standing::Working;
        }
        let expected = expected_at(&self.journal[self.cursor]);
        let found = self.found_instead();
        self.mismatch(expected, found);
        self.mismatch.clone().map_or(Standing::Working, Standing::Mismatched)
    }

    /// Whether something outside of the engine may bring a body to where it was: a future that is
    /// marked as local takes as long as it takes, others get a short time.
    pub(super) fn may_still_be_woken(&mut self, now: Millis) -> bool {
        if self.has_locals() {
            return true;
        }
        self.bodies.values().any(Body::may_wait_for_foreign)
            && now < *self.stuck_until.get_or_insert(now.plus(FOREIGN_GRACE_MS))
    }

    pub(super) fn found_instead(&self) -> String {
        let calls = self.calls.unsettled_names();
        let root = self.root;
        let ended = self.ended_bodies.iter().find(|(body, _)| *body == root);
        let result = ended.map(|(_, result)| result);
        match result.or(self.root_end.as_ref().map(|end| &end.result)) {
            Some(Ok(_)) => "ends before it".into(),
            Some(Err(failure)) => format!("fails before it: {failure}"),
            None if !calls.is_empty() => format!("calls {}", calls.join(", ")),
            None if self.questions.has_open() => "waits for an answer to `interrupt`".into(),
            None => "makes no further call".into(),
        }
    }

    pub(super) fn mismatch(&mut self, expected: String, found: String) {
        let position = self.cursor as u64;
        self.mismatch = Some(ReplayMismatch { position, expected, found });
    }
}

fn expected_at(entry: &Entry) -> String {
    match &entry.fact {
        Fact::Completed { delivery, .. } => {
            format!("the result of `{}` ({})", delivery.name, delivery.call)
        }
        Fact::Failed { delivery, failure: Failure { message, .. }, .. } => {
            format!("the failure of `{}` ({}): {message}", delivery.name, delivery.call)
        }
        Fact::Answered { interrupt, .. } => format!("the answer to interrupt {interrupt}"),
        Fact::Began(began) => format!("a run of `{}`", began.entrypoint),
        Fact::RunBegan { run, .. } | Fact::RunStopped { run, .. } => format!("run {run}"),
        Fact::AttemptFailed { call, .. } => format!("a failed attempt of {call}"),
        Fact::BodyFailed { body, .. } => format!("a failed attempt of {body}"),
        Fact::BodyBegan { body, attempt, .. } => format!("attempt {attempt} of {body}"),
        Fact::AnsweredAhead { body, .. } => format!("an answer for {body}"),
        Fact::Stepped(stepped) => format!("a step of {}", stepped.body),
        Fact::ChildSaved { key, .. } => format!("a result of `{key}`"),
        Fact::Made { checkpoint } => format!("checkpoint {checkpoint}"),
        Fact::Changed { checkpoint, .. } => format!("a change of checkpoint {}", checkpoint.id),
        Fact::Called { caller, request, .. } => {
            format!("a call of `{}` by {caller}", request.name())
        }
        Fact::Asked(asked) => format!("interrupt {}", asked.interrupt),
        Fact::Held(report) => format!("a report for {}", report.target.call),
    }
}
