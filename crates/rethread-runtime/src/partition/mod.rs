//! The owner of one partition: routes its messages to the coordinators of its threads, and
//! writes what they decide, one commit after the other.
//!
//! ```text
//!  inbox ──► route ──► Coordinator ──► Turned ──► Outbox ──► commit ──► consumed
//!              │  (loaded on demand)                 ▲
//!              └── cannot be loaded: refused, held ──┘
//! ```
//!
//! What a turn asks for beside the write (orders excepted, which are part of it) follows the
//! commit: mail to workers, and jobs that take I/O, whose outcomes go back to the coordinator.
//!
//! A message is consumed by the commit that holds everything that came of it, so a crash at any
//! point leaves it in the inbox or its effects in the storage.

mod audit;
mod consumption;
mod dead_letters;
mod flush;
mod jobs;
mod load;
mod mail;
mod newcomers;
mod outbox;
mod quarantine;
mod slot;
mod sweep;
mod takeover;
mod threads;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use rethread_core::ids::{Millis, PartitionId, ThreadKey};
use rethread_storage::{InboxItem, Lease};
use tokio::task::JoinHandle;

use crate::coordinator::{InFlightAnswer, Left, Turned};
use crate::engine::Engine;
use crate::stats::count;
use crate::supervisor::SupervisorMessage;
use crate::tenure::{LEAVING_WRITES_MAX, Tenure};
use consumption::Consumption;
use flush::Flushed;
use jobs::Done;
use load::Loaded;
use mail::Postman;
use newcomers::{Newcomers, Workers};
use outbox::Outbox;
use slot::Slot;
use sweep::{Searched, Sweep};
use takeover::Scan;

/// Shortest time between two looks for idle threads.
const SWEEP_MIN: Duration = Duration::from_millis(100);

/// Owns one partition for as long as its lease is ours.
#[derive(Debug)]
pub(crate) struct PartitionOwner;

/// Mail of a [`PartitionOwner`].
#[derive(Debug)]
pub(crate) enum OwnerMessage {
    /// What is stored of the partition has been read.
    Scanned(Scan),
    /// Messages of the inbox, in order.
    Inbox(Vec<InboxItem>),
    /// A thread has been read.
    Loaded(Loaded),
    /// A coordinator decided something.
    Turned(Vec<Turned>),
    /// A coordinator gave up its memory and ended.
    Left(Left),
    /// A coordinator would lose more than memory, so it stays.
    Stays {
        /// Its thread.
        thread: ThreadKey,
        /// The coordinator.
        actor: ActorId,
    },
    /// A coordinator ended otherwise; everything it sent stands before this.
    CoordinatorEnded {
        /// Its thread.
        thread: ThreadKey,
        /// The coordinator.
        actor: ActorId,
        /// Why, for the log.
        reason: String,
    },
    /// Load a thread again whose coordinator failed.
    LoadAgain(ThreadKey),
    /// Write what waits to be written.
    Flush,
    /// A commit came to an end.
    Flushed(Flushed),
    /// A job of a thread is done.
    Done(Done),
    /// Threads that are not in memory may be due.
    Due,
    /// The storage has lost commits that it acknowledged.
    RolledBack,
    /// Look for idle threads.
    Sweep,
    /// Look for calls whose orders are lost.
    LookForLost,
    /// What a coordinator has in flight.
    ToldInFlight(InFlightAnswer),
    /// Queues and inbox have been read.
    Searched(Searched),
    /// The workers have been listed.
    Workers(Workers),
    /// Take and decide nothing more, write what was decided, and answer.
    Drain(RpcReplyPort<()>),
}

/// What an owner is started with.
#[derive(Debug)]
pub(crate) struct OwnerArguments {
    pub(crate) engine: Arc<Engine>,
    pub(crate) supervisor: ActorRef<SupervisorMessage>,
    pub(crate) lease: Lease,
    /// Number of the last commit of the partition.
    pub(crate) last_commit: u64,
    pub(crate) tenure: Arc<Tenure>,
}

