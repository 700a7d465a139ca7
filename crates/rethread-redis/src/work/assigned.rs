//! What this process knows of the orders that its workers hold.
//!
//! The server may assign an order to a worker whose answer then gets lost: the connection
//! breaks, or nobody waits for the answer any more. While the worker lives nobody would take
//! such an order from it. So each worker's deliveries are noted here, and after an answer was
//! lost, what the server holds as assigned and was never delivered is delivered.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rethread_core::ids::{QueueName, WorkerId};
use rethread_storage::{Delivery, Receipt};
use tokio::sync::RwLock;
use tokio::time::Instant;

/// The workers of this process.
#[derive(Debug, Default)]
pub(crate) struct Workers(Mutex<HashMap<WorkerId, Arc<Worker>>>);

/// One worker.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// Held shared from asking the server until the deliveries are noted, and alone to look for
    /// lost ones: an order whose answer is still on its way is not lost.
    pub(super) gate: RwLock<()>,
    /// Whether the last wait found several orders at once, so that there may be more.
    pub(super) is_busy: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    delivered: HashSet<Receipt>,
    // Until when the server may still assign orders to a connection that we have given up.
    doubtful: HashMap<QueueName, Instant>,
}

impl Workers {
    pub(crate) fn get(&self, worker: &WorkerId) -> Arc<Worker> {
        let mut workers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = workers.get(worker) {
            return Arc::clone(found);
        }
        Arc::clone(workers.entry(worker.clone()).or_default())
    }

    pub(crate) fn remove(&self, worker: &WorkerId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(worker);
    }
}

impl Worker {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_delivered(&self, deliveries: &[Delivery]) {
        if !deliveries.is_empty() {
            let receipts = deliveries.iter().map(|delivery| delivery.receipt.clone());
            self.state().delivered.extend(receipts);
        }
    }

    pub(super) fn note_finished<'a>(&self, receipts: impl Iterator<Item = &'a Receipt>) {
        let mut state = self.state();
        for receipt in receipts {
            state.delivered.remove(receipt);
        }
    }

    pub(super) fn was_delivered(&self, receipt: &Receipt) -> bool {
        self.state().delivered.contains(receipt)
    }

    pub(super) fn note_doubt(&self, queues: &[QueueName], window: Duration) {
        let until = Instant::now() + window;
        let mut state = self.state();
        for queue in queues {
            let entry = state.doubtful.entry(queue.clone()).or_insert(until);
            *entry = until.max(*entry);
        }
    }

    pub(super) fn doubts(&self, queues: &[QueueName]) -> Vec<QueueName> {
        let state = self.state();
        if state.doubtful.is_empty() {
            return Vec::new();
        }
        queues.iter().filter(|queue| state.doubtful.contains_key(queue)).cloned().collect()
    }

    /// A search that began at `began` found all that was lost up to then.
    pub(super) fn settle_doubts(&self, queues: &[QueueName], began: Instant) {
        let mut state = self.state();
        for queue in queues {
            if state.doubtful.get(queue).is_some_and(|until| *until < began) {
                state.doubtful.remove(queue);
            }
        }
    }
}

/// Notes a doubt unless the answer arrived and was noted.
pub(super) struct Expected<'a> {
    worker: &'a Worker,
    queues: &'a [QueueName],
    window: Duration,
    has_arrived: bool,
}

impl<'a> Expected<'a> {
    pub(super) fn new(worker: &'a Worker, queues: &'a [QueueName], window: Duration) -> Self {
        Self { worker, queues, window, has_arrived: false }
    }

    pub(super) fn arrived(mut self) {
        self.has_arrived = true;
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        if !self.has_arrived {
            self.worker.note_doubt(self.queues, self.window);
        }
    }
}
