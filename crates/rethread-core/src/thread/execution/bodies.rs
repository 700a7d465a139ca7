//! The bodies of entrypoints: how they begin, end, take too long, and begin again.

use std::sync::Arc;

use crate::cache;
use crate::failure::{Failure, kind};
use crate::graph::StepCount;
use crate::ids::{CallId, CallKind, Millis};
use crate::journal::Fact;
use crate::payload::Payload;
use crate::policy::History;
use crate::replay::{Body, BodyOutput, Scope, ScopeInfo, start_caught};
use crate::retry::{RetryDecision, decide};
use crate::thread::calls::CallState;
use crate::thread::effect::Job;
use crate::thread::execution::reports::jitter;
use crate::thread::execution::steps::Footing;
use crate::thread::execution::{BodyEnd, BodyRetry, EntrypointBody, Execution};
use crate::thread::index::Beginning;
use crate::thread::turn::Turn;

impl Execution {
    /// A body is called for: it begins at once, or when the journal or the cache says so.
    pub(super) fn call_for_body(
        &mut self,
        body: CallId,
        name: &str,
        input: &Payload,
        footing: Footing,
        at: Millis,
    ) -> Result<(), Failure> {
        let program = &self.around.program;
        let options = program.options(name);
        let is_graph = program.is_graph(name);
        // The result of a step is none of the graph.
        let cache = options.cache.filter(|_| !is_graph).map(|policy| {
            let key = program.cache_key(name, input);
            let version = options.version.as_deref();
            let key = key.as_deref();
            let slot = cache::slot(CallKind::Entrypoint, name, version, input, key, policy);
            self.part.slot(slot)
        });
        let is_cached = cache.is_some();
        let (name, input) = (name.to_owned(), input.clone());
        let (deadline, idle_until) = (None, None);
        let begun = EntrypointBody {
            name,
            input,
            options,
            footing,
            is_graph,
            cache,
            attempt: 1,
            deadline,
            idle_until,
        };
        self.begun.insert(body, begun);
        let last = self.index.last_attempt(body);
        match last.map(|last| (last.began, last.number)) {
            // When its entry is taken up.
            Some((Beginning::AtEntry(position), _)) if position >= self.cursor => Ok(()),
            // After a reopening, a body may be called later than it began the first time.
            Some((Beginning::AtEntry(position), attempt)) if self.pauses_at(position) => {
                self.pause_body(body, attempt);
                Ok(())
            }
            Some((Beginning::AtEntry(_) | Beginning::AtItsCall, attempt)) => {
                self.stand_at_last_step(body);
                self.begin_body(body, attempt, at)
            }
            Some((Beginning::NotYet, attempt)) => {
                self.retries.insert(body, BodyRetry { attempt, not_before: Millis::default() });
                Ok(())
            }
            // Results are cached only from some deployment on: it had begun before.
            None if is_cached && !self.index.mentions(body) => {
                self.to_look_up.push(body);
                Ok(())
            }
            None if !self.is_kept(body) => {
                let retry = BodyRetry { attempt: 1, not_before: Millis::default() };
                self.retries.insert(body, retry);
                Ok(())
            }
            None => self.begin_body(body, 1, at),
        }
    }

    /// Whether later runs use what a body does: not of a child without a history, nor of what
    /// that calls.
    pub(super) fn is_kept(&self, body: CallId) -> bool {
        let path = self.calls.path(body);
        let mut histories = path.iter().filter_map(|body| self.begun.get(body));
        !histories.any(|begun| begun.options.history == History::Off)
    }

    /// Begins an attempt of a body that was called for.
    pub(super) fn begin_body(
        &mut self,
        body: CallId,
        attempt: u32,
        at: Millis,
    ) -> Result<(), Failure> {
        // A replay may come past the beginning of the newest run later.
        let failures = match self.is_live() {
            true => self.attempts.get(&body).map_or(0, |attempts| attempts.failures),
            false => self.index.failures_before(body),
        };
        let Some(begun) = self.begun.get_mut(&body) else { return Ok(()) };
        self.results.remove(&body);
        begun.attempt = attempt;
        let future = start_caught(&*self.around.program, &begun.name, &begun.input)
            .map_err(|refusal| Failure::new(kind::ERROR, refusal.to_string()).final_())?;
        let info = ScopeInfo {
            scope: body,
            is_root: body == self.root,
            calls: if body == self.root { CallId::root(self.id) } else { body }.of_attempt(attempt),
            thread: self.around.thread.clone(),
            run: self.run,
            execution: self.id,
            name: begun.name.clone(),
            attempt: failures + 1,
            previous: begun.footing.previous.clone(),
            goes_on: begun.footing.goes_on,
            carried: begun.footing.carried.clone(),
            steps: StepCount::of_run(&self.settings, begun.footing.steps, begun.footing.took_input),
            breakpoints: match body == self.root {
                true => Arc::new(self.settings.breakpoints.clone()),
                false => Arc::default(),
            },
            answers: Vec::new(),
            config: self.config.clone(),
            context: self.settings.context.clone(),
            progress: None,
            provided: self.around.program.provided(),
        };
        let counts_from = at.max(self.began_at);
        let timeouts = begun.options.timeouts;
        begun.deadline = timeouts.run_ms.map(|limit| counts_from.plus(limit));
        begun.idle_until = timeouts.idle_ms.map(|limit| counts_from.plus(limit));
        let scope = Scope::gated(info);
        scope.set_now(at);
        self.scopes.insert(body, scope.clone());
        if attempt > 1 {
            self.child_counts.retain(|(caller, _), _| *caller != body);
        }
        let on_wake = self.around.on_wake.clone();
        self.bodies.insert(body, Body::new(scope, future, on_wake, &self.woken));
        Ok(())
    }

