//! What bodies ask for.

use crate::event::EventKind;
use crate::failure::{Failure, kind};
use crate::ids::{CallId, Millis};
use crate::journal::{Asked, Delivery, Fact};
use crate::message::{CallNews, OpenCall, Target, TaskOrder};
use crate::payload::Payload;
use crate::replay::{Ask, CallRequest};
use crate::thread::calls::{CallState, Waiter};
use crate::thread::execution::Execution;
use crate::thread::turn::{RunLog, Turn};

impl Execution {
    pub(super) fn handle_ask(
        &mut self,
        scope: CallId,
        ask: Ask,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        match ask {
            Ask::Call { slot, id, request } => {
                if !self.is_silent() {
                    self.show_call(id, scope, &request, now, turn, log);
                }
                let made_at = self.scopes.get(&scope).map_or(now, |scope| scope.now());
                self.calls.insert(id, scope, Waiter::Body(slot), request);
                self.undecided.push(id);
                self.begin_at_once(id, made_at);
            }
            Ask::Interrupt { slot, id, index, value } => {
                let asked = Asked { interrupt: id, scope, index, value };
                let question = self.questions.ask(asked, Some(slot));
                // It was answered at an earlier place, in a run before a failure was reopened.
                if let Some(answer) = question.answer.clone() {
                    let at = self.scopes.get(&scope).map_or(now, |scope| scope.now());
                    self.deliver(scope, slot, at, Ok(answer));
                }
            }
            Ask::Withdraw(id) => {
                if let Some(question) = self.questions.get_mut(id) {
                    question.is_withdrawn = true;
                }
            }
            Ask::Emit(value) => {
                if !self.is_silent() {
                    let call = (scope != CallId::root(self.id)).then_some(scope);
                    turn.event(log, now, EventKind::Custom { call, attempt: 1, value });
                }
            }
        }
    }

    pub(super) fn show_call(
        &self,
        call: CallId,
        scope: CallId,
        request: &CallRequest,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        match request {
            CallRequest::Task { name, input, .. } | CallRequest::Entrypoint { name, input } => {
                let (kind, name, input) = (request.kind(), name.to_string(), input.clone());
                let started = EventKind::CallStarted { call, scope, kind, name, input };
                turn.event(log, now, started);
            }
            CallRequest::Timer { .. } => {}
        }
    }

    /// Begins what must not wait for the end of a replay: a child body replays beside its
    /// caller, and a timer counts from when it was made.
    pub(super) fn begin_at_once(&mut self, id: CallId, made_at: Millis) {
        let Some(call) = self.calls.get(id) else { return };
        match call.request.clone() {
            _ if self.is_over_limit(id) => {}
            CallRequest::Task { .. } => {}
            CallRequest::Entrypoint { name, input } => {
                if self.index.is_recorded(id) {
                    return;
                }
                self.calls.set_state(id, CallState::Running);
                match self.start_body(id, &name, &input, None) {
                    Ok(()) => {
                        if let Some(child) = self.scopes.get(&id) {
                            child.set_now(made_at);
                        }
                    }
                    Err(failure) => self.arrive(id, Err(failure)),
                }
            }
            CallRequest::Timer { duration_ms } => {
                self.calls.set_state(id, CallState::Timer { due: made_at.plus(duration_ms) });
            }
        }
    }

    /// At the end of the journal, decides what happens with calls that have no outcome in it.
    pub(super) fn decide_undecided(&mut self, now: Millis, turn: &mut Turn) -> bool {
        if self.undecided.is_empty() {
            return false;
        }
        for id in std::mem::take(&mut self.undecided) {
            self.take_leftover_calls(id, now);
            if let Some(outcome) = self.leftovers.remove(&id) {
                self.bodies.remove(&id);
                self.arrive(id, outcome);
                continue;
            }
            if self.calls.get(id).is_some_and(|call| call.state == CallState::Undecided) {
                self.decide(id, now, turn);
            }
        }
        true
    }

