use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::{QueueName, WorkerId};
use rethread_core::planted;
use rethread_sdk::Registry;
use rethread_storage::{Clock, Delivery, Receipt, Storage};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::failure_log::FailureLog;
use crate::options::PoolOptions;
use crate::presence::Presence;
use crate::stats::Stats;
use crate::store::StoreAccess;
use crate::worker::cancels::Cancels;
use crate::worker::desk::{self, Desk};
use crate::worker::fetch::FETCH_WAIT;
use crate::worker::heard::{Heard, Moment};
use crate::worker::heartbeat::{self, Pulse};
use crate::worker::mail::{self, Routes};
use crate::worker::pool::PoolSeat;
use crate::worker::slots::Slots;
use crate::worker::unknown_tasks::UnknownTasks;

/// How long the last reports may take to be handed in when a worker ends.
const LAST_HAND_IN_MAX: Duration = Duration::from_secs(5);
/// How long an order that was given is taken for one that nobody has taken back since. A cancel
/// that a client hears of has taken about as long to reach it.
const FRESH_FOR: Duration = Duration::from_millis(20);
/// Wait after an order could not be confirmed.
const CONFIRM_WAIT: Duration = Duration::from_millis(200);

/// What the pools of one worker process share.
pub(crate) struct WorkerSide {
    /// A handle of the caller's runtime.
    pub(super) storage: Arc<dyn Storage>,
    pub(super) worker: WorkerId,
    queues: Vec<QueueName>,
    heard: Arc<Heard>,
    pub(super) registry: Arc<Registry>,
    pub(super) clock: Clock,
    pub(super) desk: Desk,
    pub(super) routes: Arc<Routes>,
    pub(super) cancels: Arc<Cancels>,
    pub(super) store: Arc<StoreAccess>,
    pub(super) cache_failures: FailureLog,
    pub(super) unknown_tasks: UnknownTasks,
    pub(super) newer_orders: FailureLog,
    pub(super) dead_after: Duration,
    pub(super) fetches_max: u32,
    /// How long the events of a body are collected.
    pub(super) emit_batch: Duration,
    pub(super) stats: Arc<Stats>,
    stage: watch::Sender<Stage>,
    fetching: watch::Sender<usize>,
    _presence: Presence,
}

/// An order that was given to this worker.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(super) delivery: Delivery,
    /// When it was asked for.
    pub(super) asked: Moment,
    /// When the storage gave it.
    pub(super) given: Moment,
}

/// How far the end of a worker process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It fetches and runs.
    Running,
    /// It fetches nothing more; bodies go on.
    Ending,
    /// Bodies are dropped.
    Killed,
}

/// What a worker process is made of.
pub(crate) struct WorkerSettings {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) worker: WorkerId,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Clock,
    pub(crate) wall: Clock,
    pub(crate) store: Arc<StoreAccess>,
    pub(crate) presence: Presence,
    pub(crate) pools: Vec<PoolOptions>,
    pub(crate) heartbeat_every: Duration,
    pub(crate) dead_after: Duration,
    pub(crate) fetches_max: u32,
    pub(crate) emit_batch: Duration,
    pub(crate) stats: Arc<Stats>,
}

/// The worker side of a node, from its start to its end. Dropping it kills the bodies and leaves
/// their orders to be reclaimed.
pub(crate) struct WorkerProcess {
    side: Arc<WorkerSide>,
    slots: Vec<Arc<Slots>>,
    heartbeat: JoinHandle<()>,
}

impl WorkerProcess {
    /// Announces the worker and starts what its pools share. Gives a seat for each pool.
    pub(crate) async fn start(
        settings: WorkerSettings,
        pulse: &Handle,
        pulse_storage: Arc<dyn Storage>,
    ) -> rethread_storage::Result<(Self, Vec<PoolSeat>)> {
        let runtime = Handle::current();
        let queues: Vec<_> = settings.pools.iter().map(|pool| pool.queue.clone()).collect();
        let sent = Moment::now(&settings.wall);
        settings.storage.heartbeat(&settings.worker, &queues).await?;
        let heard = Arc::new(Heard::new(settings.wall, sent, settings.dead_after));
        let lives = Pulse {
            storage: pulse_storage,
            worker: settings.worker.clone(),
            queues: queues.clone(),
            every: settings.heartbeat_every,
            heard: Arc::clone(&heard),
            card: heartbeat::card(&settings.pools, &settings.registry, settings.clock.now()),
        };
        let heartbeat = pulse.spawn(lives.run());
        let stage = watch::Sender::new(Stage::Running);
        let presence = settings.presence;
        let desk = desk::open(
            Arc::clone(&settings.storage),
            settings.worker.clone(),
            stage.subscribe(),
            presence.clone(),
        );
        let (routes, cancels) = (Routes::new(), Cancels::new());
        let receiver = mail::Receiver {
            storage: Arc::clone(&settings.storage),
            worker: settings.worker.clone(),
            queues: queues.clone(),
            routes: Arc::clone(&routes),
            cancels: Arc::clone(&cancels),
            stats: Arc::clone(&settings.stats),
        };
        tokio::spawn(mail::run(receiver, stage.subscribe(), presence.clone()));
        let side = Arc::new(WorkerSide {
            storage: settings.storage,
            worker: settings.worker,
            queues,
            heard,
            registry: settings.registry,
            clock: settings.clock,
            desk,
            routes,
            cancels,
            store: settings.store,
            cache_failures: FailureLog::new("asking the cache"),
            unknown_tasks: UnknownTasks::default(),
            newer_orders: FailureLog::new("reading an order, which is left for a newer worker,"),
            dead_after: settings.dead_after,
            fetches_max: settings.fetches_max,
            emit_batch: settings.emit_batch,
            stats: settings.stats,
            stage,
            fetching: watch::Sender::new(0),
            _presence: presence,
        });
        let seats: Vec<_> = settings
            .pools
            .into_iter()
            .map(|pool| PoolSeat::new(runtime.clone(), Arc::clone(&side), pool))
            .collect();
        let slots = seats.iter().map(PoolSeat::slots).collect();
        Ok((Self { side, slots, heartbeat }, seats))
    }

