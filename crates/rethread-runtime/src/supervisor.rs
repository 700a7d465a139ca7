//! The root of a node's actors.
//!
//! A partition ends here in one of three ways: its lease is lost (the owner stops at once), its
//! owner ended by itself (the partition is acquired anew), or it is given up (the owner drains,
//! then the lease is released): one by one when the partitions are shared anew, all of them when
//! the node is told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use rethread_core::ids::PartitionId;
use rethread_storage::Lease;
use tokio::sync::watch;

use crate::engine::Engine;
use crate::lease_keeper::{KeeperSeat, LeaseKeeperMessage};
use crate::partition::{OwnerArguments, OwnerMessage, PartitionOwner};
use crate::stats::count;
use crate::tenure::Tenure;
use crate::worker::{PoolSeat, WorkerPoolMessage};

/// Wait before something is started again that ended by itself.
const RESTART_WAIT: Duration = Duration::from_millis(500);
/// How long owners may take to drain. The lease keeper waits less; this is for times at which
/// there is none.
const OWNER_DRAIN_MAX: Duration = Duration::from_secs(5);

/// Starts owners, the lease keeper and worker pools, and starts again what fails. What fails
/// takes nothing beside it down.
#[derive(Debug)]
pub(crate) struct NodeSupervisor;

/// Mail of a [`NodeSupervisor`].
#[derive(Debug)]
pub(crate) enum SupervisorMessage {
    /// A partition is ours.
    LeaseAcquired {
        /// The lease.
        lease: Lease,
        /// Number of the last commit.
        last_commit: u64,
        /// Until when its owner may act.
        tenure: Arc<Tenure>,
    },
    /// A partition is not ours any more, or was not renewed in time.
    LeaseLost(Lease),
    /// The lease keeper has asked for this node's part of the partitions once.
    RoundDone,
    /// An owner has read what its partition has in progress.
    TakenOver(Lease),
    /// Start the lease keeper.
    StartKeeper,
    /// Start the pool at this place.
    StartPool(usize),
    /// A pool runs.
    PoolStarted(usize, ActorRef<WorkerPoolMessage>),
    /// Others are to have the partition: drain its owner, then release it.
    GiveUp(Lease),
    /// Hand all partitions over and answer when that is done.
    HandOver(RpcReplyPort<()>),
    /// An owner has written what it had, or took too long.
    Drained(Lease),
}

/// What a supervisor is started with.
pub(crate) struct SupervisorArguments {
    pub(crate) engine: Arc<Engine>,
    pub(crate) keeper: Option<KeeperSeat>,
    pub(crate) pools: Vec<PoolSeat>,
    pub(crate) ready: watch::Sender<bool>,
}

pub(crate) struct SupervisorState {
    engine: Arc<Engine>,
    keeper_seat: Option<KeeperSeat>,
    keeper: Option<ActorRef<LeaseKeeperMessage>>,
    pool_seats: Vec<PoolSeat>,
    pools: BTreeMap<usize, ActorRef<WorkerPoolMessage>>,
    owners: BTreeMap<PartitionId, Owner>,
    by_actor: BTreeMap<ActorId, Lease>,
    ready: watch::Sender<bool>,
    round_done: bool,
    /// Partitions that were taken over since the log was told.
    newly_taken_over: usize,
    handing_over: Option<RpcReplyPort<()>>,
    is_stopping: bool,
}

#[derive(Debug)]
struct Owner {
    lease: Lease,
    actor: ActorRef<OwnerMessage>,
    taken_over: bool,
    /// Whether it is being drained, to be released.
    is_leaving: bool,
}

impl Owner {
    /// Drains the owner once, and tells the supervisor when that is done.
    fn leave(&mut self, supervisor: &ActorRef<SupervisorMessage>) {
        if std::mem::replace(&mut self.is_leaving, true) {
            return;
        }
        let (actor, lease, supervisor) = (self.actor.clone(), self.lease, supervisor.clone());
        tokio::spawn(async move {
            let drained = actor.call(OwnerMessage::Drain, Some(OWNER_DRAIN_MAX)).await;
            if matches!(drained, Ok(ractor::rpc::CallResult::Timeout)) {
                tracing::warn!(partition = %lease.partition, "partition handed over undrained");
            }
            // The supervisor outlives its owners.
            let _ = supervisor.cast(SupervisorMessage::Drained(lease));
        });
    }
}

