//! Keeping leases: on a thread of its own, so that no other work delays a renewal.
//!
//! ```text
//!  renew what is held ──► announce the node ──► give up what is too much ──► ask for what is missing
//!                              │                     │                            │
//!                         Membership             Share::surplus                 Asking
//! ```
//!
//! A partition that is given up is drained by its owner like in a hand-over of the whole node:
//! nothing of it is begun any more, the owner writes what it decided, and then the lease is
//! released. All others go on meanwhile. The owner shares its OS thread with all that runs, so it
//! may be long in coming; what is not drained by the time is released all the same, which costs
//! no more than a crash would.
//!
//! Not here: what keeps two owners of a partition apart. That is the token in every commit;
//! whatever goes wrong here costs time, and never a second effect.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SpawnErr};
use rethread_core::ids::{NodeId, PartitionId};
use rethread_storage::{Acquisition, Lease, Storage, StorageError};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::asking::Asking;
use crate::failure_log::FailureLog;
use crate::membership::Membership;
use crate::releases::Releases;
use crate::stats::{Stats, count};
use crate::supervisor::SupervisorMessage;
use crate::tenure::{LEAVING_WRITES_MAX, Tenure};

/// Partitions that are being given up at the same time: the threads of all others are not
/// disturbed.
const LEAVING_MAX: usize = 4;
/// How long an owner may take to drain before its partition is released without that.
const LEAVING_FOR: Duration = Duration::from_millis(200);
/// Longest wait before a renewal that failed is repeated.
const RENEW_AGAIN: Duration = Duration::from_millis(100);

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
    /// A release came to an end; whether it was done.
    Released(bool),
    /// Acquire nothing more, let nothing more be begun, and tell the others to take what becomes
    /// free.
    SignOff,
    /// Answer when all that was to be released before this is.
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
    /// Turns true when the node is told to stop: the keeper need not wait until the supervisor,
    /// behind all that runs beside it, has its turn.
    pub(crate) closing: watch::Receiver<bool>,
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
    closing: JoinHandle<()>,
    signed_off: bool,
    releases: Releases,
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
    /// When it is released at the latest, if it is being given up.
    leaves_by: Option<Instant>,
}

impl Held {
    /// Lets nothing of the partition be begun any more.
    fn leave(&mut self) {
        self.tenure.leave(LEAVING_WRITES_MAX);
        self.leaves_by.get_or_insert_with(|| Instant::now() + LEAVING_FOR);
    }
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
        let (mut closing, keeper) = (seat.closing.clone(), myself);
        let closing = tokio::spawn(async move {
            // A node that is dropped ends like in a crash.
            if closing.wait_for(|closing| *closing).await.is_ok() {
                drop(keeper.cast(LeaseKeeperMessage::SignOff));
            }
        });
        let now = Instant::now();
        let storage = Arc::clone(&seat.storage);
        Ok(LeaseKeeperState {
            membership: Membership::new(storage, seat.node.clone(), seat.ttl, now),
            asking: Asking::new(seat.ttl, now),
            releases: Releases::new(Arc::clone(&seat.storage), patience(seat.ttl)),
            seat,
            supervisor,
            held: BTreeMap::new(),
            acquired: 0,
            next_renewal: now,
            timer: None,
            closing,
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
            LeaseKeeperMessage::Tick => state.tick(&myself).await?,
            LeaseKeeperMessage::Dropped(lease) => state.dropped(&myself, lease),
            LeaseKeeperMessage::Release(lease) => state.release(&myself, lease),
            LeaseKeeperMessage::Released(is_done) => state.released(is_done)?,
            LeaseKeeperMessage::SignOff => state.sign_off().await,
            LeaseKeeperMessage::Settle(reply) => state.releases.wait(reply),
        }
        state.settle();
        state.arm_timer(&myself);
        Ok(())
    }
}

impl LeaseKeeperState {
    fn patience(&self) -> Duration {
        patience(self.seat.ttl)
    }

    async fn tick(
        &mut self,
        myself: &ActorRef<LeaseKeeperMessage>,
    ) -> Result<(), ActorProcessingErr> {
        self.release_overdue(myself)?;
        if !self.renew(myself).await? {
            // Who cannot keep what is held asks for nothing more.
            return Ok(());
        }
        if self.membership.announce().await {
            self.asking.changed(Instant::now());
        }
        self.give_up()?;
        self.acquire(myself).await
    }

