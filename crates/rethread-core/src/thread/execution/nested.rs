//! Calls that task bodies make on their workers.
//!
//! They are written down when they are made, under the id of the task's call and never under that
//! of an attempt: a later attempt, on whatever worker, finds what an earlier one has finished. A
//! worker is told how its calls end, and asks again if it misses that.

use crate::ids::{CallId, Millis, WorkerId};
use crate::journal::Fact;
use crate::message::{CallNews, Called, NestedCall, OpenCall, Target, WorkerMail};
use crate::replay::{CallRequest, Outcome};
use crate::thread::calls::{Call, CallState, Waiter};
use crate::thread::execution::{Execution, Nested};
use crate::thread::turn::{RunLog, Turn};

impl Execution {
    /// A task body made calls, or asks again how they ended.
    ///
    /// Dropped while the code does not fit the journal, and for attempts that are over: a worker
    /// that still waits asks again.
    pub(in crate::thread) fn handle_called(
        &mut self,
        now: Millis,
        called: Called,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        let Called { target, worker, calls, cancelled } = called;
        let caller = target.call;
        let current = match self.calls.get(caller).map(|call| call.state) {
            Some(CallState::InFlight { attempt }) if self.is_live() => attempt,
            _ => return,
        };
        if target.attempt < current {
            return;
        }
        let attempt = target.attempt;
        if attempt < self.heard_attempt(caller) {
            // A worker that has lost the order by now was heard of later. This one, which would
            // never be answered, ends, and a further attempt is ordered.
            let mail = WorkerMail { call: caller, news: CallNews::Cancelled, target };
            turn.tell(worker, mail);
            return;
        }
        self.callers.insert(caller, (worker.clone(), attempt));
        self.hear_of(caller, attempt);
        self.calls.set_waiting(caller, calls.is_empty() && cancelled.is_empty());
        self.cancelled.extend(cancelled);
        for nested in calls {
            let NestedCall { call, request } = &nested;
            let call = *call;
            let state = self.calls.get(call).map(|call| call.state);
            if state.is_none() && matches!(request, CallRequest::Entrypoint { .. }) {
                self.place_child(call, caller, request);
            }
            let is_made_now = self.made_now.insert(call);
            if is_made_now {
                if self.shown.insert(call) {
                    self.show_call(call, caller, request, state.is_some(), now, turn, log);
                }
                self.record_nested(now, &target, &worker, &nested, turn);
            }
            match state {
                None => self.insert_nested(nested, caller, attempt, now),
                // Made again in a further run: now it is wanted.
                Some(CallState::Undecided) if is_made_now => self.undecided.push(call),
                Some(CallState::Settled) => {
                    let Some(known) = self.nested.get(&call) else { continue };
                    match known.outcome.clone() {
                        // What failed is tried again by a further attempt of the task.
                        Some(Err(_)) if known.attempt < attempt => {
                            if !is_made_now {
                                self.record_nested(now, &target, &worker, &nested, turn);
                            }
                            if self.bodies_began_for(call) {
                                self.is_outdated = true;
                                continue;
                            }
                            self.forget_failures(call);
                            self.begin_nested(call, attempt, now);
                        }
                        Some(outcome) => self.tell(caller, call, CallNews::Ended(outcome), turn),
                        // It was given up when an earlier attempt went another way.
                        None => {
                            if !is_made_now {
                                self.record_nested(now, &target, &worker, &nested, turn);
                            }
                            self.begin_nested(call, attempt, now);
                        }
                    }
                }
                Some(_) if self.is_call_blocked(call) => {
                    self.tell(caller, call, CallNews::Suspended, turn);
                }
                Some(_) => {}
            }
        }
    }

    /// The newest attempt of a task that has made calls since it was ordered.
    pub(super) fn heard_attempt(&self, caller: CallId) -> u32 {
        self.callers.get(&caller).map_or(0, |(_, attempt)| *attempt)
    }

    /// Whether the call is one of a child entrypoint. What such a child has done stands in the
    /// journal, in the order in which its body must find it again.
    fn bodies_began_for(&self, call: CallId) -> bool {
        let request = self.calls.get(call).map(|call| &call.request);
        matches!(request, Some(CallRequest::Entrypoint { .. }))
    }

