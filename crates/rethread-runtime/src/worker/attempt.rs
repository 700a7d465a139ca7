//! One attempt of one task, from its order to its report.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::failure::{Failure, kind};
use rethread_core::message::{AttemptOutcome, Emitted, InboxMessage, Report, Target, TaskOrder};
use rethread_core::payload::Payload;
use rethread_core::record::Record;
use rethread_core::replay::{Ask, Scope, ScopeInfo};
use rethread_sdk::TaskDef;
use rethread_storage::{Delivery, HandIn};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::stats::count;
use crate::worker::body::{Body, Step};
use crate::worker::side::WorkerSide;

/// Runs what was ordered and hands in what comes of it.
pub(super) async fn run(side: &WorkerSide, delivery: Delivery) {
    let order = match TaskOrder::from_record(&delivery.order) {
        Ok(order) => order,
        Err(error) => {
            count(&side.stats.corrupt_messages);
            tracing::error!(queue = %delivery.receipt.queue, %error, "order cannot be read and is dropped");
            hand_in(side, delivery, Vec::new()).await;
            return;
        }
    };
    // Each fetch of an order is an attempt of its own.
    let attempt = order.target.attempt.saturating_add(delivery.fetches.saturating_sub(1));
    let span = tracing::info_span!(
        "attempt",
        thread_id = %order.thread,
        run_id = %order.run,
        task = order.name,
        attempt
    );
    let target = Target { attempt, ..order.target.clone() };
    let attempt = Attempt { side, order, target, emitted: Vec::new() };
    async {
        let messages = attempt.run(delivery.fetches).await;
        hand_in(side, delivery, messages).await;
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
    /// Events that have not been handed in.
    emitted: Vec<Payload>,
}

impl Attempt<'_> {
    /// Runs the body, if there is one that may be run. Gives the last messages: what the body
    /// wrote last, and the report.
    async fn run(mut self, fetches: u32) -> Vec<Bytes> {
        let outcome = match self.side.registry.task(&self.order.name) {
            _ if fetches > self.side.fetches_max => AttemptOutcome::Failed(poisoned(fetches - 1)),
            None => AttemptOutcome::UnknownTask,
            Some(task) => self.drive(task).await,
        };
        match &outcome {
            AttemptOutcome::Failed(failure) => {
                tracing::warn!(kind = failure.kind, "task attempt failed");
            }
            AttemptOutcome::UnknownTask => tracing::warn!("no task of this name is registered"),
            _ => tracing::debug!("task attempt ended"),
        }
        let mut messages: Vec<_> = self.take_emitted().into_iter().collect();
        let report = Report { target: self.target, worker: self.side.worker.clone(), outcome };
        messages.push(InboxMessage::Report(report).to_record());
        messages
    }

    async fn drive(&mut self, task: &TaskDef) -> AttemptOutcome {
        count(&self.side.stats.attempts);
        let scope = self.scope();
        let mut body = match Body::start(task, &self.order.input, scope) {
            Ok(body) => body,
            Err(failure) => return AttemptOutcome::Failed(failure),
        };
        let timeout = self.order.timeout_ms.map(Duration::from_millis);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let step = tokio::select! {
                biased;
                step = body.step() => step,
                () = reached(deadline) => return AttemptOutcome::Failed(self.timed_out()),
            };
            if let Some(outcome) = self.take_step(step) {
                return outcome;
            }
            self.hand_in_emitted().await;
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
        for ask in step.asks {
            match ask {
                Ask::Emit(value) => self.emitted.push(value),
                Ask::Interrupt { index, value, .. } => {
                    return Some(AttemptOutcome::Asked { index, value });
                }
                Ask::Call { request, .. } => {
                    return Some(AttemptOutcome::Failed(nested_call(
                        &self.order.name,
                        request.name(),
                    )));
                }
            }
        }
        step.ended.map(|result| match result {
            Ok(value) => AttemptOutcome::Completed(value),
            Err(failure) => AttemptOutcome::Failed(failure),
        })
    }

    fn take_emitted(&mut self) -> Option<Bytes> {
        let values = std::mem::take(&mut self.emitted);
        if values.is_empty() {
            return None;
        }
        let emitted = Emitted { target: self.target.clone(), values };
        Some(InboxMessage::Emitted(emitted).to_record())
    }

    async fn hand_in_emitted(&mut self) {
        if let Some(message) = self.take_emitted() {
            let partition = self.order.partition;
            let part = HandIn { partition, finished: None, messages: vec![message] };
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

/// Calls made by tasks are not carried out.
fn nested_call(task: &str, called: &str) -> Failure {
    let message = format!(
        "task `{task}` called `{called}`: tasks cannot call tasks, entrypoints or sleep durably \
         in this version; make the call in the entrypoint"
    );
    Failure::new(kind::ERROR, message).final_()
}