    /// When there is something to do without mail.
    fn next_due(&self) -> Option<Instant> {
        let renewal = (!self.held.is_empty()).then_some(self.next_renewal);
        let asking = self.wanted().map(|partition| self.asking.due(partition)).min();
        let leaving = self.held.values().filter_map(|held| held.leaves_by).min();
        [renewal, self.membership.due(), asking, leaving].into_iter().flatten().min()
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

    /// Renews what is held if that is due, and releases what was to be released meanwhile; says
    /// whether nothing failed.
    async fn renew(
        &mut self,
        myself: &ActorRef<LeaseKeeperMessage>,
    ) -> Result<bool, ActorProcessingErr> {
        let is_due = self.next_renewal <= Instant::now() && !self.held.is_empty();
        let renewed = !is_due || self.renew_now().await?;
        self.drop_expired()?;
        // A storage that is slow must not hold up who waits for a partition.
        self.release_overdue(myself)?;
        Ok(renewed)
    }

    async fn renew_now(&mut self) -> Result<bool, ActorProcessingErr> {
        let asked_at = Instant::now();
        let leases: Vec<_> = self.held.values().map(|held| held.lease).collect();
        let renewal = self.seat.storage.renew(&leases, self.seat.ttl);
        Ok(match timeout(self.patience(), renewal).await {
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
        })
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
            .filter(|held| held.leaves_by.is_none() && !held.tenure.is_live())
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
            by_age.into_iter().map(|(id, held)| (*id, held.leaves_by.is_some())).collect();
        for partition in share.surplus(&by_age, LEAVING_MAX) {
            if let Some(held) = self.held.get_mut(&partition) {
                held.leave();
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

    async fn acquire(
        &mut self,
        myself: &ActorRef<LeaseKeeperMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let mut wanted: Vec<_> = self.wanted().collect();
        // Those that were asked for last come last: whatever fails on the way, each has its turn.
        wanted.sort_by_key(|partition| self.asking.next(*partition));
        for partition in wanted {
            // Many acquisitions one after the other must not cost what is held already.
            if !self.renew(myself).await? {
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
                    if matches!(error, StorageError::RolledBack { .. }) {
                        count(&self.seat.stats.rollbacks);
                        tracing::warn!(%partition, %error, "storage rolled back");
                    } else {
                        tracing::debug!(%partition, %error, "cannot acquire a partition");
                    }
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
            Held { lease, tenure: Arc::clone(&tenure), number: self.acquired, leaves_by: None };
        self.held.insert(lease.partition, held);
        self.supervisor.cast(SupervisorMessage::LeaseAcquired { lease, last_commit, tenure })?;
        Ok(())
    }

    fn held(&self, lease: &Lease) -> Option<&Held> {
        self.held.get(&lease.partition).filter(|held| held.lease == *lease)
    }

    fn forget(&mut self, lease: &Lease) -> Option<Held> {
        self.held(lease)?;
        self.held.remove(&lease.partition)
    }

    // --- leaving -------------------------------------------------------------------------------

    async fn sign_off(&mut self) {
        self.held.values_mut().for_each(Held::leave);
        // Told by the node, and by its supervisor.
        if !std::mem::replace(&mut self.signed_off, true) {
            self.membership.sign_off().await;
        }
    }

    /// An owner ended by itself.
    fn dropped(&mut self, myself: &ActorRef<LeaseKeeperMessage>, lease: Lease) {
        if self.held(&lease).is_some_and(|held| held.leaves_by.is_some()) {
            self.release(myself, lease);
        } else if self.forget(&lease).is_some() {
            self.asking.ended(lease.partition, Instant::now());
        }
    }

    /// Releases what should have been drained by now.
    fn release_overdue(
        &mut self,
        myself: &ActorRef<LeaseKeeperMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        let is_overdue = |held: &&Held| held.leaves_by.is_some_and(|leaves_by| leaves_by <= now);
        let overdue: Vec<_> = self.held.values().filter(is_overdue).map(|it| it.lease).collect();
        for lease in overdue {
            tracing::debug!(partition = %lease.partition, "partition is released undrained");
            self.release(myself, lease);
            self.supervisor.cast(SupervisorMessage::LeaseLost(lease))?;
        }
        Ok(())
    }

    /// Begins to release: renewals do not wait for it.
    fn release(&mut self, myself: &ActorRef<LeaseKeeperMessage>, lease: Lease) {
        let was_held = self.forget(&lease).is_some();
        let myself = myself.clone();
        self.releases.begin(lease, move |is_done| {
            // A keeper that is gone counts nothing.
            drop(myself.cast(LeaseKeeperMessage::Released(is_done && was_held)));
        });
    }

    fn released(&mut self, is_done: bool) -> Result<(), ActorProcessingErr> {
        self.releases.ended();
        match (is_done, self.signed_off) {
            (true, true) => self.handed_over += 1,
            (true, false) => count(&self.seat.stats.partitions_released),
            (false, _) => {}
        }
        self.give_up()
    }

    fn settle(&mut self) {
        let Some(reply) = self.releases.take_waiting() else { return };
        let partitions = std::mem::take(&mut self.handed_over);
        if partitions > 0 {
            tracing::info!(partitions, "partitions handed over");
        }
        // Whoever asked may have stopped to wait.
        let _ = reply.send(());
    }
}

/// Longest wait for one request: renewals must come often enough.
fn patience(ttl: Duration) -> Duration {
    (ttl / 5).max(Duration::from_millis(1))
}

impl Drop for LeaseKeeperState {
    fn drop(&mut self) {
        self.closing.abort();
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
    }
}