    fn record_nested(
        &mut self,
        now: Millis,
        target: &Target,
        worker: &WorkerId,
        nested: &NestedCall,
        turn: &mut Turn,
    ) {
        let NestedCall { call, request } = nested.clone();
        let (caller, attempt, worker) = (target.call, target.attempt, worker.clone());
        let body = self.calls.get(caller).map_or(caller, |caller| caller.body);
        self.append(now, Fact::Called { caller, body, attempt, worker, call, request }, turn);
    }

    fn insert_nested(&mut self, nested: NestedCall, caller: CallId, attempt: u32, at: Millis) {
        let NestedCall { call, request } = nested;
        self.calls.insert(call, caller, Waiter::Task, request);
        self.questions.know(call);
        self.begin_nested(call, attempt, at);
    }

    fn begin_nested(&mut self, call: CallId, attempt: u32, at: Millis) {
        self.nested.insert(call, Nested { attempt, outcome: None });
        self.calls.set_state(call, CallState::Undecided);
        self.undecided.push(call);
        self.begin_at_once(call, at);
    }

    pub(super) fn settle_nested(&mut self, call: CallId, outcome: Outcome) {
        if let Some(nested) = self.nested.get_mut(&call) {
            nested.outcome = Some(outcome);
        }
    }

    /// Takes up a recorded call of a task; false if the task's own call was not made.
    pub(super) fn take_nested_call(
        &mut self,
        at: Millis,
        nested: NestedCall,
        caller: CallId,
        attempt: u32,
        turn: &mut Turn,
        log: &mut RunLog,
    ) -> bool {
        let is_earlier = self.index.is_in_earlier_run(self.cursor);
        self.made_now.insert(nested.call);
        if !is_earlier {
            self.shown.insert(nested.call);
        }
        if let Some(known) = self.nested.get_mut(&nested.call) {
            // It was made again: after a failure, which is void, in a further run, or after it was
            // given up.
            known.attempt = attempt;
            let is_given_up = known.outcome.is_none();
            let state = self.calls.get(nested.call).map(|call| call.state);
            if is_given_up && state == Some(CallState::Settled) {
                self.begin_nested(nested.call, attempt, at);
            }
        } else if self.calls.get(caller).is_some_and(Call::is_task) {
            if matches!(nested.request, CallRequest::Entrypoint { .. }) {
                self.place_child(nested.call, caller, &nested.request);
            }
            // A task that runs again makes it again.
            let is_shown = is_earlier && !self.index.is_recorded(caller);
            if is_shown && self.shown.insert(nested.call) && !self.is_silent() {
                self.show_call(nested.call, caller, &nested.request, true, at, turn, log);
            }
            self.insert_nested(nested, caller, attempt, at);
        } else if self.index.is_recorded(caller) {
            // The task belongs to a child entrypoint that has ended, and so has all in it.
        } else if self.index.reopened {
            self.leftover_calls.push((caller, attempt, nested));
        } else {
            return false;
        }
        true
    }

    /// Whether a recorded call of a task waits until the task makes it again: the task runs again
    /// in this run, and may go another way.
    pub(super) fn is_wanted_later(&self, id: CallId) -> bool {
        let Some(call) = self.calls.get(id) else { return false };
        let is_made_now = self.made_now.contains(&id);
        let is_under_way = self.in_flight.contains_key(&OpenCall { execution: self.id, call: id })
            || self.held.iter().any(|held| held.report.target.call == id);
        let caller = self.calls.get(call.scope).map(|caller| caller.state);
        call.waiter == Waiter::Task
            && !is_made_now
            && !is_under_way
            && caller != Some(CallState::Settled)
    }

    /// A call has ended, and so has what it asked. What a task had called in earlier runs and did
    /// not call again is given up.
    pub(super) fn end_call(&mut self, id: CallId) {
        self.calls.set_state(id, CallState::Settled);
        self.questions.withdraw_of(id);
        let unwanted: Vec<_> = self
            .calls
            .open_calls_of(id)
            .filter(|(call, made)| made.waiter == Waiter::Task && !self.made_now.contains(call))
            .map(|(call, _)| call)
            .collect();
        for call in unwanted {
            self.give_up_unwanted(call);
        }
    }