    /// Begins a body at the entry that says so; false if it was not called for.
    pub(super) fn take_beginning(
        &mut self,
        position: usize,
        body: CallId,
        attempt: u32,
        at: Millis,
    ) -> bool {
        let last = self.index.last_attempt(body);
        let is_last = last.is_some_and(|last| last.began == Beginning::AtEntry(position));
        if !is_last || self.index.is_recorded(body) || self.index.is_given_up(position, body) {
            return true;
        }
        if !self.begun.contains_key(&body) {
            return self.index.reopened;
        }
        if self.bodies.contains_key(&body) {
            // Its calls would be answered to the one that begins now.
            return false;
        }
        if self.pauses_at(position) {
            self.pause_body(body, attempt);
            return true;
        }
        self.stand_at_last_step(body);
        match self.begin_body(body, attempt, at) {
            Ok(()) => true,
            Err(failure) => {
                let found = format!("cannot run it: {failure}");
                self.mismatch(format!("attempt {attempt} of {body}"), found);
                false
            }
        }
    }

    /// The newest attempt of a body failed at this entry, and the next one has not begun: its calls
    /// may go on. False if the body was not called for.
    pub(super) fn take_failure(
        &mut self,
        position: usize,
        body: CallId,
        attempt: u32,
        retry_at: Millis,
    ) -> bool {
        let is_last =
            self.index.last_attempt(body).is_some_and(|last| last.failed == Some(position));
        if !is_last || self.index.is_recorded(body) || self.index.is_given_up(position, body) {
            return true;
        }
        let Some(begun) = self.begun.get(&body) else { return self.index.reopened };
        // Calls of an attempt are known by its number: none is given twice.
        let attempt = attempt.max(begun.attempt).saturating_add(1);
        self.forget_body(body);
        self.questions.withdraw_of(body);
        self.retries.insert(body, BodyRetry { attempt, not_before: retry_at });
        true
    }

    /// Stops whatever a body is doing.
    pub(super) fn forget_body(&mut self, body: CallId) {
        self.bodies.remove(&body);
        self.retries.remove(&body);
        self.to_look_up.retain(|one| *one != body);
        self.looking_up.remove(&body);
        self.filling.remove(&body);
        self.stepping.remove(&body);
        self.paused.remove(&body);
        self.ended_bodies.retain(|(ended, _)| *ended != body);
        self.ended_children.remove(&body);
    }

    /// Gives up a call that goes on no more, with what it asked.
    pub(super) fn give_up_call(&mut self, call: CallId) {
        self.forget_body(call);
        self.calls.set_state(call, CallState::Settled);
        self.questions.withdraw_of(call);
    }

    /// Decides what becomes of bodies that ended: they are tried again, cached or done.
    pub(super) fn settle_ended_bodies(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let ended = std::mem::take(&mut self.ended_bodies);
        let any = !ended.is_empty();
        for (body, result) in ended {
            match result {
                Ok(output) => self.keep_result(body, output, turn),
                Err(failure) => self.retry_or_fail(body, failure, now, turn),
            }
        }
        any
    }

    fn keep_result(&mut self, body: CallId, output: BodyOutput, turn: &mut Turn) {
        match self.begun.get(&body).and_then(|begun| begun.cache.clone()) {
            _ if self.makes_step(body, &output) => {
                self.stepping.insert(body, output);
            }
            Some(slot) => {
                turn.perform(body, Job::FillCache(slot, encode_output(&output)));
                self.filling.insert(body, output);
            }
            None => self.end_body(body, BodyEnd { result: Ok(output), is_cached: false }),
        }
    }

    fn retry_or_fail(&mut self, body: CallId, failure: Failure, now: Millis, turn: &mut Turn) {
        let Some(begun) = self.begun.get(&body) else { return };
        let attempts = self.attempts.entry(body).or_default();
        let failures = attempts.failures + 1;
        let attempt = begun.attempt;
        let (program, name) = (&self.around.program, &begun.name);
        let predicate = |policy| program.retries(name, policy, &failure);
        let draw = jitter(body, attempt);
        match decide(&begun.options.retry, &failure, failures, draw, predicate) {
            RetryDecision::GiveUp => {
                self.end_body(body, BodyEnd { result: Err(failure), is_cached: false });
            }
            RetryDecision::After(wait_ms) => {
                attempts.failures = failures;
                let retry_at = now.plus(wait_ms);
                let retry = BodyRetry { attempt: attempt + 1, not_before: retry_at };
                self.retries.insert(body, retry);
                self.append(now, Fact::BodyFailed { body, attempt, failure, retry_at }, turn);
            }
        }
    }

