use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ractor::ActorRef;
use rethread_core::ids::QueueName;
use rethread_storage::Delivery;
use tokio::sync::Semaphore;

use crate::worker::pool::WorkerPoolMessage;
use crate::worker::side::{Stage, WorkerSide};

/// How long one fetch waits for orders. An idle worker ends as fast as that; asking again costs
/// the storage next to nothing.
const FETCH_WAIT: Duration = Duration::from_millis(250);
/// Wait after a failed fetch.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// What fetching needs to know of its pool.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    pub(super) side: Arc<WorkerSide>,
    pub(super) queue: QueueName,
    pub(super) slots: Arc<Semaphore>,
    pub(super) pool: ActorRef<WorkerPoolMessage>,
}

impl Fetcher {
    /// Fetches orders for free slots until the worker ends. A fetch is never dropped half-way:
    /// it could take orders with it.
    pub(super) async fn fetch_all(self) {
        let _fetching = self.side.begin_fetching();
        let queues = [self.queue.clone()];
        while self.side.is_running() && self.wait_for_slot().await {
            let free = self.slots.available_permits().max(1);
            let worker = &self.side.worker;
            match self.side.storage.fetch(worker, &queues, free, FETCH_WAIT).await {
                Ok(deliveries) => self.assign(deliveries).await,
                Err(error) => {
                    tracing::warn!(queue = %self.queue, %error, "cannot fetch orders, trying again");
                    tokio::time::sleep(RETRY_WAIT).await;
                }
            }
        }
    }

    /// Takes over orders of dead workers until this one ends.
    pub(super) async fn reclaim_all(self) {
        let _fetching = self.side.begin_fetching();
        let queues = [self.queue.clone()];
        let (worker, dead_after) = (&self.side.worker, self.side.dead_after);
        while self.side.is_running() {
            tokio::select! {
                biased;
                () = self.side.reached(Stage::Ending) => return,
                () = tokio::time::sleep(dead_after / 2) => {}
            }
            let free = self.slots.available_permits();
            if free == 0 {
                continue;
            }
            match self.side.storage.reclaim(worker, &queues, dead_after, free).await {
                Ok(deliveries) => {
                    if !deliveries.is_empty() {
                        let count = deliveries.len();
                        tracing::warn!(queue = %self.queue, count, "orders of dead workers taken over");
                        let counter = &self.side.stats.reclaimed_orders;
                        counter.fetch_add(count as u64, Ordering::Relaxed);
                    }
                    self.assign(deliveries).await;
                }
                Err(error) => {
                    tracing::warn!(queue = %self.queue, %error, "cannot reclaim orders, trying again");
                }
            }
        }
    }

    /// Waits for a free slot; false if the worker ends before.
    async fn wait_for_slot(&self) -> bool {
        tokio::select! {
            biased;
            () = self.side.reached(Stage::Ending) => false,
            permit = self.slots.acquire() => permit.is_ok(),
        }
    }

    /// Gives orders to the pool, each with a slot. What is left when the worker ends goes back
    /// when it retires.
    async fn assign(&self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            if !self.side.is_running() {
                return;
            }
            let slot = tokio::select! {
                biased;
                () = self.side.reached(Stage::Ending) => return,
                slot = Arc::clone(&self.slots).acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            if self.pool.cast(WorkerPoolMessage::Assign(delivery, slot)).is_err() {
                return;
            }
        }
    }
}
