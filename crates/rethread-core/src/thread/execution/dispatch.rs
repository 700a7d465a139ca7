//! Orders for workers.

use std::sync::Arc;

use crate::cache;
use crate::failure::{Failure, kind};
use crate::ids::{CallId, CallKind, Millis};
use crate::journal::{Asked, Fact};
use crate::message::{CacheSlot, OpenCall, Target, TaskOrder};
use crate::payload::Payload;
use crate::policy::Retry;
use crate::replay::CallRequest;
use crate::thread::calls::CallState;
use crate::thread::effect::Job;
use crate::thread::execution::Execution;
use crate::thread::forget;
use crate::thread::turn::Turn;

/// How deep calls may be nested in a run that sets no `recursion_limit`: a call that calls itself
/// for ever must end.
const DEPTH_MAX: u32 = 1_000;

impl Execution {
    /// At the end of the journal, decides what happens with calls that have no outcome in it.
    pub(super) fn decide_undecided(&mut self, now: Millis, turn: &mut Turn) -> bool {
        if self.undecided.is_empty() {
            return false;
        }
        for id in std::mem::take(&mut self.undecided) {
            self.take_leftover_calls(id, now);
            if let Some(outcome) = self.leftovers.remove(&id) {
                self.forget_body(id);
                let outcome = outcome.map(|value| self.kept(id, value));
                self.arrive(id, outcome);
                continue;
            }
            let is_undecided =
                self.calls.get(id).is_some_and(|call| call.state == CallState::Undecided);
            if is_undecided && !self.is_wanted_later(id) {
                self.decide(id, now, turn);
            }
        }
        true
    }

    fn decide(&mut self, id: CallId, now: Millis, turn: &mut Turn) {
        let too_large = self.calls.get(id).and_then(|call| self.too_large_to_call(&call.request));
        if let Some(message) = too_large.or_else(|| self.limit_of(id)) {
            self.arrive(id, Err(Failure::new(kind::LIMIT, message).final_()));
            return;
        }
        let Some(call) = self.calls.get(id) else { return };
        if let CallRequest::Store(request) = &call.request {
            match self.part.inward(request.clone()) {
                Ok(request) => {
                    turn.perform(id, Job::Store(request));
                    self.calls.set_state(id, CallState::Performing);
                }
                Err(failure) => self.arrive(id, Err(failure)),
            }
            return;
        }
        if let Some(outcome) = self.run_inline(id, now) {
            self.arrive(id, outcome);
            return;
        }
        let is_doubted = self.doubted.remove(&id);
        self.answer_ahead(id, now, turn);
        let attempts = self.attempts.get(&id).copied().unwrap_or_default();
        let attempt = attempts.newest + 1;
        let reported = self.reported_attempt(id);
        let open = OpenCall { execution: self.id, call: id };
        let in_flight = self.in_flight.remove(&open).or(self.giving_up.remove(&id));
        if let Some(attempt) = reported.max(in_flight) {
            self.calls.set_state(id, CallState::InFlight { attempt });
        } else if attempts.retry_at > now {
            self.calls.set_state(id, CallState::Backoff { attempt, until: attempts.retry_at });
        } else if self.questions.is_asking(id) || self.is_still_blocked(id) {
            self.calls.set_state(id, CallState::Asking { attempt: attempts.newest.max(1) });
        } else if is_doubted {
            // Its order or its report may be what cannot be read here.
            let attempt = attempt.max(self.heard_attempt(id));
            self.calls.set_state(id, CallState::InFlight { attempt });
        } else {
            self.dispatch(id, attempt, turn);
        }
    }

    /// Whether a task was left waiting for people in this run. A further run runs every task again
    /// that has not ended, once, also one whose calls still wait.
    fn is_still_blocked(&self, id: CallId) -> bool {
        let is_reloaded = self.silent_until > 0;
        is_reloaded && self.is_blocked_on_people(id)
    }

    /// Which limit the call exceeds, if it does.
    pub(super) fn limit_of(&self, id: CallId) -> Option<String> {
        let calls_max = self.around.limits.calls_max;
        if self.calls.place(id) >= calls_max {
            return Some(format!(
                "more than {calls_max} calls in one execution (setting calls_max)"
            ));
        }
        // Of a graph it limits the steps.
        let is_graph = self.begun.get(&self.root).is_some_and(|root| root.is_graph);
        let set = self.settings.recursion_limit.filter(|_| !is_graph);
        let limit = set.unwrap_or(DEPTH_MAX);
        let is_too_deep = self.calls.get(id).is_some_and(|call| call.depth >= limit);
        is_too_deep.then(|| {
            format!("calls are nested deeper than {limit}: end the recursion, or raise the run's recursion_limit")
        })
    }

    /// Orders an attempt, or holds it back while the run has as many in flight as it may.
    pub(super) fn dispatch(&mut self, id: CallId, attempt: u32, turn: &mut Turn) {
        self.calls.set_waiting(id, false);
        if self.has_place() {
            self.order(id, attempt, turn);
        } else {
            self.calls.set_state(id, CallState::Held { attempt });
        }
    }