    fn decide(&mut self, id: CallId, now: Millis, turn: &mut Turn) {
        if self.is_over_limit(id) {
            let limit = self.around.limits.calls_max;
            let message = format!("more than {limit} calls in one execution (setting calls_max)");
            self.arrive(id, Err(Failure::new(kind::LIMIT, message).final_()));
            return;
        }
        let attempts = self.attempts.get(&id).copied().unwrap_or_default();
        let attempt = attempts.newest + 1;
        let reported = self.reported_attempt(id);
        let open = OpenCall { execution: self.id, call: id };
        if self.in_flight.remove(&open) || reported.is_some() {
            let attempt = reported.unwrap_or(attempt);
            self.calls.set_state(id, CallState::InFlight { attempt });
        } else if self.questions.is_asking(id) || self.is_blocked_on_people(id) {
            self.calls.set_state(id, CallState::Asking { attempt: attempts.newest.max(1) });
        } else if attempts.retry_at > now {
            self.calls.set_state(id, CallState::Backoff { attempt, until: attempts.retry_at });
        } else {
            self.dispatch(id, attempt, turn);
        }
    }

    fn is_over_limit(&self, id: CallId) -> bool {
        self.calls.place(id) >= self.around.limits.calls_max
    }

    pub(super) fn dispatch(&mut self, id: CallId, attempt: u32, turn: &mut Turn) {
        let Some(call) = self.calls.get(id) else { return };
        let CallRequest::Task { name, input, options } = &call.request else { return };
        let order = TaskOrder {
            partition: self.around.partition,
            target: Target { thread: self.around.key, execution: self.id, call: id, attempt },
            thread: self.around.thread.clone(),
            run: self.run,
            name: name.to_string(),
            input: input.clone(),
            answers: self.questions.answers_of(id),
            timeout_ms: options.timeout_ms,
        };
        turn.dispatch(options.queue.clone(), order);
        self.calls.set_state(id, CallState::InFlight { attempt });
    }

    /// Records questions that are not in the journal.
    pub(super) fn record_questions(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let unrecorded = self.questions.take_unrecorded();
        let any = !unrecorded.is_empty();
        for asked in unrecorded {
            self.append(now, Fact::Asked(asked), turn);
        }
        any
    }

    /// Records and delivers the next outcome that arrived.
    pub(super) fn deliver_arrived(
        &mut self,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) -> bool {
        let Some((id, outcome)) = self.arrived.pop_front() else { return false };
        let Some(call) = self.calls.get(id) else { return true };
        let (scope, waiter) = (call.scope, call.waiter);
        let name = call.request.name().to_owned();
        let is_timer = matches!(call.request, CallRequest::Timer { .. });
        let made = self.scopes.get(&scope).map_or(0, |scope| scope.made());
        let delivery = Delivery { call: id, scope, name: name.clone(), made };
        let (fact, shown) = match &outcome {
            Ok(value) => (
                Fact::Completed { delivery, value: value.clone() },
                EventKind::Updated { call: id, name, value: value.clone() },
            ),
            Err(failure) => (
                Fact::Failed { delivery, failure: failure.clone() },
                EventKind::CallFailed { call: id, name, failure: failure.clone() },
            ),
        };
        self.append(now, fact, turn);
        if !is_timer {
            turn.event(log, now, shown);
        }
        self.calls.set_state(id, CallState::Settled);
        match waiter {
            Waiter::Body(slot) => self.deliver(scope, slot, now, outcome),
            Waiter::Task => {
                self.tell(scope, id, CallNews::Ended(outcome.clone()), turn);
                self.settle_nested(id, outcome);
            }
        }
        true
    }

    /// The outcome of a timer that fired.
    pub(super) fn fire(&mut self, id: CallId) {
        self.arrive(id, Ok(Payload::NULL));
    }
}
