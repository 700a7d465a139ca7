//! What bodies ask for.

use crate::event::EventKind;
use crate::ids::{CallId, InterruptId, Millis};
use crate::journal::{Asked, Delivery, Fact, Reopens};
use crate::message::CallNews;
use crate::payload::Payload;
use crate::replay::{Ask, CallRequest};
use crate::thread::calls::{CallState, Waiter};
use crate::thread::execution::{Arrival, Execution};
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
                if matches!(request, CallRequest::Entrypoint { .. }) {
                    self.place_child(id, scope, &request);
                }
                if !self.is_silent() {
                    let is_known = self.index.is_in_earlier_run(self.cursor);
                    self.show_call(id, scope, &request, is_known, now, turn, log);
                }
                let made_at = self.scopes.get(&scope).map_or(now, |scope| scope.now());
                self.calls.insert(id, scope, Waiter::Body(slot), request);
                self.questions.know(id);
                self.undecided.push(id);
                self.begin_at_once(id, made_at);
            }
            Ask::Interrupt { slot, id, index, value } => {
                let asked = Asked { interrupt: id, scope, index, value };
                let question = self.questions.ask(asked, Some(slot));
                // It was answered at an earlier place, in a run before a failure was reopened.
                if let Some(answer) = question.answer.clone() {
                    let at = self.scopes.get(&scope).map_or(now, |scope| scope.now());
                    self.deliver_recorded(scope, slot, at, Ok(answer));
                }
            }
            Ask::Withdraw(id) => {
                if let Some(question) = self.questions.get_mut(id) {
                    question.is_withdrawn = true;
                }
            }
            Ask::Emit(emission) => {
                self.show_progress(scope, now);
                if !self.is_silent() && self.may_emit(&emission, log) {
                    let attempt = self.body_writes(scope);
                    let call = (scope != self.root).then_some(scope);
                    turn.event(log, now, EventKind::emitted(call, attempt, emission));
                }
            }
            Ask::Cancel(call) => self.cancelled.push(call),
            // The entrypoint's body is run again rather than gone on with: nothing is kept of it.
            Ask::Heartbeat(_) => self.show_progress(scope, now),
        }
    }

    /// Shows that a call was made; `is_known` if it was made in an earlier run too.
    #[allow(clippy::too_many_arguments, reason = "a turn and its log go everywhere together")]
    pub(super) fn show_call(
        &self,
        call: CallId,
        scope: CallId,
        request: &CallRequest,
        is_known: bool,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        match request {
            CallRequest::Task { name, input, .. } | CallRequest::Entrypoint { name, input, .. } => {
                let kind = request.kind();
                let child = matches!(request, CallRequest::Entrypoint { .. })
                    .then(|| Box::new(self.child_start(call, scope, (name, input), is_known)));
                let (name, input) = (name.to_string(), input.clone());
                let node = request.node().cloned();
                let started =
                    EventKind::CallStarted { call, scope, kind, name, input, child, node };
                turn.event(log, now, started);
            }
            CallRequest::Timer { .. } | CallRequest::Store(_) => {}
        }
    }

    /// Shows the result of a node that an earlier run of the step has recorded.
    pub(super) fn show_again(
        &self,
        position: usize,
        delivery: &Delivery,
        value: Payload,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        if self.is_silent() || !self.index.is_in_earlier_run(position) {
            return;
        }
        let Some(call) = self.calls.get(delivery.call) else { return };
        let Some(node) = call.request.node().cloned() else { return };
        let updated = EventKind::Updated {
            call: delivery.call,
            name: delivery.name.clone(),
            value,
            is_cached: true,
            node: Some(node),
        };
        turn.event(log, self.began_at, updated);
    }

    /// Begins what must not wait for the end of a replay: a child body replays beside its
    /// caller, and a timer counts from when it was made.
    pub(super) fn begin_at_once(&mut self, id: CallId, made_at: Millis) {
        let Some(call) = self.calls.get(id) else { return };
        match call.request.clone() {
            // What a child did under a higher limit stands.
            _ if self.limit_of(id).is_some() && !self.index.mentions(id) => {}
            CallRequest::Task { .. } | CallRequest::Store(_) => {}
            CallRequest::Entrypoint { name, input, node: _ } => {
                if self.index.is_replayed(id) {
                    return;
                }
                self.calls.set_state(id, CallState::Running);
                let footing = self.footing_of_child(id, &name);
                let called = self.call_for_body(id, &name, &input, footing, made_at);
                if let Err(failure) = called {
                    self.arrive(id, Err(failure));
                }
            }
            CallRequest::Timer { duration_ms } => {
                self.calls.set_state(id, CallState::Timer { due: made_at.plus(duration_ms) });
            }
        }
    }

    /// Records questions that are not in the journal. The first one of an execution may have its
    /// answer already.
    pub(super) fn record_questions(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let unrecorded = self.questions.take_unrecorded();
        let any = !unrecorded.is_empty();
        for asked in unrecorded {
            let interrupt = asked.interrupt;
            let asker = asked.scope;
            self.append(now, Fact::Asked(asked), turn);
            self.count_questions();
            if let Some(value) = self.take_ahead(asker).or_else(|| self.answer.take()) {
                self.answer(now, interrupt, value, turn);
            }
        }
        any
    }

    /// Records the answer to an open question and passes it on: to the body that waits for it,
    /// or to a further attempt of the task that asked.
    pub(in crate::thread) fn answer(
        &mut self,
        now: Millis,
        interrupt: InterruptId,
        value: Payload,
        turn: &mut Turn,
    ) {
        self.append(now, Fact::Answered { interrupt, value: value.clone() }, turn);
        let Some(question) = self.questions.get_mut(interrupt) else { return };
        question.answer = Some(value.clone());
        let scope = question.asked.scope;
        match question.waiting {
            Some(slot) => self.deliver_recorded(scope, slot, now, Ok(value)),
            None => self.decide_again(scope),
        }
    }

    /// A task that waited for a person may go on, and so may the tasks that wait for it.
    fn decide_again(&mut self, task: CallId) {
        let mut next = Some(task);
        while let Some(id) = next {
            let Some(call) = self.calls.get(id) else { return };
            next = (call.waiter == Waiter::Task).then_some(call.scope);
            if matches!(call.state, CallState::Asking { .. }) {
                self.calls.set_state(id, CallState::Undecided);
                self.undecided.push(id);
            }
        }
    }

    /// Records and delivers the next outcome that arrived.
    pub(super) fn deliver_arrived(
        &mut self,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) -> bool {
        let Some(arrival) = self.arrived.pop_front() else { return false };
        let Arrival { call: id, outcome, is_cached } = arrival;
        let Some(call) = self.calls.get(id) else { return true };
        let (scope, waiter) = (call.scope, call.waiter);
        let name = call.request.name().to_owned();
        let node = call.request.node().cloned();
        let reopens = Reopens::of(node.as_deref());
        let is_shown =
            matches!(call.request, CallRequest::Task { .. } | CallRequest::Entrypoint { .. });
        let made = self.scopes.get(&scope).map_or(0, |scope| scope.made());
        let delivery = Delivery { call: id, scope, name: name.clone(), made };
        let (fact, shown) = match &outcome {
            Ok(value) => (
                Fact::Completed { delivery, value: value.clone(), is_cached },
                EventKind::Updated { call: id, name, value: value.clone(), is_cached, node },
            ),
            Err(failure) => (
                Fact::Failed { delivery, failure: failure.clone(), reopens },
                EventKind::CallFailed { call: id, name, failure: failure.clone(), node },
            ),
        };
        self.append(now, fact, turn);
        if outcome.is_err() {
            self.count_last_attempt(id);
        }
        if is_shown {
            turn.event(log, now, shown);
        }
        self.end_call(id);
        match waiter {
            Waiter::Body(slot) => {
                self.note_outcome(scope, id, &outcome);
                self.deliver_recorded(scope, slot, now, outcome);
            }
            Waiter::Task => {
                self.tell(scope, id, CallNews::Ended(outcome.clone()), turn);
                self.settle_nested(id, outcome);
                self.decide_again(scope);
            }
        }
        true
    }

    /// The outcome of a timer that fired.
    pub(super) fn fire(&mut self, id: CallId) {
        self.arrive(id, Ok(Payload::NULL));
    }
}
