use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rethread_core::ids::{Millis, NodeId, QueueName, WorkerId};
use rethread_core::thread::Limits;
use rethread_sdk::Registry;
use rethread_storage::store::StoreIndex;
use rethread_storage::{Clock, Storage};

/// Settings of a [`crate::Node`].
#[derive(Clone)]
pub struct NodeOptions {
    /// Names the node; no two living nodes of a namespace may share it.
    pub node: NodeId,
    /// The storage of the namespace. The node attaches handles of its own.
    pub storage: Arc<dyn Storage>,
    /// The code.
    pub registry: Arc<Registry>,
    /// Whether the node owns partitions and drives threads. Default true.
    pub coordinator: bool,
    /// The queues it runs tasks of. Default none.
    pub workers: Vec<PoolOptions>,
    /// How long a partition stays ours without a renewal; renewed every fifth of it.
    /// Default 10 s.
    pub lease_ttl: Duration,
    /// How long an idle thread is kept in memory. Zero: no longer than something is being
    /// written. Default 60 s.
    pub evict_after: Duration,
    /// How often a worker says that it lives. Default 300 ms.
    pub heartbeat_every: Duration,
    /// Silence after which a worker counts as dead and its orders are taken over.
    /// Default 1.2 s.
    pub dead_after: Duration,
    /// How long a drain waits for running bodies. Default 30 s.
    pub drain_timeout: Duration,
    /// How often an order is given to workers before it counts as poison. Default 3.
    pub fetches_max: u32,
    /// How long a worker collects the events of one body that writes often, to hand them in
    /// together; those of a body that was quiet for as long leave at once. Zero: all do.
    /// Default 1 ms.
    pub emit_batch: Duration,
    /// How often an owner looks for calls whose orders are lost; two looks in a row find them. A
    /// look reads queues and inbox of a partition that has had calls in flight since the last
    /// one. Zero: never. Default 5 s.
    pub sweep_every: Duration,
    /// Messages read ahead of their consumption, per partition. Default 4,096.
    pub inbox_ahead_max: usize,
    /// How items of the store are found by meaning. Default: not at all.
    pub store_index: Option<StoreIndex>,
    /// Limits of executions.
    pub limits: Limits,
    /// The time that journals, timers and retries go by. The default reads the system's clock
    /// once and goes on with tokio's, so it never goes backwards.
    pub clock: Clock,
    /// The clock on the machine's wall, by which a worker notices that the machine stood still
    /// and its other clocks with it. Default: the system's.
    pub wall: Clock,
    /// What the worker side is called; no two living workers may share it. Default: a fresh
    /// random name.
    pub worker_id: Option<WorkerId>,
    /// Where the node's own parts run. Default [`Threads::Own`].
    pub threads: Threads,
}

/// Where the parts of a node run that are not bodies of tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threads {
    /// On OS threads of the node's own: bodies that block their runtime delay no lease and no
    /// heartbeat.
    #[default]
    Own,
    /// On the calling runtime, like the bodies. A node on a current-thread runtime with a paused
    /// clock then does the same each time, which is what a simulation needs.
    Caller,
}

impl NodeOptions {
    /// Default settings: a coordinator without workers.
    pub fn new(node: NodeId, storage: Arc<dyn Storage>, registry: Arc<Registry>) -> Self {
        Self {
            node,
            storage,
            registry,
            coordinator: true,
            workers: Vec::new(),
            lease_ttl: Duration::from_secs(10),
            evict_after: Duration::from_secs(60),
            heartbeat_every: Duration::from_millis(300),
            dead_after: Duration::from_millis(1_200),
            drain_timeout: Duration::from_secs(30),
            fetches_max: 3,
            emit_batch: Duration::from_millis(1),
            sweep_every: Duration::from_secs(5),
            inbox_ahead_max: 4_096,
            store_index: None,
            limits: Limits::default(),
            clock: Clock::starting_at(system_time()),
            wall: Clock::new(system_time),
            worker_id: None,
            threads: Threads::default(),
        }
    }

    /// Adds a pool of workers.
    #[must_use]
    pub fn worker(mut self, pool: PoolOptions) -> Self {
        self.workers.push(pool);
        self
    }
}

impl fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeOptions")
            .field("node", &self.node)
            .field("coordinator", &self.coordinator)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// A pool of workers of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOptions {
    /// The queue.
    pub queue: QueueName,
    /// Bodies that run at the same time; at least 1.
    pub slots: usize,
}

impl PoolOptions {
    /// A pool for the queue of tasks that choose none.
    pub fn standard(slots: usize) -> Self {
        Self { queue: QueueName::standard(), slots }
    }
}

fn system_time() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
