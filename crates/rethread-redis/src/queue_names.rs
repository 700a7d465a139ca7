//! Which queues of a partition the server knows by name.
//!
//! The names stand in a set that only grows, so an owner adds each once, with its first order, and
//! need not say it again for as long as the partition is its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rethread_core::ids::{OwnerToken, PartitionId, QueueName};
use rethread_storage::{Commit, Lease};

/// The names that owners in this process have added.
#[derive(Debug, Default)]
pub(crate) struct QueueNames(Mutex<HashMap<PartitionId, Tenure>>);

/// What an owner has added.
#[derive(Debug)]
struct Tenure {
    token: OwnerToken,
    added: BTreeSet<QueueName>,
}

impl QueueNames {
    /// The queues to which the commit appends and whose names its owner has not added.
    pub(crate) fn unnamed(&self, commit: &Commit) -> BTreeSet<QueueName> {
        let tenures = self.tenures();
        let tenure = tenures.get(&commit.lease.partition);
        let added = tenure.filter(|tenure| tenure.token == commit.lease.token);
        let is_new = |queue: &&QueueName| added.is_none_or(|it| !it.added.contains(*queue));
        commit.orders.iter().map(|order| &order.queue).filter(is_new).cloned().collect()
    }

    /// The owner has added these: the server has said that it applied the commit now.
    pub(crate) fn note(&self, lease: Lease, names: BTreeSet<QueueName>) {
        if names.is_empty() {
            return;
        }
        let mut tenures = self.tenures();
        let new = || Tenure { token: lease.token, added: BTreeSet::new() };
        let tenure = tenures.entry(lease.partition).or_insert_with(new);
        if tenure.token != lease.token {
            *tenure = new();
        }
        tenure.added.extend(names);
    }

    fn tenures(&self) -> MutexGuard<'_, HashMap<PartitionId, Tenure>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
