//! An engine in one thread, on a clock that stands still while something can be done: it does the
//! same each time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rethread::{Client, Gateway, GatewayOptions, Node, NodeOptions, PoolOptions};
use rethread_core::ids::{Millis, NodeId, WorkerId};
use rethread_runtime::Threads;
use rethread_storage::memory::{MemoryOptions, MemoryStorage};
use rethread_storage::testing::Tampered;
use rethread_storage::{Clock, Storage};
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::programs;
use crate::tape::Recorder;
use crate::workloads::Workload;

/// Where its clock begins: some day in 2026.
const BEGIN: Millis = Millis(1_775_000_000_000);
/// Bodies that run at the same time.
const SLOTS: usize = 256;
/// After this time nothing is left to be done, and threads have left the memory.
const CALM: Duration = Duration::from_secs(2);
/// How long threads stay in memory.
const EVICT_AFTER: Duration = Duration::from_secs(1);

/// An engine with its clients.
pub(crate) struct World {
    pub(crate) client: Client,
    /// The operations of a gateway.
    pub(crate) router: Router,
    pub(crate) recorder: Arc<Recorder>,
    node: Node,
}

impl World {
    async fn start(partitions: u16, is_noting: bool) -> Result<Self, Failure> {
        let clock = Clock::starting_at(BEGIN);
        let behind = MemoryStorage::with_options(MemoryOptions {
            partitions,
            clock: Some(clock.clone()),
            ..MemoryOptions::default()
        });
        let recorder = Arc::new(Recorder::new(behind, is_noting));
        let storage: Arc<dyn Storage> = Arc::new(Tampered::from(Arc::clone(&recorder)));
        let registry = Arc::new(programs::registry()?);
        let mut options = NodeOptions::new(NodeId::new("node")?, Arc::clone(&storage), registry)
            .worker(PoolOptions::standard(SLOTS));
        options.clock = clock.clone();
        options.wall = clock;
        options.worker_id = Some(WorkerId::new("worker")?);
        options.threads = Threads::Caller;
        options.evict_after = EVICT_AFTER;
        let node = Node::start(options).await?;
        node.wait_ready().await?;
        let client = Client::from_storage(storage);
        let router = Gateway::new(client.clone(), GatewayOptions::default()).router();
        let world = Self { client, router, recorder, node };
        world.calm_down().await;
        Ok(world)
    }

    /// Waits until nothing is left to be done.
    pub(crate) async fn calm_down(&self) {
        tokio::time::sleep(CALM).await;
    }
}

/// Runs a workload on an engine of its own; `measure` is given what is measured of it.
pub(crate) fn run<T>(
    workload: Workload,
    partitions: u16,
    is_noting: bool,
    measure: impl FnOnce(&mut dyn FnMut() -> Result<(), Failure>) -> Result<T, Failure>,
) -> Result<(T, Arc<Recorder>), Failure> {
    let runtime = runtime()?;
    let world = runtime.block_on(World::start(partitions, is_noting))?;
    runtime.block_on(async {
        workload.prepare(&world).await?;
        world.calm_down().await;
        Ok::<_, Failure>(())
    })?;
    world.recorder.begin();
    let measured = measure(&mut || {
        runtime.block_on(async {
            workload.run(&world).await?;
            world.calm_down().await;
            Ok(())
        })
    })?;
    let World { recorder, node, .. } = world;
    runtime.block_on(node.shutdown())?;
    Ok((measured, recorder))
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_time().start_paused(true).build()
}
