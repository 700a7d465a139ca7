//! One attempt of one task, from its order to its report.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::failure::{Failure, kind};
use rethread_core::message::{AttemptOutcome, InboxMessage, Report, Target, TaskOrder};
use rethread_core::payload::Payload;
use rethread_core::planted;
use rethread_core::record::Record;
use rethread_sdk::{TaskDef, trace};
use rethread_storage::{Delivery, HandIn};
use tokio::time::Instant;
use tracing::Instrument;

use crate::records;
use crate::stats::count;
use crate::worker::calls::OpenCalls;
use crate::worker::cancels::Cancellation;
use crate::worker::collecting::Collecting;
use crate::worker::duty::{Answer, Duty};
use crate::worker::mail::Route;
use crate::worker::progress::ProgressLog;
use crate::worker::said::Said;
use crate::worker::side::{Assignment, WorkerSide};
use crate::worker::slots::Slot;
use crate::worker::store_calls::StoreCalls;

/// Shortest and longest wait before the cache is asked again whether another has made a result.
const CACHE_WAITS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// How long an attempt waits for another to make its result. Then it makes it itself: the other
/// may be waiting for this one, in a way that nobody here can see.
const CACHE_WAIT_MAX: Duration = Duration::from_secs(300);

/// Runs what was ordered and hands in what comes of it, unless another worker has the order.
pub(super) async fn run(side: &Arc<WorkerSide>, assignment: Assignment, slot: Slot) {
    if !side.still_has(&assignment).await {
        tracing::debug!(queue = %assignment.delivery.receipt.queue, "order is not ours any more, its body is not started");
        return;
    }
    let delivery = &assignment.delivery;
    let order = match TaskOrder::from_record(&delivery.order) {
        Ok(order) => order,
        Err(error) => {
            let queue = &delivery.receipt.queue;
            if records::is_newer(&error) {
                // Its coordinator can read it, and offers it again like one of an unknown task.
                count(&side.stats.unknown_task_orders);
                side.newer_orders.failed(&error);
            } else {
                tracing::error!(%queue, %error, "order cannot be read and is given up");
            }
            let message = InboxMessage::Unreadable(delivery.order.clone()).to_record();
            hand_in(side, assignment.delivery, vec![message]).await;
            return;
        }
    };
    // Each start of a body is an attempt of its own, also after a drain that cut one off.
    let restarts = delivery.given.saturating_sub(1);
    let target =
        Target { attempt: order.target.attempt.saturating_add(restarts), ..order.target.clone() };
    // As loud as what is told within it, so that a log of warnings names the attempt too.
    let span = tracing::warn_span!(
        "attempt",
        thread_id = %order.thread,
        run_id = %order.run,
        task = order.name,
        attempt = target.attempt
    );
    trace::follow(&span, order.trace.as_ref());
    let mut attempt = Attempt {
        said: Said::new(target.clone(), side.worker.clone()),
        collecting: Collecting::new(side.emit_batch),
        progress: ProgressLog::default(),
        cancellation: side.cancels.enter(&order.target),
        try_number: order.try_number.saturating_add(restarts),
        calls: OpenCalls::default(),
        store_calls: StoreCalls::of(&order.thread),
        route: None,
        ask_again: None,
        side,
        order,
        target,
        slot,
    };
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

pub(super) struct Attempt<'a> {
    pub(super) side: &'a Arc<WorkerSide>,
    pub(super) order: TaskOrder,
    pub(super) target: Target,
    /// What the body is told of its number.
    pub(super) try_number: u32,
    pub(super) slot: Slot,
    pub(super) cancellation: Cancellation,
    pub(super) said: Said,
    pub(super) collecting: Collecting,
    pub(super) progress: ProgressLog,
    pub(super) calls: OpenCalls,
    pub(super) store_calls: StoreCalls,
    /// How news of calls come; opened with the first call.
    pub(super) route: Option<Route>,
    /// When to ask again how the calls ended.
    pub(super) ask_again: Option<Instant>,
}

/// How the result of a task that has a cache is come by.
enum Way {
    /// It is there.
    Found(Payload),
    /// The body runs, with the duty to tell the others or without.
    Run(Option<Duty>),
    Cancelled,
}

