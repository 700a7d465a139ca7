use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorRef};
use rethread_core::ids::WorkerId;
use rethread_storage::Storage;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::engine::{Engine, EngineFailures};
use crate::error::{NodeError, Result};
use crate::feeds::Feeds;
use crate::inbox_reader;
use crate::lease_keeper::KeeperSeat;
use crate::options::NodeOptions;
use crate::presence::{Gone, presence};
use crate::probe::NodeProbe;
use crate::publication::Publication;
use crate::runtime_thread::RuntimeThread;
use crate::stats::{Stats, StatsSnapshot};
use crate::storage_health::StorageHealth;
use crate::store::StoreAccess;
use crate::supervisor::{NodeSupervisor, SupervisorArguments, SupervisorMessage};
use crate::worker::{WorkerProcess, WorkerSettings};

/// How long the partitions may take to be handed over.
const HAND_OVER_MAX: Duration = Duration::from_secs(10);

/// A running node: it drives the threads of the partitions it owns, runs tasks, or both.
///
/// Dropping it stops it like a crash: leases expire, orders are reclaimed, nothing is lost.
/// [`Node::drain`] stops it without that delay.
pub struct Node {
    parts: Parts,
    workers: Option<WorkerProcess>,
    engine: RuntimeThread,
    pulse: RuntimeThread,
    gone: Gone,
    ready: watch::Receiver<bool>,
    drain_timeout: Duration,
    probe: NodeProbe,
}

/// What a node has started on a runtime that may outlive it; ends when it is dropped.
struct Parts {
    supervisor: ActorRef<SupervisorMessage>,
    /// Tells the lease keeper that the node is to stop.
    closing: watch::Sender<bool>,
    reader: Option<AbortHandle>,
    publication: Option<AbortHandle>,
    health: AbortHandle,
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.supervisor.kill();
        if let Some(reader) = &self.reader {
            reader.abort();
        }
        if let Some(publication) = &self.publication {
            publication.abort();
        }
        self.health.abort();
    }
}

