//! Keeping leases: on a thread of its own, so that no other work delays a renewal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use rethread_core::ids::{NodeId, PartitionId};
use rethread_storage::{Acquisition, Lease, Storage};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::failure_log::FailureLog;
use crate::supervisor::SupervisorMessage;
use crate::tenure::Tenure;

/// Longest time between two attempts to get a partition that another node holds.
const ACQUIRE_EVERY: Duration = Duration::from_millis(250);

/// Acquires partitions and renews their leases.
///
/// Its handlers wait for the storage: it has nothing else to do, and every wait is bounded.
#[derive(Debug)]
pub(crate) struct LeaseKeeper;

/// Mail of a [`LeaseKeeper`].
#[derive(Debug)]
pub(crate) enum LeaseKeeperMessage {
    /// Renew and acquire what is due.
    Tick,
    /// The owner of this lease ended by itself: acquire the partition anew.
    Dropped(Lease),
    /// Give the partition to others.
    Release(Lease),
    /// Acquire nothing more.
    StopAcquiring,
    /// Answer when everything before this is done.
    Settle(RpcReplyPort<()>),
}

/// Where and how to start a lease keeper.
#[derive(Debug, Clone)]
pub(crate) struct KeeperSeat {
    /// The pulse thread.
    pub(crate) runtime: Handle,
    /// A handle of the pulse thread's own.
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) node: NodeId,
    pub(crate) ttl: Duration,
}

impl KeeperSeat {
    pub(crate) async fn start(
        &self,
        supervisor: ActorRef<SupervisorMessage>,
    ) -> Result<ActorRef<LeaseKeeperMessage>, SpawnErr> {
        let seat = self.clone();
        let spawned = self.runtime.spawn(async move {
            let cell = supervisor.get_cell();
            Actor::spawn_linked(None, LeaseKeeper, (seat, supervisor), cell).await
        });
        match spawned.await {
            Ok(result) => result.map(|(actor, _)| actor),
            Err(error) => Err(SpawnErr::StartupFailed(error.into())),
        }
    }
}

pub(crate) struct LeaseKeeperState {
    seat: KeeperSeat,
    supervisor: ActorRef<SupervisorMessage>,
    held: BTreeMap<PartitionId, Held>,
    next_renewal: Instant,
    acquires: bool,
    round_done: bool,
    /// Partitions that were given to others since the log was told.
    handed_over: usize,
    renewals: FailureLog,
    acquisitions: FailureLog,
}

struct Held {
    lease: Lease,
    tenure: Arc<Tenure>,
}

impl Actor for LeaseKeeper {
    type Msg = LeaseKeeperMessage;
    type State = LeaseKeeperState;
    type Arguments = (KeeperSeat, ActorRef<SupervisorMessage>);

    async fn pre_start(
        &self,
        myself: ActorRef<LeaseKeeperMessage>,
        (seat, supervisor): Self::Arguments,
    ) -> Result<LeaseKeeperState, ActorProcessingErr> {
        myself.cast(LeaseKeeperMessage::Tick)?;
        let every = ACQUIRE_EVERY.min(seat.ttl / 5).max(Duration::from_millis(1));
        myself.send_interval(every, || LeaseKeeperMessage::Tick);
        Ok(LeaseKeeperState {
            seat,
            supervisor,
            held: BTreeMap::new(),
            next_renewal: Instant::now(),
            acquires: true,
            round_done: false,
            handed_over: 0,
            renewals: FailureLog::new("renewing leases"),
            acquisitions: FailureLog::new("acquiring a partition"),
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<LeaseKeeperMessage>,
        message: LeaseKeeperMessage,
        state: &mut LeaseKeeperState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LeaseKeeperMessage::Tick => {
                state.renew().await?;
                state.acquire().await?;
            }
            LeaseKeeperMessage::Dropped(lease) => state.forget(&lease),
            LeaseKeeperMessage::Release(lease) => state.release(lease).await,
            LeaseKeeperMessage::StopAcquiring => state.acquires = false,
            LeaseKeeperMessage::Settle(reply) => {
                let partitions = std::mem::take(&mut state.handed_over);
                if partitions > 0 {
                    tracing::info!(partitions, "partitions handed over");
                }
                // Whoever asked may have stopped to wait.
                let _ = reply.send(());
            }
        }
        Ok(())
    }
}

impl LeaseKeeperState {
    /// Longest wait for one request: renewals must come often enough.
    fn patience(&self) -> Duration {
        (self.seat.ttl / 5).max(Duration::from_millis(1))
    }

