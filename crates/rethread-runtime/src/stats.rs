//! Counters of what operators must hear about, and gauges of what a node holds at the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::thread::RunEvents;

/// Declares each counter once: where it is counted, what a snapshot says of it, and the text by
/// which it is shown.
macro_rules! counters {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// Counts what operators must hear about.
        #[derive(Debug, Default)]
        pub(crate) struct Stats {
            $(pub(crate) $name: AtomicU64,)+
            pub(crate) gauges: Gauges,
        }

        /// Counters of one node since it started.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct StatsSnapshot {
            $($(#[doc = $text])+ pub $name: u64,)+
        }

        impl Stats {
            pub(crate) fn snapshot(&self) -> StatsSnapshot {
                StatsSnapshot { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }

        impl StatsSnapshot {
            /// Every counter: its name, what it counts, and its value.
            pub fn counters(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($text),+).trim(), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Commits that succeeded.
    commits,
    /// Messages and orders that could not be read and were passed over.
    corrupt_messages,
    /// Messages of a newer version that were left in the inbox for a coordinator of that version.
    newer_messages,
    /// Commits refused because another node owns the partition.
    fenced_commits,
    /// Times that the storage was found behind what it had acknowledged.
    rollbacks,
    /// Commits whose outcome stayed unknown after repeating them.
    unknown_outcomes,
    /// Coordinators that ended with an error or a panic of the engine.
    coordinator_failures,
    /// Threads loaded from the storage.
    threads_loaded,
    /// Attempts of tasks whose body was begun.
    attempts,
    /// Orders taken over from dead workers.
    reclaimed_orders,
    /// Partitions that this node has taken over.
    takeovers,
    /// Partitions given to another node to share them evenly.
    partitions_released,
    /// Orders that were lost and ordered again by the sweeper.
    repaired_orders,
    /// Tasks given up because no worker survived them.
    quarantined_tasks,
    /// Runs parked because their code no longer fits their journal.
    mismatches,
    /// Requests that were refused.
    refused_commands,
    /// Runs that began.
    runs_started,
    /// Runs that ended with a result.
    runs_completed,
    /// Runs that ended with a failure.
    runs_failed,
    /// Runs that stopped with open questions.
    runs_interrupted,
    /// Runs that were cancelled.
    runs_cancelled,
    /// Renewals of leases that failed or came too late.
    lease_renewal_failures,
    /// Executions whose orders were taken back.
    withdrawn_groups,
    /// Orders of tasks that the worker does not have, or of a version that it cannot read.
    unknown_task_orders,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Stats {
    /// Counts how runs begin and end, by the events that are written of them.
    pub(crate) fn count_events(&self, runs: &[RunEvents]) {
        for event in runs.iter().flat_map(|run| &run.events) {
            match &event.kind {
                EventKind::RunStarted { .. } => count(&self.runs_started),
                EventKind::RunEnded(outcome) => self.count_end(outcome),
                _ => {}
            }
        }
    }

    fn count_end(&self, outcome: &RunOutcome) {
        match outcome {
            RunOutcome::Done(_) => count(&self.runs_completed),
            RunOutcome::Failed(_) => count(&self.runs_failed),
            RunOutcome::Interrupted(_) => count(&self.runs_interrupted),
            RunOutcome::Cancelled => count(&self.runs_cancelled),
            RunOutcome::Parked(_) => count(&self.mismatches),
            RunOutcome::Refused(_) => count(&self.refused_commands),
            _ => {}
        }
    }
}

/// What a node holds at the moment.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Threads in memory.
    pub(crate) threads: Gauge,
    /// Bodies of tasks that run.
    pub(crate) bodies: Gauge,
}

/// Counts things that come and go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Counts one more thing, until what is returned is dropped.
    pub(crate) fn enter(&self) -> Counted {
        count(&self.0);
        Counted(Arc::clone(&self.0))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thing that a [`Gauge`] counts.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_listed_with_its_text() {
        let stats = Stats::default();
        count(&stats.takeovers);
        let counters = stats.snapshot().counters();
        let takeovers = ("takeovers", "Partitions that this node has taken over.", 1);
        assert!(counters.contains(&takeovers), "{counters:?}");
        assert!(counters.iter().all(|(_, text, _)| text.ends_with('.')), "{counters:?}");
        assert_eq!(stats.snapshot(), StatsSnapshot { takeovers: 1, ..StatsSnapshot::default() });
    }

    #[test]
    fn a_gauge_counts_what_is_there() {
        let gauge = Gauge::default();
        let (first, second) = (gauge.enter(), gauge.enter());
        assert_eq!(gauge.get(), 2);
        drop(first);
        assert_eq!(gauge.get(), 1);
        drop(second);
        assert_eq!(gauge.get(), 0);
    }
}
