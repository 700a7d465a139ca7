//! The life of one body: polls, what it asks for, what it is told.

use std::sync::Arc;
use std::time::Duration;

use rethread_core::failure::{Failure, kind};
use rethread_core::graph::StepCount;
use rethread_core::ids::CallId;
use rethread_core::message::{AttemptOutcome, CallNews, NestedCall};
use rethread_core::payload::Payload;
use rethread_core::replay::{Ask, CallRequest, Outcome, Program, Scope, ScopeInfo, SlotIndex};
use rethread_sdk::TaskDef;
use rethread_storage::HandIn;
use tokio::task::consume_budget;
use tokio::time::Instant;

use crate::stats::count;
use crate::worker::attempt::{Attempt, failed};
use crate::worker::body::{Bell, Body, Step};
use crate::worker::deadlines::{Deadlines, TimedOut, reached};
use crate::worker::progress;
use crate::worker::side::Assignment;

/// How often an attempt asks again how its calls ended. It is the longest delay that lost mail
/// causes; asking costs a message with the arguments of all open calls.
const ASK_AGAIN_EVERY: Duration = Duration::from_secs(2);

/// What an attempt waits for.
enum Event {
    /// The body may be polled.
    Ready,
    /// A call ended, or waits for a person.
    News(CallId, CallNews),
    /// The store answered.
    Stored(SlotIndex, Outcome),
    /// News may have been lost.
    AskAgain,
    /// Events were collected long enough.
    Collected,
    TimedOut(TimedOut),
    Cancelled,
}