impl Actor for NodeSupervisor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = SupervisorArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMessage>,
        arguments: SupervisorArguments,
    ) -> Result<SupervisorState, ActorProcessingErr> {
        let SupervisorArguments { engine, keeper, pools, ready } = arguments;
        if keeper.is_some() {
            myself.cast(SupervisorMessage::StartKeeper)?;
        }
        for place in 0..pools.len() {
            myself.cast(SupervisorMessage::StartPool(place))?;
        }
        let mut state = SupervisorState {
            engine,
            round_done: keeper.is_none(),
            keeper_seat: keeper,
            keeper: None,
            pool_seats: pools,
            pools: BTreeMap::new(),
            owners: BTreeMap::new(),
            by_actor: BTreeMap::new(),
            ready,
            newly_taken_over: 0,
            handing_over: None,
            is_stopping: false,
        };
        state.tell_if_ready();
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::LeaseAcquired { lease, last_commit, tenure } => {
                state.start_owner(&myself, lease, last_commit, tenure).await;
            }
            SupervisorMessage::LeaseLost(lease) => {
                state.stop_owner(&lease, "lease lost");
            }
            SupervisorMessage::RoundDone => state.round_done = true,
            SupervisorMessage::TakenOver(lease) => {
                if let Some(owner) = state.owner(&lease) {
                    owner.taken_over = true;
                    state.newly_taken_over += 1;
                    count(&state.engine.stats.takeovers);
                }
            }
            SupervisorMessage::StartKeeper => state.start_keeper(&myself).await,
            SupervisorMessage::StartPool(place) => state.start_pool(&myself, place),
            SupervisorMessage::PoolStarted(place, pool) => {
                state.pools.insert(place, pool);
            }
            SupervisorMessage::GiveUp(lease) => state.give_up(&myself, &lease),
            SupervisorMessage::HandOver(reply) => state.hand_over(&myself, reply),
            // Unless it was lost, or its owner's end was told before.
            SupervisorMessage::Drained(lease) => {
                if state.stop_owner(&lease, "drained") {
                    state.release(lease);
                }
            }
        }
        state.tell_if_ready();
        state.end_hand_over_if_done();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, reason, failed) = match event {
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                (cell, reason.unwrap_or_else(|| "stopped".into()), false)
            }
            SupervisionEvent::ActorFailed(cell, error) => (cell, error.to_string(), true),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        let actor = cell.get_id();
        if failed {
            tracing::error!(%actor, reason, "an actor of the node failed");
        }
        if let Some(lease) = state.by_actor.remove(&actor) {
            state.owner_ended(lease, actor);
        } else if state.keeper.as_ref().is_some_and(|keeper| keeper.get_id() == actor) {
            state.keeper = None;
            if !state.is_stopping {
                myself.send_after(RESTART_WAIT, || SupervisorMessage::StartKeeper);
            }
        } else if let Some(place) = state.pool_place(actor) {
            state.pools.remove(&place);
            if !state.is_stopping {
                myself.send_after(RESTART_WAIT, move || SupervisorMessage::StartPool(place));
            }
        }
        state.end_hand_over_if_done();
        Ok(())
    }
}

impl SupervisorState {
    fn owner(&mut self, lease: &Lease) -> Option<&mut Owner> {
        self.owners.get_mut(&lease.partition).filter(|owner| owner.lease == *lease)
    }

    fn pool_place(&self, actor: ActorId) -> Option<usize> {
        self.pools.iter().find(|(_, pool)| pool.get_id() == actor).map(|(place, _)| *place)
    }