    /// Orders the next attempt that was held back, if there is a place for it.
    pub(super) fn dispatch_held(&mut self, turn: &mut Turn) -> bool {
        let Some(id) = self.calls.next_held() else { return false };
        let Some(CallState::Held { attempt }) = self.calls.get(id).map(|call| call.state) else {
            return false;
        };
        let has_place = self.has_place();
        if has_place {
            self.order(id, attempt, turn);
        }
        has_place
    }

    /// Whether the run may have one more attempt in flight: as its caller set it, and no more
    /// than keeps the queues open for others.
    fn has_place(&self) -> bool {
        let orders_max = self.around.limits.orders_max;
        let limit = self.settings.max_concurrency.unwrap_or(orders_max).min(orders_max).max(1);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // After a replay there may be some that are not decided yet.
        self.calls.places_taken() + self.in_flight_of_mine().take(limit).count() < limit
    }

    /// Attempts of this execution that are in flight as the shell says, and that the replay has
    /// not come to.
    pub(super) fn in_flight_of_mine(&self) -> impl Iterator<Item = CallId> {
        let first = OpenCall { execution: self.id, call: CallId::ANYWHERE };
        let mine = self.in_flight.range(first..);
        mine.map(|(open, _)| *open)
            .take_while(|open| open.execution == self.id)
            .map(|open| open.call)
    }

    /// Orders a lost attempt again, under the next number: its body may have begun. The journal
    /// has to tell the number: the next attempt may be held back, and nobody else knows this one.
    pub(in crate::thread) fn handle_lost(
        &mut self,
        now: Millis,
        open: OpenCall,
        attempt: u32,
        turn: &mut Turn,
    ) -> bool {
        let OpenCall { execution, call } = open;
        let state = self.calls.get(call).map(|call| call.state);
        if execution == self.id && state == Some(CallState::InFlight { attempt }) {
            let given = attempt.max(self.heard_attempt(call));
            if self.is_live() {
                self.note_attempt(now, call, given, turn);
            }
            self.dispatch(call, given + 1, turn);
            return true;
        }
        if execution == self.id && self.giving_up.get(&call) == Some(&attempt) {
            self.giving_up.remove(&call);
            return true;
        }
        // Of a call that is still to be made: it is ordered then.
        forget(&mut self.in_flight, open, attempt)
    }

    fn order(&mut self, id: CallId, attempt: u32, turn: &mut Turn) {
        let Some(call) = self.calls.get(id) else { return };
        let CallRequest::Task { name, input, options, .. } = &call.request else { return };
        let before = self.attempts.get(&id).map_or(0, |attempts| attempts.before);
        let order = TaskOrder {
            partition: self.around.partition,
            target: Target { thread: self.around.key, execution: self.id, call: id, attempt },
            thread: self.around.thread.clone(),
            run: self.run,
            name: name.to_string(),
            input: input.clone(),
            answers: self.questions.answers_of(id),
            try_number: attempt.saturating_sub(before).max(1),
            timeouts: options.timeouts,
            cache: self.cache_slot(id),
            config: Arc::clone(&self.config),
            trace: self.settings.trace.clone(),
            context: self.settings.context.clone(),
        };
        turn.dispatch(options.queue.clone(), order);
        self.callers.remove(&id);
        self.calls.set_state(id, CallState::InFlight { attempt });
        self.writes_anew(id, attempt);
    }

    /// A task is about to begin that is the only one left of a step for which there is an answer
    /// already: it gets it at once, instead of asking first.
    fn answer_ahead(&mut self, id: CallId, now: Millis, turn: &mut Turn) {
        let Some(call) = self.calls.get(id).filter(|call| call.is_task()) else { return };
        let scope = call.scope;
        let is_alone = self.calls.open_calls_of(scope).count() == 1;
        if !is_alone || self.questions.has_asked(id) {
            return;
        }
        let Some(value) = self.ahead.remove(&scope) else { return };
        let (interrupt, index) = (id.interrupt(0), 0);
        let asked = Asked { interrupt, scope: id, index, value: Payload::NULL };
        self.append(now, Fact::Asked(asked.clone()), turn);
        self.questions.recall(&asked, true);
        self.answer(now, interrupt, value, turn);
    }

    /// Where the result of a task is cached: as the task says, or the entrypoint it runs in.
    fn cache_slot(&self, id: CallId) -> Option<CacheSlot> {
        let call = self.calls.get(id)?;
        let CallRequest::Task { name, input, options, cache_key, .. } = &call.request else {
            return None;
        };
        let inherited = || self.begun.get(&call.body).and_then(|body| body.options.cache);
        let policy = options.cache.or_else(inherited)?;
        let version = options.version.as_deref();
        let key = cache_key.as_deref();
        Some(self.part.slot(cache::slot(CallKind::Task, name, version, input, key, policy)))
    }

    /// The retry policies of a task: its own, or those of the entrypoint it runs in, and whether
    /// they are the entrypoint's.
    pub(super) fn retry_policies(&self, id: CallId) -> (&[Retry], Option<&str>) {
        let Some(call) = self.calls.get(id) else { return (&[], None) };
        let CallRequest::Task { options, .. } = &call.request else { return (&[], None) };
        match self.begun.get(&call.body) {
            Some(body) if options.retry.is_empty() => (&body.options.retry, Some(&body.name)),
            _ => (&options.retry, None),
        }
    }
}
