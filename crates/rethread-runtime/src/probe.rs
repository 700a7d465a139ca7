//! What operators see of a node.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rethread_core::ids::PartitionId;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::feeds::Feeds;
use crate::stats::{Stats, StatsSnapshot};
use crate::storage_health::StorageHealth;

/// Looks at a node without holding it or its storage; stays usable after the node's end.
#[derive(Clone)]
pub struct NodeProbe {
    stats: Arc<Stats>,
    feeds: Arc<Feeds>,
    engine: Handle,
    ready: watch::Receiver<bool>,
    is_draining: Arc<AtomicBool>,
    storage: StorageHealth,
}

/// What a node is doing at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStatus {
    /// Whether it has asked for every partition once and has taken over those it got.
    pub is_ready: bool,
    /// Whether it was told to stop.
    pub is_draining: bool,
    /// The partitions that it owns and reads.
    pub partitions: Vec<PartitionId>,
    /// Messages that it has read from inboxes and not consumed yet.
    pub inbox_ahead: usize,
    /// Threads in memory, each with an actor.
    pub threads: u64,
    /// Bodies of tasks that run.
    pub bodies: u64,
    /// What was wrong with the storage when it was asked last, which is once a minute.
    pub storage_fault: Option<String>,
}

impl NodeProbe {
    pub(crate) fn new(
        engine: &Engine,
        runtime: &Handle,
        ready: watch::Receiver<bool>,
        storage: StorageHealth,
    ) -> Self {
        Self {
            stats: Arc::clone(&engine.stats),
            feeds: Arc::clone(&engine.feeds),
            engine: runtime.clone(),
            ready,
            is_draining: Arc::default(),
            storage,
        }
    }

    pub(crate) fn begin_drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// What happened since the start.
    pub fn stats(&self) -> StatsSnapshot {
        self.stats.snapshot()
    }

    /// What the node is doing.
    pub fn status(&self) -> NodeStatus {
        let unconsumed = self.feeds.unconsumed();
        NodeStatus {
            is_ready: *self.ready.borrow(),
            is_draining: self.is_draining.load(Ordering::Relaxed),
            inbox_ahead: unconsumed.iter().map(|(_, count)| count).sum(),
            partitions: unconsumed.into_iter().map(|(partition, _)| partition).collect(),
            threads: self.stats.gauges.threads.get(),
            bodies: self.stats.gauges.bodies.get(),
            storage_fault: self.storage.fault(),
        }
    }

    /// Whether the thread that drives all entrypoints does something within `limit`. One that does
    /// not is held up by an entrypoint that blocks or never ends, or has ended.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub async fn is_responsive(&self, limit: Duration) -> bool {
        let answered = self.engine.spawn(async {});
        matches!(timeout(limit, answered).await, Ok(Ok(())))
    }
}

impl fmt::Debug for NodeProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeProbe").field("status", &self.status()).finish_non_exhaustive()
    }
}
