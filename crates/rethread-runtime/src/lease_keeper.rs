//! Keeping leases: on a thread of its own, so that no other work delays a renewal.
//!
//! ```text
//!  renew what is held ──► announce the node ──► give up what is too much ──► ask for what is missing
//!                              │                     │                            │
//!                         Membership             Share::surplus                 Asking
//! ```
//!
//! A partition that is given up is drained by its owner like in a hand-over of the whole node:
//! the owner writes what it decided, and then the lease is released. All others go on meanwhile.
//!
//! Not here: what keeps two owners of a partition apart. That is the token in every commit;
//! whatever goes wrong here costs time, and never a second effect.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use rethread_core::ids::{NodeId, PartitionId};
use rethread_storage::{Acquisition, Lease, Storage};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::asking::Asking;
use crate::failure_log::FailureLog;
use crate::membership::Membership;
use crate::stats::{Stats, count};
use crate::supervisor::SupervisorMessage;
use crate::tenure::Tenure;

/// Partitions that are being given up at the same time: the threads of all others are not
/// disturbed.
const LEAVING_MAX: usize = 4;
/// Longest wait before a renewal that failed is repeated.
const RENEW_AGAIN: Duration = Duration::from_millis(100);
/// How often a release is tried before the lease is left to run out.
const RELEASE_TRIES: u32 = 3;
/// Wait before a release that failed is repeated.
const RELEASE_AGAIN: Duration = Duration::from_millis(20);

/// Acquires partitions, renews their leases, and gives up what is more than this node's part.
///
/// Its handlers wait for the storage: it has nothing else to do, and every wait is bounded.
#[derive(Debug)]
pub(crate) struct LeaseKeeper;

/// Mail of a [`LeaseKeeper`].
#[derive(Debug)]
pub(crate) enum LeaseKeeperMessage {
    /// Do what is due.
    Tick,
    /// The owner of this lease ended by itself: acquire the partition anew.
    Dropped(Lease),
    /// Give the partition to others.
    Release(Lease),
    /// Acquire nothing more, and tell the others to take what becomes free.
    SignOff,
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
    pub(crate) stats: Arc<Stats>,
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
    /// Acquisitions so far.
    acquired: u64,
    next_renewal: Instant,
    membership: Membership,
    asking: Asking,
    /// The tick to come.
    timer: Option<(Instant, JoinHandle<()>)>,
    signed_off: bool,
    round_done: bool,
    /// Partitions that were given to others since it signed off.
    handed_over: usize,
    renewals: FailureLog,
    acquisitions: FailureLog,
}

struct Held {
    lease: Lease,
    tenure: Arc<Tenure>,
    /// Which acquisition it was.
    number: u64,
    /// Whether its owner is asked to give it up.
    is_leaving: bool,
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
        let now = Instant::now();
        let storage = Arc::clone(&seat.storage);
        Ok(LeaseKeeperState {
            membership: Membership::new(storage, seat.node.clone(), seat.ttl, now),
            asking: Asking::new(seat.ttl, now),
            seat,
            supervisor,
            held: BTreeMap::new(),
            acquired: 0,
            next_renewal: now,
            timer: None,
            signed_off: false,
            round_done: false,
            handed_over: 0,
            renewals: FailureLog::new("renewing leases"),
            acquisitions: FailureLog::new("acquiring a partition"),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<LeaseKeeperMessage>,
        message: LeaseKeeperMessage,
        state: &mut LeaseKeeperState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LeaseKeeperMessage::Tick => state.tick().await?,
            LeaseKeeperMessage::Dropped(lease) => {
                if state.forget(&lease).is_some() {
                    state.asking.ended(lease.partition, Instant::now());
                }
            }
            LeaseKeeperMessage::Release(lease) => {
                state.release(lease).await;
                state.give_up()?;
            }
            LeaseKeeperMessage::SignOff => {
                state.signed_off = true;
                state.membership.sign_off().await;
            }
            LeaseKeeperMessage::Settle(reply) => {
                let partitions = std::mem::take(&mut state.handed_over);
                if partitions > 0 {
                    tracing::info!(partitions, "partitions handed over");
                }
                // Whoever asked may have stopped to wait.
                let _ = reply.send(());
            }
        }
        state.arm_timer(&myself);
        Ok(())
    }
}

