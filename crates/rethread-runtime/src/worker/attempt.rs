//! One attempt of one task, from its order to its report.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::failure::{Failure, kind};
use rethread_core::ids::CallId;
use rethread_core::message::{
    AttemptOutcome, CallNews, InboxMessage, NestedCall, Report, Target, TaskOrder,
};
use rethread_core::record::Record;
use rethread_core::replay::{Ask, CallRequest, Scope, ScopeInfo, SlotIndex};
use rethread_sdk::TaskDef;
use rethread_storage::{Delivery, HandIn};
use tokio::task::consume_budget;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::stats::count;
use crate::worker::body::{Bell, Body, Step};
use crate::worker::calls::OpenCalls;
use crate::worker::mail::Route;
use crate::worker::said::Said;
use crate::worker::side::{Assignment, WorkerSide};
use crate::worker::slots::Slot;

/// How often an attempt asks again how its calls ended. It is the longest delay that lost mail
/// causes; asking costs a message with the arguments of all open calls.
const ASK_AGAIN_EVERY: Duration = Duration::from_secs(2);

/// Runs what was ordered and hands in what comes of it, unless another worker has the order.
pub(super) async fn run(side: &WorkerSide, assignment: Assignment, slot: Slot) {
    if !side.still_has(&assignment).await {
        tracing::debug!(queue = %assignment.delivery.receipt.queue, "order was reclaimed before its body started");
        return;
    }
    let delivery = &assignment.delivery;
    let order = match TaskOrder::from_record(&delivery.order) {
        Ok(order) => order,
        Err(error) => {
            count(&side.stats.corrupt_messages);
            tracing::error!(queue = %delivery.receipt.queue, %error, "order cannot be read and is dropped");
            hand_in(side, assignment.delivery, Vec::new()).await;
            return;
        }
    };
    // Each start of a body is an attempt of its own, also after a drain that cut one off.
    let attempt = order.target.attempt.saturating_add(delivery.given.saturating_sub(1));
    let span = tracing::info_span!(
        "attempt",
        thread_id = %order.thread,
        run_id = %order.run,
        task = order.name,
        attempt
    );
    let target = Target { attempt, ..order.target.clone() };
    let said = Said::new(target.clone(), side.worker.clone());
    let (calls, route, ask_again) = (OpenCalls::default(), None, None);
    let mut attempt = Attempt { side, order, target, slot, said, calls, route, ask_again };
    async {
        if let Some(messages) = attempt.run(&assignment).await {
            hand_in(side, assignment.delivery, messages).await;
        }
        // Only now: a drain that finds no attempt left hands the remaining orders back.
        drop(attempt);
    }
    .instrument(span)
    .await;
}

async fn hand_in(side: &WorkerSide, delivery: Delivery, messages: Vec<Bytes>) {
    let partition = delivery.receipt.partition;
    side.desk.give(HandIn { partition, finished: Some(delivery.receipt), messages }).await;
}

struct Attempt<'a> {
    side: &'a WorkerSide,
    order: TaskOrder,
    target: Target,
    slot: Slot,
    said: Said,
    calls: OpenCalls,
    /// How news of calls come; opened with the first call.
    route: Option<Route>,
    /// When to ask again how the calls ended.
    ask_again: Option<Instant>,
}

/// What an attempt waits for.
enum Event {
    /// The body may be polled.
    Ready,
    /// A call ended, or waits for a person.
    News(CallId, CallNews),
    /// News may have been lost.
    AskAgain,
    TimedOut,
}

