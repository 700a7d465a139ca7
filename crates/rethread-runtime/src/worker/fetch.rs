use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ractor::ActorRef;
use rethread_core::ids::QueueName;
use rethread_storage::Delivery;

use crate::failure_log::FailureLog;
use crate::worker::heard::Moment;
use crate::worker::pool::WorkerPoolMessage;
use crate::worker::side::{Assignment, Stage, WorkerSide};
use crate::worker::slots::Slots;

/// How long one fetch waits for orders. An idle worker ends as fast as that; asking again costs
/// the storage next to nothing.
pub(super) const FETCH_WAIT: Duration = Duration::from_millis(250);
/// How often a worker looks for orders of dead ones within the time that a worker must be silent
/// to be dead: an order waits at most a quarter of that time longer.
const RECLAIMS_PER_DEATH: u32 = 4;
/// Wait after a failed fetch.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// What fetching needs to know of its pool.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    pub(super) side: Arc<WorkerSide>,
    pub(super) queue: QueueName,
    pub(super) slots: Arc<Slots>,
    pub(super) pool: ActorRef<WorkerPoolMessage>,
}

impl Fetcher {
    /// Fetches orders for free slots until the worker ends. A fetch is never dropped half-way:
    /// it could take orders with it.
    pub(super) async fn fetch_all(self) {
        let _fetching = self.side.begin_fetching();
        let queues = [self.queue.clone()];
        let failures = FailureLog::new("fetching orders");
        while self.side.is_running() && self.wait_for_slot().await {
            let free = self.slots.free().max(1);
            let worker = &self.side.worker;
            let asked = self.side.now();
            match self.side.storage.fetch(worker, &queues, free, FETCH_WAIT).await {
                Ok(deliveries) => {
                    failures.worked();
                    self.assign(deliveries, asked).await;
                }
                Err(error) => {
                    failures.failed(&error);
                    tokio::time::sleep(RETRY_WAIT).await;
                }
            }
        }
    }

    /// Takes over orders of dead workers until this one ends.
    pub(super) async fn reclaim_all(self) {
        let _fetching = self.side.begin_fetching();
        let queues = [self.queue.clone()];
        let failures = FailureLog::new("reclaiming orders");
        let (worker, dead_after) = (&self.side.worker, self.side.dead_after);
        while self.side.is_running() {
            tokio::select! {
                biased;
                () = self.side.reached(Stage::Ending) => return,
                () = tokio::time::sleep(dead_after / RECLAIMS_PER_DEATH) => {}
            }
            let free = self.slots.free();
            if free == 0 || !self.side.may_judge_others() {
                continue;
            }
            let asked = self.side.now();
            match self.side.storage.reclaim(worker, &queues, dead_after, free).await {
                Ok(deliveries) => {
                    failures.worked();
                    if !deliveries.is_empty() {
                        let count = deliveries.len();
                        tracing::warn!(queue = %self.queue, count, "orders of dead workers taken over");
                        let counter = &self.side.stats.reclaimed_orders;
                        counter.fetch_add(count as u64, Ordering::Relaxed);
                    }
                    self.assign(deliveries, asked).await;
                }
                Err(error) => {
                    failures.failed(&error);
                }
            }
        }
    }

    /// Waits for a free slot; false if the worker ends before.
    async fn wait_for_slot(&self) -> bool {
        tokio::select! {
            biased;
            () = self.side.reached(Stage::Ending) => false,
            () = self.slots.wait_for_free() => true,
        }
    }

    /// Gives orders to the pool, each with a slot. What is left when the worker ends goes back
    /// when it retires.
    async fn assign(&self, deliveries: Vec<Delivery>, asked: Moment) {
        let given = self.side.now();
        for delivery in deliveries {
            if !self.side.is_running() {
                return;
            }
            let slot = tokio::select! {
                biased;
                () = self.side.reached(Stage::Ending) => return,
                slot = self.slots.take() => slot,
            };
            let Some(slot) = slot else { return };
            let assignment = Assignment { delivery, asked, given };
            if self.pool.cast(WorkerPoolMessage::Assign(assignment, slot)).is_err() {
                return;
            }
        }
    }
}