impl LeaseKeeperState {
    /// Longest wait for one request: renewals must come often enough.
    fn patience(&self) -> Duration {
        (self.seat.ttl / 5).max(Duration::from_millis(1))
    }

    async fn tick(&mut self) -> Result<(), ActorProcessingErr> {
        if !self.renew().await? {
            // Who cannot keep what is held asks for nothing more.
            return Ok(());
        }
        if self.membership.announce().await {
            self.asking.changed(Instant::now());
        }
        self.give_up()?;
        self.acquire().await
    }

    /// When there is something to do without mail.
    fn next_due(&self) -> Option<Instant> {
        let renewal = (!self.held.is_empty()).then_some(self.next_renewal);
        let asking = self.wanted().map(|partition| self.asking.due(partition)).min();
        [renewal, self.membership.due(), asking].into_iter().flatten().min()
    }

    fn arm_timer(&mut self, myself: &ActorRef<LeaseKeeperMessage>) {
        let due = self.next_due();
        let armed = self.timer.as_ref().filter(|(_, timer)| !timer.is_finished());
        if armed.map(|(at, _)| *at) == due {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
        let Some(due) = due else { return };
        let myself = myself.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            // A keeper that is gone has nothing to do.
            drop(myself.cast(LeaseKeeperMessage::Tick));
        });
        self.timer = Some((due, timer));
    }

    // --- keeping -------------------------------------------------------------------------------

    /// Renews what is held if that is due; says whether nothing failed.
    async fn renew(&mut self) -> Result<bool, ActorProcessingErr> {
        let asked_at = Instant::now();
        if asked_at < self.next_renewal || self.held.is_empty() {
            self.drop_expired()?;
            return Ok(true);
        }
        let leases: Vec<_> = self.held.values().map(|held| held.lease).collect();
        let renewal = self.seat.storage.renew(&leases, self.seat.ttl);
        let renewed = match timeout(self.patience(), renewal).await {
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
                true
            }
            Ok(Err(error)) => self.renewal_failed(&error),
            Err(late) => self.renewal_failed(&late),
        };
        self.drop_expired()?;
        Ok(renewed)
    }

    fn renewal_failed(&mut self, error: &dyn std::fmt::Display) -> bool {
        count(&self.seat.stats.lease_renewal_failures);
        self.renewals.failed(error);
        self.next_renewal = Instant::now() + RENEW_AGAIN.min(self.patience());
        false
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

    // --- sharing -------------------------------------------------------------------------------

    /// Asks the owners of what is more than this node's part to give it up, a few at a time.
    fn give_up(&mut self) -> Result<(), ActorProcessingErr> {
        let Some(share) = self.membership.share().filter(|_| !self.signed_off) else {
            return Ok(());
        };
        let mut by_age: Vec<_> = self.held.iter().collect();
        by_age.sort_by_key(|(_, held)| held.number);
        let by_age: Vec<_> =
            by_age.into_iter().map(|(partition, held)| (*partition, held.is_leaving)).collect();
        for partition in share.surplus(&by_age, LEAVING_MAX) {
            if let Some(held) = self.held.get_mut(&partition) {
                held.is_leaving = true;
                self.supervisor.cast(SupervisorMessage::GiveUp(held.lease))?;
            }
        }
        Ok(())
    }

    /// The partitions that this node would take, in the order in which it asks for them.
    fn wanted(&self) -> impl Iterator<Item = PartitionId> {
        let share = self.membership.share_to_take(Instant::now());
        let share = share.filter(|share| share.room(self.held.len()) > 0);
        let partitions = self.seat.storage.partitions();
        let all = share.into_iter().flat_map(move |share| share.order_of_asking(partitions));
        all.filter(|partition| !self.held.contains_key(partition))
    }

    async fn acquire(&mut self) -> Result<(), ActorProcessingErr> {
        let mut wanted: Vec<_> = self.wanted().collect();
        // Those that were asked for last come last: whatever fails on the way, each has its turn.
        wanted.sort_by_key(|partition| self.asking.next(*partition));
        for partition in wanted {
            // Many acquisitions one after the other must not cost what is held already.
            if !self.renew().await? {
                return Ok(());
            }
            let asked_at = Instant::now();
            let share = self.membership.share_to_take(asked_at);
            if share.is_none_or(|share| share.room(self.held.len()) == 0) {
                break;
            }
            if !self.asking.is_due(partition, asked_at) {
                continue;
            }
            let acquisition = self.seat.storage.acquire(partition, &self.seat.node, self.seat.ttl);
            match timeout(self.patience(), acquisition).await {
                Ok(Ok(Acquisition::Acquired { lease, last_commit })) => {
                    self.acquisitions.worked();
                    self.acquired(asked_at, lease, last_commit)?;
                }
                Ok(Ok(Acquisition::Held { by: _, expires_in_ms })) => {
                    self.acquisitions.worked();
                    let expires_in = Duration::from_millis(expires_in_ms);
                    self.asking.is_held(partition, Instant::now(), expires_in);
                }
                Ok(Err(error)) => {
                    tracing::debug!(%partition, %error, "cannot acquire a partition");
                    self.acquisitions.failed(&error);
                    self.asking.failed(Instant::now());
                    return Ok(());
                }
                // It may be ours by now; acquiring it again makes that sure.
                Err(late) => {
                    self.acquisitions.failed(&late);
                    self.asking.failed(Instant::now());
                    return Ok(());
                }
            }
        }
        if !self.round_done && self.membership.share().is_some() {
            self.round_done = true;
            self.supervisor.cast(SupervisorMessage::RoundDone)?;
        }
        Ok(())
    }

    fn acquired(
        &mut self,
        asked_at: Instant,
        lease: Lease,
        last_commit: u64,
    ) -> Result<(), ActorProcessingErr> {
        self.acquired += 1;
        let tenure = Arc::new(Tenure::granted(asked_at, self.seat.ttl));
        let held =
            Held { lease, tenure: Arc::clone(&tenure), number: self.acquired, is_leaving: false };
        self.held.insert(lease.partition, held);
        self.supervisor.cast(SupervisorMessage::LeaseAcquired { lease, last_commit, tenure })?;
        Ok(())
    }

    fn forget(&mut self, lease: &Lease) -> Option<Held> {
        let is_held = self.held.get(&lease.partition).is_some_and(|held| held.lease == *lease);
        if is_held { self.held.remove(&lease.partition) } else { None }
    }

    async fn release(&mut self, lease: Lease) {
        let is_shared = self.forget(&lease).is_some_and(|held| held.is_leaving);
        for attempt in 1..=RELEASE_TRIES {
            let reason = match timeout(self.patience(), self.seat.storage.release(&lease)).await {
                Ok(Ok(())) => {
                    tracing::debug!(partition = %lease.partition, "partition handed over");
                    if self.signed_off {
                        self.handed_over += 1;
                    } else if is_shared {
                        count(&self.seat.stats.partitions_released);
                    }
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(late) => late.to_string(),
            };
            let partition = lease.partition;
            if attempt < RELEASE_TRIES {
                tracing::debug!(%partition, attempt, reason, "cannot release, trying again");
                tokio::time::sleep(RELEASE_AGAIN).await;
            } else {
                tracing::warn!(%partition, reason, "cannot release a partition; its lease expires");
            }
        }
    }
}

impl Drop for LeaseKeeperState {
    fn drop(&mut self) {
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
    }
}