    /// Ends in order: bodies may finish until `deadline`, the others are dropped and their
    /// orders handed back. The pools end with their supervisor, so the storage is held until then.
    pub(crate) async fn drain(self, deadline: Instant) {
        self.side.stage.send_replace(Stage::Ending);
        if timeout_at(deadline, self.all_ended()).await.is_err() {
            tracing::warn!(
                "bodies still run at the end of the drain; their orders are handed back"
            );
            self.side.stage.send_replace(Stage::Killed);
            self.all_ended().await;
        }
        self.side.desk.settle(LAST_HAND_IN_MAX).await;
        self.heartbeat.abort();
        let WorkerSide { storage, worker, queues, .. } = &*self.side;
        if let Err(error) = storage.retire(worker, queues).await {
            tracing::warn!(%error, "cannot hand orders back; other workers reclaim them");
        }
    }

    async fn all_ended(&self) {
        let mut fetching = self.side.fetching.subscribe();
        // The sender lives in `side`.
        let _ = fetching.wait_for(|count| *count == 0).await;
        for slots in &self.slots {
            slots.all_ended().await;
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.side.stage.send_replace(Stage::Killed);
        self.heartbeat.abort();
    }
}

impl WorkerSide {
    pub(super) fn is_running(&self) -> bool {
        *self.stage.borrow() == Stage::Running
    }

    /// Whether a body may start, or go on: false if another worker may have the order, or may have
    /// finished it, since this one was too long paused to keep it, or if it was taken back. Costs
    /// nothing as long as the order was given just now and heartbeats prove that it is ours; else
    /// the storage is asked, until it answers.
    ///
    /// A pause between this and the body's first step cannot be noticed; what such a body does
    /// is done twice, and handed in once.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn still_has(&self, assignment: &Assignment) -> bool {
        loop {
            let Assignment { delivery, asked, given } = assignment;
            // Of an order that was taken from a worker the storage knows more than we do.
            let is_kept = delivery.fetches == 1 && self.heard.covers(*asked);
            // What the storage gave may have been long on its way, too.
            let is_fresh = is_kept
                && self.heard.elapsed(*given) < FRESH_FOR
                && self.heard.elapsed(*asked) < FETCH_WAIT + FRESH_FOR;
            if is_fresh || planted::is("shared-claim") {
                return true;
            }
            match self.confirm(&delivery.receipt, is_kept).await {
                Ok(Some(is_ours)) => return is_ours,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot confirm an order, trying again");
                    tokio::time::sleep(CONFIRM_WAIT).await;
                }
            }
        }
    }

    /// Asks whether an order is ours. None if the answer came too late to be relied on.
    async fn confirm(
        &self,
        receipt: &Receipt,
        is_kept: bool,
    ) -> rethread_storage::Result<Option<bool>> {
        // The heartbeat comes first: from then on nobody takes what the storage says is ours.
        let sent = self.heard.now();
        if !is_kept {
            self.storage.heartbeat(&self.worker, &self.queues).await?;
            self.heard.note(sent);
        }
        let answer = self.storage.confirm(&self.worker, std::slice::from_ref(receipt)).await?;
        let is_ours = answer.first().copied().unwrap_or(false);
        Ok((!is_ours || self.heard.is_recent(sent)).then_some(is_ours))
    }

    pub(super) fn now(&self) -> Moment {
        self.heard.now()
    }

    /// Whether this worker may take others for dead; see [`Heard::lasts`].
    pub(super) fn may_judge_others(&self) -> bool {
        self.heard.lasts(self.dead_after)
    }

    /// Waits until the stage is reached.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn reached(&self, wanted: Stage) {
        // The sender lives in `self`.
        let _ = self.stage.subscribe().wait_for(|stage| *stage >= wanted).await;
    }

    /// Counts a task that fetches, until the guard is dropped.
    pub(super) fn begin_fetching(self: &Arc<Self>) -> Fetching {
        self.fetching.send_modify(|count| *count += 1);
        Fetching(Arc::clone(self))
    }
}

/// A task that fetches orders.
pub(super) struct Fetching(Arc<WorkerSide>);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.fetching.send_modify(|count| *count -= 1);
    }
}

impl fmt::Debug for WorkerSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerSide").field("worker", &self.worker).finish_non_exhaustive()
    }
}

impl fmt::Debug for WorkerProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerProcess").field("side", &self.side).finish_non_exhaustive()
    }
}