    async fn renew(&mut self) -> Result<(), ActorProcessingErr> {
        let asked_at = Instant::now();
        if asked_at < self.next_renewal || self.held.is_empty() {
            return self.drop_expired();
        }
        let leases: Vec<_> = self.held.values().map(|held| held.lease).collect();
        let renewal = self.seat.storage.renew(&leases, self.seat.ttl);
        match timeout(self.patience(), renewal).await {
            Ok(Ok(lost)) => {
                self.renewals.worked();
                self.next_renewal = asked_at + self.seat.ttl / 5;
                for lease in lost {
                    tracing::warn!(partition = %lease.partition, "another node took the partition");
                    self.forget(&lease);
                    self.supervisor.cast(SupervisorMessage::LeaseLost(lease))?;
                }
                for held in self.held.values() {
                    held.tenure.renew(asked_at, self.seat.ttl);
                }
            }
            Ok(Err(error)) => self.renewals.failed(&error),
            Err(late) => self.renewals.failed(&late),
        }
        self.drop_expired()
    }

    /// Drops what was not renewed in time, before others may take it.
    fn drop_expired(&mut self) -> Result<(), ActorProcessingErr> {
        let expired: Vec<_> = self
            .held
            .values()
            .filter(|held| !held.tenure.is_live())
            .map(|held| held.lease)
            .collect();
        if !expired.is_empty() {
            tracing::error!(partitions = expired.len(), "leases were not renewed in time");
        }
        for lease in expired {
            tracing::debug!(partition = %lease.partition, "lease was not renewed in time");
            self.forget(&lease);
            self.supervisor.cast(SupervisorMessage::LeaseLost(lease))?;
        }
        Ok(())
    }

    async fn acquire(&mut self) -> Result<(), ActorProcessingErr> {
        let partitions = self.seat.storage.partitions();
        let missing: BTreeSet<_> =
            (0..partitions).map(PartitionId).filter(|id| !self.held.contains_key(id)).collect();
        for partition in missing {
            // Many acquisitions one after the other must not cost what is held already.
            self.renew().await?;
            if !self.acquires || self.held.len() >= share(partitions) {
                break;
            }
            let asked_at = Instant::now();
            let acquisition = self.seat.storage.acquire(partition, &self.seat.node, self.seat.ttl);
            match timeout(self.patience(), acquisition).await {
                Ok(Ok(Acquisition::Acquired { lease, last_commit })) => {
                    self.acquisitions.worked();
                    let tenure = Arc::new(Tenure::granted(asked_at, self.seat.ttl));
                    let held = Held { lease, tenure: Arc::clone(&tenure) };
                    self.held.insert(partition, held);
                    let acquired = SupervisorMessage::LeaseAcquired { lease, last_commit, tenure };
                    self.supervisor.cast(acquired)?;
                }
                Ok(Ok(Acquisition::Held { .. })) => self.acquisitions.worked(),
                Ok(Err(error)) => {
                    tracing::debug!(%partition, %error, "cannot acquire a partition");
                    self.acquisitions.failed(&error);
                    return Ok(());
                }
                // It may be ours by now; acquiring it again makes that sure.
                Err(_) => return Ok(()),
            }
        }
        if !self.round_done {
            self.round_done = true;
            self.supervisor.cast(SupervisorMessage::RoundDone)?;
        }
        Ok(())
    }

    fn forget(&mut self, lease: &Lease) {
        if self.held.get(&lease.partition).is_some_and(|held| held.lease == *lease) {
            self.held.remove(&lease.partition);
        }
    }

    async fn release(&mut self, lease: Lease) {
        self.forget(&lease);
        match timeout(self.patience(), self.seat.storage.release(&lease)).await {
            Ok(Ok(())) => {
                tracing::debug!(partition = %lease.partition, "partition handed over");
                self.handed_over += 1;
            }
            Ok(Err(error)) => {
                tracing::warn!(partition = %lease.partition, %error, "cannot release; the lease expires");
            }
            Err(_) => {
                tracing::warn!(partition = %lease.partition, "releasing takes too long; the lease expires");
            }
        }
    }
}

/// How many partitions this node may hold: all of them, whoever comes first.
fn share(partitions: u16) -> usize {
    usize::from(partitions)
}
