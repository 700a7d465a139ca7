use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::options::PoolOptions;
use crate::supervisor::SupervisorMessage;
use crate::worker::fetch::Fetcher;
use crate::worker::side::{Assignment, WorkerSide};
use crate::worker::slots::{Slot, Slots};
use crate::worker::worker_actor::{WorkerActor, WorkerMessage};

/// Slots of one worker actor.
const SLOTS_PER_WORKER: usize = 16;
/// Wait before fetching is started again that ended by itself.
const RESTART_WAIT: Duration = Duration::from_millis(200);

/// Runs the tasks of one queue.
#[derive(Debug)]
pub(crate) struct WorkerPool;

/// Mail of a [`WorkerPool`].
#[derive(Debug)]
pub(crate) enum WorkerPoolMessage {
    /// Start what fetches orders.
    StartFetching,
    /// Start what takes over orders of dead workers.
    StartReclaiming,
    /// Run an order in a slot.
    Assign(Assignment, Slot),
}

/// Where and how to start a pool.
#[derive(Debug, Clone)]
pub(crate) struct PoolSeat {
    runtime: Handle,
    side: Arc<WorkerSide>,
    options: PoolOptions,
    slots: Arc<Slots>,
}

impl PoolSeat {
    pub(super) fn new(runtime: Handle, side: Arc<WorkerSide>, mut options: PoolOptions) -> Self {
        options.slots = options.slots.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let slots = Slots::new(options.slots);
        Self { runtime, side, options, slots }
    }

    pub(super) fn slots(&self) -> Arc<Slots> {
        Arc::clone(&self.slots)
    }

    /// Starts the pool on its own runtime; the supervisor hears of it.
    pub(crate) fn start(&self, place: usize, supervisor: ActorRef<SupervisorMessage>) {
        let seat = self.clone();
        self.runtime.spawn(async move {
            let cell = supervisor.get_cell();
            let answer = match Actor::spawn_linked(None, WorkerPool, seat, cell).await {
                Ok((pool, _)) => SupervisorMessage::PoolStarted(place, pool),
                Err(error) => {
                    tracing::error!(%error, "cannot start a worker pool, trying again");
                    tokio::time::sleep(RESTART_WAIT).await;
                    SupervisorMessage::StartPool(place)
                }
            };
            // Without its supervisor the node is gone.
            let _ = supervisor.cast(answer);
        });
    }
}

pub(crate) struct WorkerPoolState {
    seat: PoolSeat,
    workers: Vec<ActorRef<WorkerMessage>>,
    next: usize,
}

impl Actor for WorkerPool {
    type Msg = WorkerPoolMessage;
    type State = WorkerPoolState;
    type Arguments = PoolSeat;

    async fn pre_start(
        &self,
        myself: ActorRef<WorkerPoolMessage>,
        seat: PoolSeat,
    ) -> Result<WorkerPoolState, ActorProcessingErr> {
        let mut workers = Vec::new();
        for _ in 0..seat.options.slots.div_ceil(SLOTS_PER_WORKER) {
            workers.push(start_worker(&myself, &seat.side).await?);
        }
        myself.cast(WorkerPoolMessage::StartFetching)?;
        myself.cast(WorkerPoolMessage::StartReclaiming)?;
        Ok(WorkerPoolState { seat, workers, next: 0 })
    }

    async fn handle(
        &self,
        myself: ActorRef<WorkerPoolMessage>,
        message: WorkerPoolMessage,
        state: &mut WorkerPoolState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            WorkerPoolMessage::StartFetching => {
                let fetching = tokio::spawn(state.fetcher(&myself).fetch_all());
                state.watch(myself, fetching, || WorkerPoolMessage::StartFetching);
            }
            WorkerPoolMessage::StartReclaiming => {
                let reclaiming = tokio::spawn(state.fetcher(&myself).reclaim_all());
                state.watch(myself, reclaiming, || WorkerPoolMessage::StartReclaiming);
            }
            WorkerPoolMessage::Assign(assignment, slot) => {
                state.next = (state.next + 1) % state.workers.len();
                state.workers[state.next].cast(WorkerMessage::Run(assignment, slot))?;
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<WorkerPoolMessage>,
        event: SupervisionEvent,
        state: &mut WorkerPoolState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(cell, ..) => {
                state.replace_worker(&myself, cell.get_id()).await
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                tracing::error!(%error, "a worker failed and is replaced; its bodies go on");
                state.replace_worker(&myself, cell.get_id()).await
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
        }
    }
}

impl WorkerPoolState {
    fn fetcher(&self, myself: &ActorRef<WorkerPoolMessage>) -> Fetcher {
        Fetcher {
            side: Arc::clone(&self.seat.side),
            queue: self.seat.options.queue.clone(),
            slots: Arc::clone(&self.seat.slots),
            pool: myself.clone(),
        }
    }

    /// Starts a task again that panicked.
    fn watch(
        &self,
        myself: ActorRef<WorkerPoolMessage>,
        task: tokio::task::JoinHandle<()>,
        again: fn() -> WorkerPoolMessage,
    ) {
        tokio::spawn(async move {
            if let Err(error) = task.await {
                tracing::error!(%error, "fetching orders failed and starts again");
                tokio::time::sleep(RESTART_WAIT).await;
                // A pool that is gone fetches nothing.
                let _ = myself.cast(again());
            }
        });
    }

    async fn replace_worker(
        &mut self,
        myself: &ActorRef<WorkerPoolMessage>,
        ended: ActorId,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(place) = self.workers.iter().position(|worker| worker.get_id() == ended) {
            self.workers[place] = start_worker(myself, &self.seat.side).await?;
        }
        Ok(())
    }
}

async fn start_worker(
    myself: &ActorRef<WorkerPoolMessage>,
    side: &Arc<WorkerSide>,
) -> Result<ActorRef<WorkerMessage>, ActorProcessingErr> {
    let cell = myself.get_cell();
    let (worker, _) = Actor::spawn_linked(None, WorkerActor, Arc::clone(side), cell).await?;
    Ok(worker)
}