impl Attempt<'_> {
    /// Runs the body to its end, and waits for what it left unfinished. None if another worker
    /// has the order by now.
    pub(super) async fn drive(
        &mut self,
        task: &TaskDef,
        assignment: &Assignment,
    ) -> Option<AttemptOutcome> {
        count(&self.side.stats.attempts);
        let _counted = self.side.stats.gauges.bodies.enter();
        let known = match self.target.attempt {
            1 => None,
            _ => progress::last_known(self.side, &self.target).await,
        };
        // Reading took time, in which the order may have gone to another worker.
        if self.target.attempt > 1 && !self.side.still_has(assignment).await {
            tracing::warn!("order is not ours any more, its body is not started");
            return None;
        }
        let scope = self.scope(known);
        let mut deadlines = Deadlines::start(self.order.timeouts);
        let outcome = match Body::start(task, &self.order.input, scope) {
            Ok(body) => self.attend(body, &mut deadlines, assignment).await?,
            Err(failure) => failed(failure),
        };
        let outcome = self.settle_store_calls(outcome, &deadlines).await;
        if !matches!(outcome, AttemptOutcome::Completed(_)) {
            // The next attempt reads it.
            std::mem::take(&mut self.progress).settle().await;
        }
        Some(outcome)
    }

    /// Polls the body until it ends or is given up; it is dropped then.
    async fn attend(
        &mut self,
        mut body: Body,
        deadlines: &mut Deadlines,
        assignment: &Assignment,
    ) -> Option<AttemptOutcome> {
        let bell = body.bell();
        loop {
            // A body that wakes itself must not keep its thread from others.
            consume_budget().await;
            if !self.calls.is_empty() && !bell.has_rung() {
                let waits_for_people = self.calls.are_suspended() && self.store_calls.is_empty();
                if waits_for_people && body.scope().locals() == 0 {
                    return Some(AttemptOutcome::Suspended);
                }
                self.slot.give_back();
            }
            match self.next_event(&bell, deadlines).await {
                Event::Ready => {
                    let step = body.step();
                    if !step.asks.is_empty() {
                        deadlines.progressed();
                    }
                    if let Some(outcome) = self.take_step(step, body.scope()) {
                        // A body that blocked its thread could not be given up before.
                        return Some(match deadlines.passed() {
                            Some(timed_out) => self.timed_out(timed_out, deadlines),
                            None => outcome,
                        });
                    }
                    let is_held_back = self.said.is_empty()
                        || self.said.may_wait() && self.collecting.holds_back();
                    if !is_held_back {
                        self.hand_in_said().await;
                    }
                }
                Event::Collected => self.hand_in_said().await,
                Event::News(call, news) => {
                    deadlines.progressed();
                    self.take_news(call, news, body.scope());
                }
                Event::Stored(slot, outcome) => {
                    deadlines.progressed();
                    self.deliver(body.scope(), slot, outcome);
                }
                Event::AskAgain => {
                    if !self.side.still_has(assignment).await {
                        tracing::warn!("order is not ours any more, its body is given up");
                        return None;
                    }
                    self.said.call(self.calls.to_nested());
                    self.ask_again = Some(Instant::now() + ASK_AGAIN_EVERY);
                    self.hand_in_said().await;
                }
                // A body that waits for a slot cannot show progress.
                Event::TimedOut(TimedOut::Idle) if bell.has_rung() && !self.slot.is_held() => {
                    deadlines.progressed();
                }
                Event::TimedOut(timed_out) => {
                    return Some(self.timed_out(timed_out, deadlines));
                }
                Event::Cancelled => return Some(AttemptOutcome::Cancelled),
            }
        }
    }

    /// # Cancel safety
    /// Loses nothing.
    async fn next_event(&mut self, bell: &Bell, deadlines: &mut Deadlines) -> Event {
        let Self { slot, calls, store_calls, route, ask_again, cancellation, collecting, .. } =
            self;
        let collected = collecting.due();
        let was_running = slot.is_held();
        let ready = async {
            bell.rung().await;
            slot.take_again().await;
        };
        let news = async {
            match route {
                Some(route) if !calls.is_empty() => route.next().await,
                _ => std::future::pending().await,
            }
        };
        let ask_again = ask_again.filter(|_| !calls.is_empty());
        tokio::select! {
            biased;
            () = cancellation.cancelled() => Event::Cancelled,
            timed_out = deadlines.reached() => Event::TimedOut(timed_out),
            news = news => match news {
                Some((call, news)) => Event::News(call, news),
                None => Event::AskAgain,
            },
            (slot, outcome) = store_calls.next() => Event::Stored(slot, outcome),
            () = reached(collected) => Event::Collected,
            () = ready => {
                if !was_running {
                    deadlines.progressed();
                }
                Event::Ready
            }
            () = reached(ask_again) => Event::AskAgain,
        }
    }

    fn scope(&self, progress: Option<Payload>) -> Arc<Scope> {
        let scope = Scope::ungated(ScopeInfo {
            scope: self.target.call,
            is_root: false,
            calls: self.target.call,
            thread: self.order.thread.clone(),
            run: self.order.run,
            execution: self.target.execution,
            name: self.order.name.clone(),
            attempt: self.try_number,
            previous: None,
            goes_on: false,
            carried: None,
            steps: StepCount::default(),
            breakpoints: Arc::default(),
            answers: self.order.answers.clone(),
            config: Arc::clone(&self.order.config),
            context: self.order.context.clone(),
            progress,
            provided: self.side.registry.provided(),
        });
        scope.set_now(self.side.clock.now());
        scope
    }

    /// What a poll of the body means for the attempt: its outcome, or none if it goes on.
    fn take_step(&mut self, step: Step, scope: &Scope) -> Option<AttemptOutcome> {
        let asks_person = step.asks.iter().any(|ask| matches!(ask, Ask::Interrupt { .. }));
        for ask in step.asks {
            match ask {
                Ask::Emit(emission) => self.said.emit(emission),
                Ask::Heartbeat(Some(progress)) => {
                    self.progress.keep(self.side, &self.target, &progress);
                }
                // It is a sign of progress, which every ask is; and whatever an attempt asks
                // people ends it, so it never withdraws a question.
                Ask::Heartbeat(None) | Ask::Withdraw(_) => {}
                Ask::Interrupt { index, value, .. } => {
                    return Some(AttemptOutcome::Asked { index, value });
                }
                // The body makes it again once it has its answer.
                Ask::Call { .. } if asks_person => {}
                Ask::Call { slot, id, request } => self.call(slot, id, request),
                Ask::Cancel(call) => self.cancel(call, scope),
            }
        }
        step.ended.map(|result| match result {
            Ok(value) => AttemptOutcome::Completed(value),
            Err(failure) => failed(failure),
        })
    }

    fn call(&mut self, slot: SlotIndex, call: CallId, request: CallRequest) {
        if let CallRequest::Store(request) = request {
            self.store_calls.begin(self.side, call, slot, request);
            return;
        }
        if self.calls.is_empty() {
            self.ask_again = Some(Instant::now() + ASK_AGAIN_EVERY);
        }
        self.route.get_or_insert_with(|| self.side.routes.open(&self.target));
        self.said.call([NestedCall { call, request: request.clone() }]);
        self.calls.insert(call, slot, request);
    }

    fn cancel(&mut self, call: CallId, scope: &Scope) {
        if let Some(slot) = self.store_calls.cancel(call) {
            let message = "the request to the store was cancelled; it may have had its effect";
            self.deliver(scope, slot, Err(Failure::new(kind::CANCELLED, message)));
        } else if self.calls.contains(call) {
            // Its outcome comes by mail, like any.
            self.said.cancel(call);
        }
    }

    fn take_news(&mut self, call: CallId, news: CallNews, scope: &Scope) {
        match news {
            CallNews::Ended(outcome) => {
                if let Some(slot) = self.calls.end(call) {
                    self.deliver(scope, slot, outcome);
                }
            }
            CallNews::Suspended => self.calls.suspend(call),
            news => tracing::warn!(%call, ?news, "news of a call that this version does not know"),
        }
    }

    fn timed_out(&self, timed_out: TimedOut, deadlines: &Deadlines) -> AttemptOutcome {
        failed(deadlines.failure(timed_out, &self.order.name))
    }

    fn deliver(&self, scope: &Scope, slot: SlotIndex, outcome: Outcome) {
        scope.set_now(self.side.clock.now());
        scope.deliver(slot, outcome);
    }

    pub(super) async fn hand_in_said(&mut self) {
        self.collecting.handed_in(self.said.has_events());
        let messages = self.said.take();
        if !messages.is_empty() {
            let part = HandIn { partition: self.order.partition, finished: None, messages };
            self.side.desk.give(part).await;
        }
    }

    /// What a body asked of the store happens, whether or not the body waited for it. An attempt
    /// that is given up does not wait.
    async fn settle_store_calls(
        &mut self,
        outcome: AttemptOutcome,
        deadlines: &Deadlines,
    ) -> AttemptOutcome {
        if self.store_calls.is_empty() || matches!(outcome, AttemptOutcome::Cancelled) {
            return outcome;
        }
        let Self { cancellation, store_calls, .. } = self;
        tokio::select! {
            biased;
            () = cancellation.cancelled() => AttemptOutcome::Cancelled,
            timed_out = deadlines.reached() => match outcome {
                outcome @ AttemptOutcome::Failed { .. } => outcome,
                _ => self.timed_out(timed_out, deadlines),
            },
            () = store_calls.settle() => outcome,
        }
    }
}