impl Attempt<'_> {
    /// Runs the body, if there is one that may be run. Gives the last messages: what the body
    /// wrote and called last, and the report. None if another worker has the order by now.
    async fn run(&mut self, assignment: &Assignment) -> Option<Vec<Bytes>> {
        let fetches = assignment.delivery.fetches;
        let outcome = match self.side.registry.task(&self.order.name) {
            _ if fetches > self.side.fetches_max => AttemptOutcome::Failed(poisoned(fetches - 1)),
            None => AttemptOutcome::UnknownTask,
            Some(task) => self.drive(task, assignment).await?,
        };
        match &outcome {
            AttemptOutcome::Failed(failure) => {
                tracing::warn!(kind = failure.kind, "task attempt failed");
            }
            AttemptOutcome::UnknownTask => tracing::warn!("no task of this name is registered"),
            _ => tracing::debug!("task attempt ended"),
        }
        let mut messages = self.said.take();
        let (target, worker) = (self.target.clone(), self.side.worker.clone());
        let report = Report { target, worker, outcome };
        messages.push(InboxMessage::Report(report).to_record());
        Some(messages)
    }

    async fn drive(&mut self, task: &TaskDef, assignment: &Assignment) -> Option<AttemptOutcome> {
        count(&self.side.stats.attempts);
        let scope = self.scope();
        let mut body = match Body::start(task, &self.order.input, scope) {
            Ok(body) => body,
            Err(failure) => return Some(AttemptOutcome::Failed(failure)),
        };
        let bell = body.bell();
        let timeout = self.order.timeout_ms.map(Duration::from_millis);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            // A body that wakes itself must not keep its thread from others.
            consume_budget().await;
            if !self.calls.is_empty() && !bell.has_rung() {
                if self.calls.are_suspended() && body.scope().locals() == 0 {
                    return Some(AttemptOutcome::Suspended);
                }
                self.slot.give_back();
            }
            match self.next_event(&bell, deadline).await {
                Event::Ready => {
                    if let Some(outcome) = self.take_step(body.step()) {
                        return Some(outcome);
                    }
                    self.hand_in_said().await;
                }
                Event::News(call, CallNews::Ended(outcome)) => {
                    if let Some(slot) = self.calls.end(call) {
                        body.scope().set_now(self.side.clock.now());
                        body.scope().deliver(slot, outcome);
                    }
                }
                Event::News(call, CallNews::Suspended) => self.calls.suspend(call),
                Event::News(call, news) => {
                    tracing::warn!(%call, ?news, "news of a call that this version does not know");
                }
                Event::AskAgain => {
                    if !self.side.still_has(assignment).await {
                        tracing::warn!("order was reclaimed while its body waited for calls");
                        return None;
                    }
                    self.said.call(self.calls.to_nested());
                    self.ask_again = Some(Instant::now() + ASK_AGAIN_EVERY);
                    self.hand_in_said().await;
                }
                Event::TimedOut => return Some(AttemptOutcome::Failed(self.timed_out())),
            }
        }
    }

    /// # Cancel safety
    /// Loses nothing.
    async fn next_event(&mut self, bell: &Bell, deadline: Option<Instant>) -> Event {
        let Self { slot, calls, route, ask_again, .. } = self;
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
            () = reached(deadline) => Event::TimedOut,
            news = news => match news {
                Some((call, news)) => Event::News(call, news),
                None => Event::AskAgain,
            },
            () = ready => Event::Ready,
            () = reached(ask_again) => Event::AskAgain,
        }
    }

    fn scope(&self) -> Arc<Scope> {
        let scope = Scope::ungated(ScopeInfo {
            scope: self.target.call,
            thread: self.order.thread.clone(),
            run: self.order.run,
            execution: self.target.execution,
            name: self.order.name.clone(),
            attempt: self.target.attempt,
            previous: None,
            answers: self.order.answers.clone(),
        });
        scope.set_now(self.side.clock.now());
        scope
    }

    /// What a poll of the body means for the attempt: its outcome, or none if it goes on.
    fn take_step(&mut self, step: Step) -> Option<AttemptOutcome> {
        let asks_person = step.asks.iter().any(|ask| matches!(ask, Ask::Interrupt { .. }));
        for ask in step.asks {
            match ask {
                Ask::Emit(value) => self.said.emit(value),
                // Whatever an attempt asks ends it.
                Ask::Withdraw(_) => {}
                Ask::Interrupt { index, value, .. } => {
                    return Some(AttemptOutcome::Asked { index, value });
                }
                // The body makes it again once it has its answer.
                Ask::Call { .. } if asks_person => {}
                Ask::Call { slot, id, request } => self.call(slot, id, request),
            }
        }
        step.ended.map(|result| match result {
            Ok(value) => AttemptOutcome::Completed(value),
            Err(failure) => AttemptOutcome::Failed(failure),
        })
    }

    fn call(&mut self, slot: SlotIndex, call: CallId, request: CallRequest) {
        if self.calls.is_empty() {
            self.ask_again = Some(Instant::now() + ASK_AGAIN_EVERY);
        }
        self.route.get_or_insert_with(|| self.side.routes.open(&self.target));
        self.said.call([NestedCall { call, request: request.clone() }]);
        self.calls.insert(call, slot, request);
    }

    async fn hand_in_said(&mut self) {
        let messages = self.said.take();
        if !messages.is_empty() {
            let part = HandIn { partition: self.order.partition, finished: None, messages };
            self.side.desk.give(part).await;
        }
    }

    fn timed_out(&self) -> Failure {
        let (name, limit) = (&self.order.name, self.order.timeout_ms.unwrap_or_default());
        Failure::new(kind::TIMEOUT, format!("task `{name}` took longer than {limit} ms"))
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn poisoned(fetches: u32) -> Failure {
    let message = format!(
        "{fetches} workers took this task and none survived it: it may abort or exhaust its \
         process; fix it, then retry the run"
    );
    Failure::new(kind::POISONED, message).final_()
}
