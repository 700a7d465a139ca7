//! What an adapter knows of the orders that its worker has in hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rethread_storage::{Delivery, Receipt};
use tokio::sync::RwLock;

/// The orders of one worker: those that were assigned to it, and those that it knows of.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    /// Held shared while an answer is on its way, and alone to look for lost ones.
    pub(crate) gate: RwLock<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    assigned: BTreeMap<(u64, u64), Delivery>,
    held: BTreeSet<(u64, u64)>,
    is_in_doubt: bool,
}

impl Hand {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer was lost: something may be assigned that the worker does not know of.
    pub(crate) fn doubt(&self) {
        self.state().is_in_doubt = true;
    }

    pub(crate) fn settle(&self) {
        self.state().is_in_doubt = false;
    }

    pub(crate) fn is_in_doubt(&self) -> bool {
        self.state().is_in_doubt
    }

    /// The storage has assigned these.
    pub(crate) fn assign(&self, deliveries: &[Delivery]) {
        let mut state = self.state();
        for delivery in deliveries {
            state.held.remove(&delivery.receipt.id);
            state.assigned.insert(delivery.receipt.id, delivery.clone());
        }
    }

    /// The worker has got these.
    pub(crate) fn hold(&self, deliveries: &[Delivery]) {
        self.state().held.extend(deliveries.iter().map(|delivery| delivery.receipt.id));
    }

    pub(crate) fn finish<'a>(&self, receipts: impl Iterator<Item = &'a Receipt>) {
        let mut state = self.state();
        for receipt in receipts {
            state.held.remove(&receipt.id);
        }
    }

    /// What was assigned at some time, and the worker does not have.
    pub(crate) fn not_held(&self) -> Vec<Delivery> {
        let state = self.state();
        let unknown = state.assigned.iter().filter(|(id, _)| !state.held.contains(id));
        unknown.map(|(_, delivery)| delivery.clone()).collect()
    }
}