    async fn start_owner(
        &mut self,
        myself: &ActorRef<SupervisorMessage>,
        lease: Lease,
        last_commit: u64,
        tenure: Arc<Tenure>,
    ) {
        if self.is_stopping {
            self.release(lease);
            return;
        }
        if let Some(earlier) = self.owners.get(&lease.partition).map(|owner| owner.lease) {
            // Its token is void since the new one was given.
            self.stop_owner(&earlier, "acquired again");
        }
        let arguments = OwnerArguments {
            engine: Arc::clone(&self.engine),
            supervisor: myself.clone(),
            lease,
            last_commit,
            tenure,
        };
        let spawned = Actor::spawn_linked(None, PartitionOwner, arguments, myself.get_cell()).await;
        match spawned {
            Ok((actor, _)) => {
                self.by_actor.insert(actor.get_id(), lease);
                let owner = Owner { lease, actor, taken_over: false, is_leaving: false };
                self.owners.insert(lease.partition, owner);
            }
            Err(error) => {
                tracing::error!(partition = %lease.partition, %error, "cannot start a partition owner");
                self.drop_lease(lease);
            }
        }
    }

    /// Stops the owner of this lease; says whether there was one.
    fn stop_owner(&mut self, lease: &Lease, reason: &str) -> bool {
        let Some(owner) = self.owner(lease) else { return false };
        owner.actor.stop(Some(reason.to_owned()));
        self.owners.remove(&lease.partition);
        self.engine.feeds.unregister(lease);
        true
    }

    /// An owner ended by itself: the partition is acquired anew, which reloads all of it, unless
    /// others are to have it.
    fn owner_ended(&mut self, lease: Lease, actor: ActorId) {
        self.engine.feeds.unregister(&lease);
        let owner = self.owner(&lease).filter(|owner| owner.actor.get_id() == actor);
        if let Some(is_leaving) = owner.map(|owner| owner.is_leaving) {
            self.owners.remove(&lease.partition);
            if is_leaving || self.is_stopping {
                self.release(lease);
            } else {
                self.drop_lease(lease);
            }
        }
    }

    fn release(&self, lease: Lease) {
        self.tell_keeper(LeaseKeeperMessage::Release(lease));
    }

    fn drop_lease(&self, lease: Lease) {
        self.tell_keeper(LeaseKeeperMessage::Dropped(lease));
    }

    fn tell_keeper(&self, message: LeaseKeeperMessage) {
        if let Some(keeper) = &self.keeper {
            // A keeper that has just failed acquires everything anew.
            let _ = keeper.cast(message);
        }
    }

    async fn start_keeper(&mut self, myself: &ActorRef<SupervisorMessage>) {
        let Some(seat) = &self.keeper_seat else { return };
        match seat.start(myself.clone()).await {
            Ok(keeper) => self.keeper = Some(keeper),
            Err(error) => {
                tracing::error!(%error, "cannot start the lease keeper, trying again");
                myself.send_after(RESTART_WAIT, || SupervisorMessage::StartKeeper);
            }
        }
    }

    fn start_pool(&self, myself: &ActorRef<SupervisorMessage>, place: usize) {
        if let Some(seat) = self.pool_seats.get(place).filter(|_| !self.is_stopping) {
            seat.start(place, myself.clone());
        }
    }

    fn hand_over(&mut self, myself: &ActorRef<SupervisorMessage>, reply: RpcReplyPort<()>) {
        self.is_stopping = true;
        self.handing_over = Some(reply);
        // Should it not have heard of it yet.
        self.tell_keeper(LeaseKeeperMessage::SignOff);
        for owner in self.owners.values_mut() {
            owner.leave(myself);
        }
    }

    fn give_up(&mut self, myself: &ActorRef<SupervisorMessage>, lease: &Lease) {
        // One that is not there any more is told to the keeper on another way.
        if let Some(owner) = self.owner(lease) {
            tracing::debug!(partition = %lease.partition, "giving a partition up");
            owner.leave(myself);
        }
    }

    fn end_hand_over_if_done(&mut self) {
        if !self.owners.is_empty() {
            return;
        }
        let Some(reply) = self.handing_over.take() else { return };
        match &self.keeper {
            // Behind the releases, so they are done when it answers.
            Some(keeper) => drop(keeper.cast(LeaseKeeperMessage::Settle(reply))),
            None => drop(reply.send(())),
        }
    }

    fn tell_if_ready(&mut self) {
        if self.round_done && self.owners.values().all(|owner| owner.taken_over) {
            let partitions = std::mem::take(&mut self.newly_taken_over);
            if partitions > 0 {
                tracing::info!(partitions, held = self.owners.len(), "partitions taken over");
            }
            self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
        }
    }
}
