use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what operators must hear about.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) commits: AtomicU64,
    pub(crate) corrupt_messages: AtomicU64,
    pub(crate) fenced_commits: AtomicU64,
    pub(crate) rollbacks: AtomicU64,
    pub(crate) unknown_outcomes: AtomicU64,
    pub(crate) coordinator_failures: AtomicU64,
    pub(crate) threads_loaded: AtomicU64,
    pub(crate) attempts: AtomicU64,
    pub(crate) reclaimed_orders: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counters of one node since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatsSnapshot {
    /// Commits that succeeded.
    pub commits: u64,
    /// Messages and orders that could not be read and were passed over.
    pub corrupt_messages: u64,
    /// Commits refused because another node owns the partition.
    pub fenced_commits: u64,
    /// Times that the storage was behind what it had acknowledged.
    pub rollbacks: u64,
    /// Commits whose outcome stayed unknown after repeating them.
    pub unknown_outcomes: u64,
    /// Coordinators that ended with an error or a panic of the engine.
    pub coordinator_failures: u64,
    /// Threads loaded from the storage.
    pub threads_loaded: u64,
    /// Attempts of tasks whose body was begun.
    pub attempts: u64,
    /// Orders taken over from dead workers.
    pub reclaimed_orders: u64,
}

impl Stats {
    pub(crate) fn snapshot(&self) -> StatsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StatsSnapshot {
            commits: read(&self.commits),
            corrupt_messages: read(&self.corrupt_messages),
            fenced_commits: read(&self.fenced_commits),
            rollbacks: read(&self.rollbacks),
            unknown_outcomes: read(&self.unknown_outcomes),
            coordinator_failures: read(&self.coordinator_failures),
            threads_loaded: read(&self.threads_loaded),
            attempts: read(&self.attempts),
            reclaimed_orders: read(&self.reclaimed_orders),
        }
    }
}