impl Node {
    /// Starts a node. Task bodies run on the calling runtime, which should be multi-threaded.
    ///
    /// # Errors
    /// [`NodeError`] when the storage lets it not in, or the system gives no threads.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(options: NodeOptions) -> Result<Self> {
        if options.lease_ttl.is_zero() || options.dead_after <= options.heartbeat_every {
            let reason = "lease_ttl must not be zero, and dead_after must be longer than \
                          heartbeat_every"
                .into();
            return Err(NodeError::Config { reason });
        }
        let stats = Arc::new(Stats::default());
        let engine_thread = RuntimeThread::start("rethread-engine", options.threads)?;
        let pulse_thread = RuntimeThread::start("rethread-pulse", options.threads)?;
        let engine_storage = attach(&options.storage, engine_thread.handle()).await?;
        let pulse_storage = attach(&options.storage, pulse_thread.handle()).await?;
        let callers_storage = options.storage.attach().await?;
        let (presence, gone) = presence();
        let publisher = presence.clone();
        let storage_health = StorageHealth::default();
        let health = storage_health.clone().watch(Arc::clone(&pulse_storage), presence.clone());
        let store = StoreAccess::new(
            Arc::clone(&callers_storage),
            options.store_index,
            &options.clock,
            presence.clone(),
        );
        let (workers, pools) = if options.workers.is_empty() {
            (None, Vec::new())
        } else {
            let settings = WorkerSettings {
                storage: callers_storage,
                worker: options.worker_id.unwrap_or_else(fresh_worker_id),
                registry: Arc::clone(&options.registry),
                clock: options.clock.clone(),
                wall: options.wall,
                store: Arc::clone(&store),
                presence,
                pools: options.workers,
                heartbeat_every: options.heartbeat_every,
                dead_after: options.dead_after,
                fetches_max: options.fetches_max,
                emit_batch: options.emit_batch,
                stats: Arc::clone(&stats),
            };
            let pulse = pulse_thread.handle();
            let started = WorkerProcess::start(settings, pulse, Arc::clone(&pulse_storage)).await;
            let (process, seats) = started?;
            (Some(process), seats)
        };
        let engine = Arc::new(Engine {
            store,
            storage: engine_storage,
            registry: options.registry,
            clock: options.clock,
            limits: options.limits,
            evict_after: options.evict_after,
            sweep_every: options.sweep_every,
            feeds: Arc::new(Feeds::new(options.inbox_ahead_max)),
            loads: Engine::load_permits(),
            jobs: Engine::job_permits(),
            stats: Arc::clone(&stats),
            failures: EngineFailures::default(),
        });
        let publication = options.coordinator.then(|| Publication {
            registry: Arc::clone(&engine.registry),
            store: Arc::clone(&engine.store),
            clock: engine.clock.clone(),
        });
        let (closing_sender, closing) = watch::channel(false);
        let keeper = options.coordinator.then(|| KeeperSeat {
            runtime: pulse_thread.handle().clone(),
            storage: pulse_storage,
            node: options.node,
            ttl: options.lease_ttl,
            stats: Arc::clone(&stats),
            closing,
        });
        let reader = keeper.is_some().then(|| {
            let reader = inbox_reader::run(Arc::clone(&engine));
            engine_thread.handle().spawn(reader).abort_handle()
        });
        let (ready_sender, ready) = watch::channel(false);
        let probe = NodeProbe::new(&engine, engine_thread.handle(), ready.clone(), storage_health);
        let arguments = SupervisorArguments { engine, keeper, pools, ready: ready_sender };
        let spawned = engine_thread
            .handle()
            .spawn(async move { Actor::spawn(None, NodeSupervisor, arguments).await });
        let Ok(Ok((supervisor, _))) = spawned.await else { return Err(NodeError::Stopped) };
        let health = pulse_thread.handle().spawn(health).abort_handle();
        let publication = publication.map(|it| tokio::spawn(it.run(publisher)).abort_handle());
        Ok(Self {
            parts: Parts { supervisor, closing: closing_sender, reader, publication, health },
            workers,
            engine: engine_thread,
            pulse: pulse_thread,
            gone,
            ready,
            drain_timeout: options.drain_timeout,
            probe,
        })
    }

    /// Waits until the node has asked for its part of the partitions and goes on with those it got.
    /// Those that others give up for it follow.
    ///
    /// # Errors
    /// [`NodeError::Stopped`].
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub async fn wait_ready(&self) -> Result<()> {
        let mut ready = self.ready.clone();
        ready.wait_for(|ready| *ready).await.map(drop).map_err(|_| NodeError::Stopped)
    }

    /// What happened since the start.
    pub fn stats(&self) -> StatsSnapshot {
        self.probe.stats()
    }

    /// Looks at the node from outside, also while it drains.
    pub fn probe(&self) -> NodeProbe {
        self.probe.clone()
    }

    /// Stops in order: takes nothing new, writes what was decided and hands the partitions over
    /// at once; running bodies may finish within the drain timeout, and the orders of others are
    /// handed back. Afterwards the node holds no handle of the storage.
    ///
    /// # Errors
    /// [`NodeError::Stopped`] when the partitions could not be handed over in order; their
    /// leases expire then.
    ///
    /// # Cancel safety
    /// Dropping the future stops the node like a crash.
    pub async fn drain(self) -> Result<()> {
        let longest = self.drain_timeout;
        self.stop_within(longest).await
    }

    /// As [`Node::drain`], without waiting for running bodies.
    ///
    /// # Errors
    /// As for [`Node::drain`].
    ///
    /// # Cancel safety
    /// As for [`Node::drain`].
    pub async fn shutdown(self) -> Result<()> {
        self.stop_within(Duration::ZERO).await
    }

    async fn stop_within(self, longest: Duration) -> Result<()> {
        let Self { parts, workers, engine, pulse, gone, probe, .. } = self;
        probe.begin_drain();
        parts.closing.send_replace(true);
        let deadline = Instant::now() + longest;
        let hand_over = parts.supervisor.call(SupervisorMessage::HandOver, Some(HAND_OVER_MAX));
        let end_workers = async {
            if let Some(workers) = workers {
                workers.drain(deadline).await;
            }
        };
        let (handed_over, ()) = tokio::join!(hand_over, end_workers);
        drop(parts);
        engine.end().await;
        pulse.end().await;
        gone.wait().await;
        match handed_over {
            Ok(ractor::rpc::CallResult::Success(())) => Ok(()),
            _ => Err(NodeError::Stopped),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("ready", &*self.ready.borrow()).finish_non_exhaustive()
    }
}

/// A handle to the storage that the given runtime drives.
async fn attach(storage: &Arc<dyn Storage>, runtime: &Handle) -> Result<Arc<dyn Storage>> {
    let storage = Arc::clone(storage);
    match runtime.spawn(async move { storage.attach().await }).await {
        Ok(attached) => Ok(attached?),
        Err(_) => Err(NodeError::Stopped),
    }
}

fn fresh_worker_id() -> WorkerId {
    let text = format!("worker-{}", Uuid::new_v4());
    WorkerId::new(text).expect("invariant: a UUID makes a valid id")
}