    /// Gives up a call with what it called, but for what goes on or, as the journal tells, went on.
    fn give_up_unwanted(&mut self, call: CallId) {
        let goes_on = self.calls.get(call).is_none_or(|call| call.state.is_open_work());
        if goes_on || self.index.is_told_later(call, self.cursor) {
            return;
        }
        self.give_up_call(call);
        let called: Vec<_> = self.calls.open_calls_of(call).map(|(call, _)| call).collect();
        for call in called {
            self.give_up_unwanted(call);
        }
    }

    /// The calls that were recorded for a task which a body made only now.
    pub(super) fn take_leftover_calls(&mut self, caller: CallId, at: Millis) {
        let taken = self.leftover_calls.extract_if(.., |(leftover, ..)| *leftover == caller);
        for (caller, attempt, nested) in taken.collect::<Vec<_>>() {
            self.insert_nested(nested, caller, attempt, at);
        }
    }

    /// Whether all that a body waits for are answers from people: to its own questions, or to
    /// those of the calls it made.
    pub(super) fn is_blocked_on_people(&self, scope: CallId) -> bool {
        if self.bodies.get(&scope).is_some_and(|body| body.scope().locals() > 0) {
            return false;
        }
        let mut is_blocked = self.questions.is_asking(scope) || self.paused.contains(&scope);
        for (id, call) in self.calls.open_calls_of(scope) {
            // A task that runs again does not wait for what it has not called again.
            if call.waiter == Waiter::Task && !self.made_now.contains(&id) {
                continue;
            }
            if !self.is_call_blocked(id) {
                return false;
            }
            is_blocked = true;
        }
        is_blocked
    }

    /// Whether a call goes on only when people answer. One that is on a worker does not count:
    /// the worker gives it up first.
    pub(super) fn is_call_blocked(&self, call: CallId) -> bool {
        match self.calls.get(call).map(|call| call.state) {
            Some(CallState::Asking { .. }) => true,
            Some(CallState::Undecided) => self.is_blocked_on_people(call),
            Some(CallState::Running) => {
                let is_to_begin = self.retries.contains_key(&call);
                let is_at_a_job =
                    self.looking_up.contains(&call) || self.filling.contains_key(&call);
                let goes_on = self.stepping.contains_key(&call);
                !is_to_begin && !goes_on && !is_at_a_job && self.is_blocked_on_people(call)
            }
            _ => false,
        }
    }

    /// Tells workers of child entrypoints that wait for people, or pause.
    pub(super) fn tell_blocked_children(&self, turn: &mut Turn) {
        if self.callers.is_empty() {
            return;
        }
        for &child in self.bodies.keys().chain(&self.paused) {
            let call = self.calls.get(child);
            let by_task = call.filter(|call| call.waiter == Waiter::Task);
            if let Some(call) = by_task
                && self.is_blocked_on_people(child)
            {
                self.tell(call.scope, child, CallNews::Suspended, turn);
            }
        }
    }

    /// A call waits for a person. If a task made it, its worker is told, so that the attempt can
    /// give up its slot.
    pub(super) fn suspend(&mut self, id: CallId, attempt: u32, turn: &mut Turn) {
        self.calls.set_state(id, CallState::Asking { attempt });
        let Some(call) = self.calls.get(id) else { return };
        if call.waiter == Waiter::Task {
            let caller = call.scope;
            self.tell(caller, id, CallNews::Suspended, turn);
        }
    }

    pub(super) fn tell(&self, caller: CallId, call: CallId, news: CallNews, turn: &mut Turn) {
        let state = self.calls.get(caller).map(|call| call.state);
        if !matches!(state, Some(CallState::InFlight { .. })) {
            return;
        }
        let Some((worker, attempt)) = self.callers.get(&caller).cloned() else { return };
        let target = Target { thread: self.around.key, execution: self.id, call: caller, attempt };
        turn.tell(worker, WorkerMail { target, call, news });
    }
}