pub(crate) struct OwnerState {
    engine: Arc<Engine>,
    supervisor: ActorRef<SupervisorMessage>,
    myself: ActorRef<OwnerMessage>,
    lease: Lease,
    tenure: Arc<Tenure>,
    last_commit: u64,
    slots: BTreeMap<ThreadKey, Slot>,
    coordinators: HashMap<ActorId, ThreadKey>,
    consumption: Consumption,
    outbox: Outbox,
    postman: Postman,
    sweep: Sweep,
    newcomers: Newcomers,
    is_flushing: bool,
    /// Whether a [`OwnerMessage::Flush`] is in the mailbox.
    flush_is_asked: bool,
    /// Whether queues and inbox held what only a newer version can read when the partition was
    /// taken over.
    in_doubt: bool,
    /// When threads that are not in memory are due.
    due: BTreeSet<(Millis, ThreadKey)>,
    due_timer: Option<JoinHandle<()>>,
    draining: Option<RpcReplyPort<()>>,
    /// Nothing is written any more: the partition is not ours, or its state is in doubt.
    is_over: bool,
}

impl Actor for PartitionOwner {
    type Msg = OwnerMessage;
    type State = OwnerState;
    type Arguments = OwnerArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<OwnerMessage>,
        arguments: OwnerArguments,
    ) -> Result<OwnerState, ActorProcessingErr> {
        let OwnerArguments { engine, supervisor, lease, last_commit, tenure } = arguments;
        let scan = takeover::scan_and_send(
            Arc::clone(&engine),
            Arc::clone(&tenure),
            lease.partition,
            myself.clone(),
        );
        tokio::spawn(scan);
        let evict_after = engine.evict_after;
        if !evict_after.is_zero() {
            myself.send_interval((evict_after / 4).max(SWEEP_MIN), || OwnerMessage::Sweep);
        }
        let postman = Postman::new(Arc::clone(&engine.storage));
        let partitions = engine.storage.partitions();
        let sweep = Sweep::new(engine.sweep_every, lease.partition, partitions, &myself);
        Ok(OwnerState {
            engine,
            supervisor,
            myself,
            lease,
            tenure,
            last_commit,
            slots: BTreeMap::new(),
            coordinators: HashMap::new(),
            consumption: Consumption::default(),
            outbox: Outbox::default(),
            postman,
            sweep,
            newcomers: Newcomers::default(),
            is_flushing: false,
            flush_is_asked: false,
            in_doubt: false,
            due: BTreeSet::new(),
            due_timer: None,
            draining: None,
            is_over: false,
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<OwnerMessage>,
        message: OwnerMessage,
        state: &mut OwnerState,
    ) -> Result<(), ActorProcessingErr> {
        if state.is_over {
            return Ok(());
        }
        match message {
            OwnerMessage::Scanned(scan) => state.take_over(scan)?,
            OwnerMessage::Inbox(items) => state.route(items),
            OwnerMessage::Loaded(loaded) => state.loaded(loaded)?,
            OwnerMessage::Turned(turns) => state.turned(turns),
            OwnerMessage::Left(left) => state.left(left),
            OwnerMessage::Stays { thread, actor } => state.stays(thread, actor),
            OwnerMessage::CoordinatorEnded { thread, actor, reason } => {
                state.coordinator_ended(thread, actor, &reason);
            }
            OwnerMessage::LoadAgain(thread) => state.load_again(thread),
            OwnerMessage::Flush => state.flush(),
            OwnerMessage::Flushed(flushed) => state.flushed(flushed),
            OwnerMessage::Done(done) => state.job_done(done),
            OwnerMessage::Due => state.wake_due(),
            OwnerMessage::RolledBack => state.give_up("storage rolled back"),
            OwnerMessage::Sweep => state.sweep(),
            OwnerMessage::LookForLost => state.look_for_lost(),
            OwnerMessage::ToldInFlight(answer) => state.told_in_flight(answer),
            OwnerMessage::Searched(searched) => state.searched(searched),
            OwnerMessage::Workers(workers) => state.workers_listed(workers),
            OwnerMessage::Drain(reply) => state.drain(reply),
        }
        state.end_drain_if_quiet();
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<OwnerMessage>,
        event: SupervisionEvent,
        state: &mut OwnerState,
    ) -> Result<(), ActorProcessingErr> {
        let (actor, reason) = match event {
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                (cell.get_id(), reason.unwrap_or_else(|| "stopped".into()))
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                count(&state.engine.stats.coordinator_failures);
                (cell.get_id(), error.to_string())
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        // News of a child overtake what the child has sent. Behind the mailbox they stand in
        // order.
        if let Some(thread) = state.coordinators.remove(&actor) {
            myself.cast(OwnerMessage::CoordinatorEnded { thread, actor, reason })?;
        }
        Ok(())
    }
}

impl OwnerState {
    fn partition(&self) -> PartitionId {
        self.lease.partition
    }

    fn take_over(&mut self, scan: Scan) -> Result<(), ActorProcessingErr> {
        let now = self.engine.clock.now();
        let Scan { mut in_flight, in_doubt, active } = scan;
        self.in_doubt = in_doubt;
        if in_doubt {
            tracing::warn!(
                partition = %self.partition(),
                "the partition holds orders or messages of a newer version: calls that may be in progress wait for a coordinator of that version"
            );
        }
        tracing::debug!(
            partition = %self.partition(),
            epoch = self.lease.token.epoch,
            active = active.len(),
            "partition taken over"
        );
        for (thread, due) in active {
            let calls = in_flight.remove(&thread).unwrap_or_default();
            self.slots.insert(thread, Slot::away(calls, in_doubt));
            if due <= now {
                self.want(thread);
            } else {
                self.due.insert((due, thread));
            }
        }
        // Parked threads too: a message that brings them into memory must not let them dispatch a
        // call whose order is still out.
        for (thread, calls) in in_flight {
            self.slots.insert(thread, Slot::away(calls, in_doubt));
        }
        self.arm_due_timer();
        self.engine.feeds.register(&self.lease, self.myself.clone());
        self.supervisor.cast(SupervisorMessage::TakenOver(self.lease))?;
        Ok(())
    }

    /// Stops to write, for good. Coordinators end with their owner.
    fn give_up(&mut self, reason: &str) {
        self.is_over = true;
        self.engine.feeds.unregister(&self.lease);
        tracing::warn!(
            partition = %self.partition(),
            epoch = self.lease.token.epoch,
            reason,
            "partition dropped"
        );
        self.myself.stop(Some(reason.to_owned()));
    }

    /// Whether the partition is given to others, so that nothing is begun any more.
    fn is_leaving(&self) -> bool {
        self.tenure.is_left()
    }

    /// Ends as soon as what was decided is written. What coordinators have not decided by now the
    /// next owner decides: it finds their messages in the inbox. They end with this owner.
    fn drain(&mut self, reply: RpcReplyPort<()>) {
        self.engine.feeds.unregister(&self.lease);
        self.tenure.leave(LEAVING_WRITES_MAX);
        self.draining = Some(reply);
        self.coordinators.clear();
    }

    fn end_drain_if_quiet(&mut self) {
        let is_written =
            self.outbox.is_empty() && !self.consumption.is_pending() && !self.is_flushing;
        if self.draining.is_none() || !is_written || self.is_over {
            return;
        }
        self.is_over = true;
        if let Some(reply) = self.draining.take() {
            // Whoever asked may have stopped to wait.
            let _ = reply.send(());
        }
        self.myself.stop(Some("drained".into()));
    }
}

impl Drop for OwnerState {
    fn drop(&mut self) {
        if let Some(timer) = self.due_timer.take() {
            timer.abort();
        }
    }
}