impl Attempt<'_> {
    /// Runs the body, if there is one that may be run. Gives the last messages: what the body
    /// wrote and called last, and the report. None if another worker has the order by now.
    async fn run(&mut self, assignment: &Assignment) -> Option<Vec<Bytes>> {
        let fetches = assignment.delivery.fetches;
        let side = self.side;
        let mut outcome = match side.registry.task(&self.order.name) {
            _ if fetches > side.fetches_max
                || planted::is("poison-on-failure") && self.try_number > 1 =>
            {
                count(&side.stats.quarantined_tasks);
                failed(poisoned(fetches - 1))
            }
            None => AttemptOutcome::UnknownTask,
            Some(task) => self.come_by(task, assignment).await?,
        };
        match &mut outcome {
            AttemptOutcome::Failed { failure, predicates } => {
                // Without the message, which may hold what users sent.
                let (task, attempt) = (&self.order.name, self.target.attempt);
                tracing::warn!(%task, attempt, kind = failure.kind, "task attempt failed");
                if let Some(task) = side.registry.task(&self.order.name) {
                    *predicates = task.predicates(failure);
                }
            }
            AttemptOutcome::UnknownTask => {
                count(&side.stats.unknown_task_orders);
                let TaskOrder { name, thread, .. } = &self.order;
                side.unknown_tasks.found(name, thread, &assignment.delivery.receipt.queue);
            }
            AttemptOutcome::Cancelled => tracing::info!("task attempt was cancelled"),
            _ => tracing::debug!("task attempt ended"),
        }
        let mut messages = self.said.take();
        let (target, worker) = (self.target.clone(), side.worker.clone());
        let report = Report { target, worker, outcome };
        messages.push(InboxMessage::Report(report).to_record());
        Some(messages)
    }

    /// Takes the result from the cache, or runs the body.
    async fn come_by(&mut self, task: &TaskDef, assignment: &Assignment) -> Option<AttemptOutcome> {
        let duty = match self.choose_way().await {
            Way::Found(value) => return Some(AttemptOutcome::Cached(value)),
            Way::Cancelled => return Some(AttemptOutcome::Cancelled),
            Way::Run(duty) => duty,
        };
        if self.order.cache.is_some() && !self.side.still_has(assignment).await {
            tracing::warn!("order is not ours any more after it waited for an equal call");
            if let Some(duty) = duty {
                duty.leave();
            }
            return None;
        }
        let outcome = self.drive(task, assignment).await;
        match (duty, &outcome) {
            (Some(duty), Some(AttemptOutcome::Completed(value))) => duty.fill(value).await,
            (Some(duty), Some(_)) => duty.abandon().await,
            // The attempt that has the order now has the duty too, in the same name.
            (Some(duty), None) => duty.leave(),
            (None, _) => {}
        }
        outcome
    }

    async fn choose_way(&mut self) -> Way {
        if self.cancellation.is_cancelled() {
            return Way::Cancelled;
        }
        let Some(cache) = &self.order.cache else { return Way::Run(None) };
        let mut duty = Duty::new(self.side, cache, &self.target);
        let began = Instant::now();
        let mut wait = CACHE_WAITS.0;
        let mut has_waited = false;
        let duty = loop {
            let answer = tokio::select! {
                biased;
                () = self.cancellation.cancelled() => return Way::Cancelled,
                answer = duty.ask() => answer,
            };
            match answer {
                Answer::Found(value) => return Way::Found(value),
                Answer::Ours => break Some(duty),
                Answer::Unknown => break None,
                Answer::Taken if began.elapsed() > CACHE_WAIT_MAX => {
                    tracing::warn!("an equal call takes very long; its body runs here as well");
                    break None;
                }
                Answer::Taken => {}
            }
            if !has_waited {
                has_waited = true;
                // The one that makes the result may need the place of this one: the slot here, or
                // its share of what the run may do at a time.
                self.slot.give_back();
                self.said.wait();
                self.hand_in_said().await;
            }
            tokio::select! {
                biased;
                () = self.cancellation.cancelled() => return Way::Cancelled,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(CACHE_WAITS.1),
            }
        };
        tokio::select! {
            biased;
            () = self.cancellation.cancelled() => return Way::Cancelled,
            () = self.slot.take_again() => {}
        }
        if has_waited {
            self.said.go_on();
            self.hand_in_said().await;
        }
        Way::Run(duty)
    }
}

/// A failure whose predicates are asked later.
pub(super) fn failed(failure: Failure) -> AttemptOutcome {
    AttemptOutcome::Failed { failure, predicates: Vec::new() }
}

fn poisoned(fetches: u32) -> Failure {
    let message = format!(
        "{fetches} workers took this task and none survived it: it may abort or exhaust its \
         process; fix it, then retry the run"
    );
    Failure::new(kind::POISONED, message).final_()
}