    pub(super) fn end_body(&mut self, body: CallId, end: BodyEnd) {
        if body == self.root {
            self.root_end = Some(end);
        } else {
            self.ended_children.insert(body, end);
        }
    }

    /// Begins further attempts that are due, once nothing of the attempt before goes on: what
    /// that one had asked people is given up.
    pub(super) fn begin_due_attempts(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let ready = |(body, retry): (&CallId, &BodyRetry)| {
            (retry.not_before <= now && self.is_quiet(*body)).then_some((*body, *retry))
        };
        let Some((body, BodyRetry { attempt, .. })) = self.retries.iter().find_map(ready) else {
            return false;
        };
        self.retries.remove(&body);
        let abandoned = self.calls.open_under(body);
        for call in &abandoned {
            self.give_up_call(*call);
        }
        self.questions.withdraw_of(body);
        let is_kept = self.is_kept(body);
        self.append(now, Fact::BodyBegan { body, attempt, abandoned, is_kept }, turn);
        if attempt > 1 {
            self.body_writes_anew(body, attempt);
        }
        if let Err(failure) = self.begin_body(body, attempt, now) {
            self.end_body(body, BodyEnd { result: Err(failure), is_cached: false });
        }
        true
    }

    /// Whether nothing that a body called goes on without an answer from a person.
    pub(super) fn is_quiet(&self, body: CallId) -> bool {
        self.calls.open_calls_of(body).all(|(call, _)| self.is_call_blocked(call))
            && self
                .calls
                .open_under(body)
                .into_iter()
                .all(|call| self.calls.get(call).is_none_or(|call| !call.state.is_open_work()))
    }

    /// A body did something, or something came to it.
    pub(super) fn show_progress(&mut self, body: CallId, now: Millis) {
        if let Some(begun) = self.begun.get_mut(&body)
            && let Some(limit) = begun.options.timeouts.idle_ms
        {
            begun.idle_until = Some(now.max(self.began_at).plus(limit));
        }
    }

    /// When a body has taken too long, or a further attempt may begin.
    pub(super) fn next_body_due(&self) -> Option<Millis> {
        let running = self.bodies.keys().filter_map(|body| self.begun.get(body));
        let deadlines = running.flat_map(|begun| [begun.deadline, begun.idle_until]).flatten();
        let quiet = self.retries.iter().filter(|(body, _)| self.is_quiet(**body));
        deadlines.chain(quiet.map(|(_, retry)| retry.not_before)).min()
    }

    /// Ends attempts that have taken too long, with all that they called.
    pub(super) fn time_out_bodies(&mut self, now: Millis, turn: &mut Turn) {
        let is_due = |due: Option<Millis>| due.is_some_and(|due| due <= now);
        let timed_out = self.bodies.keys().filter_map(|body| {
            let begun = self.begun.get(body)?;
            let (name, timeouts) = (&begun.name, begun.options.timeouts);
            let message = if is_due(begun.deadline) {
                let limit = timeouts.run_ms.unwrap_or_default();
                format!("entrypoint `{name}` took longer than {limit} ms")
            } else if is_due(begun.idle_until) {
                let limit = timeouts.idle_ms.unwrap_or_default();
                format!("entrypoint `{name}` showed no progress for {limit} ms")
            } else {
                return None;
            };
            Some((*body, Failure::new(kind::TIMEOUT, message)))
        });
        for (body, failure) in timed_out.collect::<Vec<_>>() {
            // It may have been cancelled with a body that took too long too.
            if self.bodies.remove(&body).is_none() {
                continue;
            }
            self.questions.withdraw_of(body);
            for call in self.calls.open_under(body) {
                self.cancel_call(call, now, turn);
            }
            self.ended_bodies.push((body, Err(failure)));
        }
    }

    /// Whether a body waits for something that no call tells of.
    pub(super) fn has_open_bodies(&self) -> bool {
        !self.retries.is_empty()
            || !self.looking_up.is_empty()
            || !self.filling.is_empty()
            || !self.stepping.is_empty()
    }
}

/// A result with what it saves, as it is cached.
fn encode_output(output: &BodyOutput) -> Payload {
    let BodyOutput { value, save, step: _ } = output;
    Payload::encode(&(value, save), "a cached result").expect("invariant: payloads always encode")
}

/// A result from the cache; none if it is not one.
pub(super) fn decode_output(cached: &Payload) -> Option<BodyOutput> {
    let (value, save) = cached.decode("a cached result").ok()?;
    Some(BodyOutput { value, save, step: None })
}
