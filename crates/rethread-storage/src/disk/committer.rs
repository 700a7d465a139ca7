//! The one thread that writes: it takes everything that waits, writes it as one group, makes it
//! durable, and only then lets anybody see it.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fjall::PersistMode;
use rethread_core::ids::{Millis, NodeId, OpId, PartitionId, RunId, ThreadKey};
use tokio::sync::oneshot;

use super::group::Group;
use super::room::{Room, Verdict};
use super::shelf::ShelfWrite;
use super::sweep::{SweepError, Sweeper};
use super::tables::Tables;
use super::unwritten::Unwritten;
use crate::live::{Begun, Counted, Live, OrderId};
use crate::memory::fresh_nonce;
use crate::wake::{Wakes, lock};
use crate::{
    Acquisition, Activity, Clock, Commit, DeadLetterId, QueuedOrder, Result, StorageError,
};

/// Most requests in one group; keeps the wait of the first one short.
const GROUP_REQUESTS_MAX: usize = 1_000;

/// How often the thread looks for something to sweep while nothing is written.
const IDLE_SWEEP: Duration = Duration::from_secs(30);

pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

/// A write that somebody waits for.
pub(super) enum Request {
    Acquire {
        partition: PartitionId,
        node: NodeId,
        ttl: Duration,
        reply: Reply<Acquisition>,
    },
    Submit {
        partition: PartitionId,
        op: OpId,
        message: Bytes,
        reply: Reply<()>,
    },
    Commit {
        commit: Box<Commit>,
        reply: Reply<()>,
    },
    /// Orders that end without a message.
    Forget {
        orders: Vec<(PartitionId, OrderId)>,
        reply: Reply<()>,
    },
    RemoveLetter {
        partition: PartitionId,
        id: DeadLetterId,
        reply: Reply<bool>,
    },
    /// Items of the store or entries of the cache. What is not durable waits for no sync.
    Shelve {
        write: ShelfWrite,
        is_durable: bool,
        reply: Reply<()>,
    },
    /// Nothing: says whether something new would be written.
    Check {
        reply: Reply<()>,
    },
    /// How often orders were fetched. Need not survive power loss, so it waits for no sync.
    Fetched {
        counts: Vec<Counted>,
        reply: Reply<()>,
    },
}

impl Request {
    /// Whether its answer waits until it is durable.
    fn needs_sync(&self) -> bool {
        !matches!(
            self,
            Self::Fetched { .. } | Self::Check { .. } | Self::Shelve { is_durable: false, .. }
        )
    }

    /// Whether it makes the storage grow by more than what was accepted before.
    fn is_new(&self) -> bool {
        match self {
            Self::Submit { .. } | Self::Check { .. } => true,
            Self::Shelve { write, .. } => write.is_new(),
            Self::Acquire { .. }
            | Self::Commit { .. }
            | Self::Forget { .. }
            | Self::RemoveLetter { .. }
            | Self::Fetched { .. } => false,
        }
    }

    fn refuse(self, error: StorageError) {
        // A caller that does not wait any more needs no answer, here and below.
        match self {
            Self::Acquire { reply, .. } => drop(reply.send(Err(error))),
            Self::RemoveLetter { reply, .. } => drop(reply.send(Err(error))),
            Self::Submit { reply, .. }
            | Self::Commit { reply, .. }
            | Self::Forget { reply, .. }
            | Self::Shelve { reply, .. }
            | Self::Check { reply }
            | Self::Fetched { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// A request that is decided: what happens once it is durable.
enum Decided {
    Acquired { answer: Acquisition, reply: Reply<Acquisition> },
    Submitted { delivery: Option<(PartitionId, u64, Bytes)>, reply: Reply<()> },
    Committed { applied: Applied, reply: Reply<()> },
    Removed { was_there: bool, reply: Reply<bool> },
    Done { reply: Reply<()> },
}

/// The visible part of a commit.
struct Applied {
    partition: PartitionId,
    now: Millis,
    first_order: OrderId,
    orders: Vec<QueuedOrder>,
    activities: Vec<(ThreadKey, Activity)>,
    runs: Vec<(RunId, bool)>,
}

impl Decided {
    fn refuse(self, error: StorageError) {
        match self {
            Self::Acquired { reply, .. } => drop(reply.send(Err(error))),
            Self::Removed { reply, .. } => drop(reply.send(Err(error))),
            Self::Submitted { reply, .. }
            | Self::Committed { reply, .. }
            | Self::Done { reply } => drop(reply.send(Err(error))),
        }
    }
}

/// The thread's state.
pub(super) struct Committer {
    pub(super) tables: Arc<Tables>,
    pub(super) live: Arc<Mutex<Live>>,
    pub(super) wakes: Arc<Wakes>,
    pub(super) clock: Clock,
    pub(super) mode: PersistMode,
    pub(super) event_retention_ms: u64,
    pub(super) sweeper: Sweeper,
    pub(super) room: Room,
    /// Set for good when a write failed: memory is then ahead of what is stored. What writes are
    /// refused with from then on.
    pub(super) failure: Option<StorageError>,
}

impl Committer {
    /// Serves requests until all senders are gone.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        loop {
            match requests.recv_timeout(IDLE_SWEEP) {
                Ok(first) => {
                    let waiting = requests.try_iter().take(GROUP_REQUESTS_MAX - 1);
                    let group: Vec<_> = std::iter::once(first).chain(waiting).collect();
                    self.serve(group);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.failure.is_none() && self.sweeper.is_due() {
                self.sweep();
            }
        }
    }

    fn sweep(&mut self) {
        match self.sweeper.sweep(&self.tables, self.clock.now()) {
            Ok(()) => {}
            Err(SweepError::Unwritten(failure)) => self.fail(&failure),
            Err(SweepError::Unreadable(error)) => {
                tracing::error!(%error, "cannot delete what is not needed any more");
            }
        }
    }

    fn fail(&mut self, failure: &Unwritten) {
        let error = failure.to_writers();
        tracing::error!(%error, "the data directory takes no more writes");
        self.failure = Some(failure.to_later_writers());
    }

    fn serve(&mut self, requests: Vec<Request>) {
        let (durable, quick): (Vec<_>, Vec<_>) =
            requests.into_iter().partition(Request::needs_sync);
        for requests in [quick, durable] {
            match &self.failure {
                None if requests.is_empty() => {}
                None => self.serve_where_there_is_room(requests),
                Some(failure) => refuse_all(requests, failure),
            }
        }
    }

    /// Refuses what there is no room for, before anything is decided of it.
    fn serve_where_there_is_room(&mut self, requests: Vec<Request>) {
        match self.room.verdict() {
            Verdict::Everything => self.serve_group(requests),
            Verdict::NothingNew(full) => {
                let (new, old): (Vec<_>, Vec<_>) = requests.into_iter().partition(Request::is_new);
                refuse_all(new, &full);
                self.serve_group(old);
            }
            Verdict::Nothing(full) => refuse_all(requests, &full),
        }
    }

    fn serve_group(&mut self, requests: Vec<Request>) {
        let tables = Arc::clone(&self.tables);
        let mut group = Group::new(&tables);
        let needs_sync = requests.iter().any(Request::needs_sync);
        let mode = if needs_sync { self.mode } else { PersistMode::Buffer };
        let now = self.clock.now();
        let decided: Vec<_> =
            requests.into_iter().filter_map(|r| self.decide(r, &mut group, now)).collect();
        match group.write(mode) {
            Ok(()) => self.publish(decided),
            Err(failure) => {
                self.fail(&failure);
                for decided in decided {
                    decided.refuse(failure.to_writers());
                }
            }
        }
    }

    /// Decides a request and adds its writes to the group; answers at once if it is refused.
    fn decide(&self, request: Request, group: &mut Group<'_>, now: Millis) -> Option<Decided> {
        match request {
            Request::Acquire { partition, node, ttl, reply } => {
                let mut live = lock(&self.live);
                let answer = live.acquire(partition, &node, ttl, fresh_nonce(), now);
                let answer = or_refuse(answer, reply);
                let (answer, reply) = answer?;
                if let (Acquisition::Acquired { .. }, Ok(state)) =
                    (&answer, live.partition(partition))
                {
                    group.set_counters(partition, state.ownership.counters());
                }
                Some(Decided::Acquired { answer, reply })
            }
            Request::Submit { partition, op, message, reply } => {
                let accepted = lock(&self.live).accept(partition, op, now);
                let (accepted, reply) = or_refuse(accepted, reply)?;
                group.forget_ops(partition, &accepted.forgotten);
                let delivery = accepted.number.map(|number| {
                    group.submit(partition, number, op, &message);
                    (partition, number, message)
                });
                Some(Decided::Submitted { delivery, reply })
            }
            Request::Commit { commit, reply } => self.decide_commit(*commit, group, now, reply),
            Request::Forget { orders, reply } => {
                for (partition, order) in orders {
                    group.remove_order(partition, order);
                }
                Some(Decided::Done { reply })
            }
            Request::RemoveLetter { partition, id, reply } => {
                let removed = lock(&self.live).remove_dead_letter(partition, id, now);
                let (was_there, reply) = or_refuse(removed, reply)?;
                group.remove_letter(partition, id);
                Some(Decided::Removed { was_there, reply })
            }
            Request::Shelve { write, reply, .. } => {
                let ((), reply) = or_refuse(group.shelve(write, now), reply)?;
                Some(Decided::Done { reply })
            }
            Request::Check { reply } => Some(Decided::Done { reply }),
            Request::Fetched { counts, reply } => {
                for (partition, order, counts) in counts {
                    group.set_counts(partition, order, counts);
                }
                Some(Decided::Done { reply })
            }
        }
    }

    fn decide_commit(
        &self,
        commit: Commit,
        group: &mut Group<'_>,
        now: Millis,
        reply: Reply<()>,
    ) -> Option<Decided> {
        let ((), reply) = or_refuse(group.prepare(&commit), reply)?;
        let partition = commit.lease.partition;
        let (begun, counters) = {
            let mut live = lock(&self.live);
            let begun = live.begin_commit(&commit, now);
            (begun, live.partition(partition).map(|state| state.ownership.counters()))
        };
        let (begun, reply) = or_refuse(begun, reply)?;
        let (counters, reply) = or_refuse(counters, reply)?;
        let Begun::New(opened) = begun else {
            return Some(Decided::Done { reply });
        };
        group.set_counters(partition, counters);
        let drop_at = now.plus(self.event_retention_ms);
        group.commit(&commit, &opened, now, drop_at);
        let runs = commit.runs_with_events();
        let activities = commit.threads.iter().filter_map(|write| {
            let activity = write.activity_change()?;
            Some((write.thread, activity))
        });
        let activities = activities.collect();
        let (first_order, orders) = (opened.first_order, commit.orders);
        let applied = Applied { partition, now, first_order, orders, activities, runs };
        Some(Decided::Committed { applied, reply })
    }

    /// Shows what is durable now, then answers.
    fn publish(&self, decided: Vec<Decided>) {
        let (mut has_messages, mut has_orders) = (false, false);
        let mut runs = Vec::new();
        let mut replies = Vec::new();
        let mut live = lock(&self.live);
        for decided in decided {
            match decided {
                // The state was changed when it was decided; there is nothing to show.
                Decided::Acquired { answer, reply } => drop(reply.send(Ok(answer))),
                Decided::Removed { was_there, reply } => drop(reply.send(Ok(was_there))),
                Decided::Done { reply } => replies.push(reply),
                Decided::Submitted { delivery, reply } => {
                    if let Some((partition, number, message)) = delivery {
                        live.deliver(partition, number, message);
                        has_messages = true;
                    }
                    replies.push(reply);
                }
                Decided::Committed { applied, reply } => {
                    let partition = applied.partition;
                    has_orders |= !applied.orders.is_empty();
                    runs.extend(
                        applied.runs.iter().map(|(run, has_ended)| (partition, *run, *has_ended)),
                    );
                    let Applied { now, first_order, orders, activities, .. } = applied;
                    live.finish_commit(partition, first_order, orders, activities, now);
                    replies.push(reply);
                }
            }
        }
        drop(live);
        for reply in replies {
            drop(reply.send(Ok(())));
        }
        if has_messages {
            self.wakes.inboxes_changed();
        }
        if has_orders {
            self.wakes.queues_changed();
        }
        for (partition, run, has_ended) in runs {
            self.wakes.run_changed(partition, run, has_ended);
        }
    }
}

fn refuse_all(requests: Vec<Request>, error: &StorageError) {
    for request in requests {
        request.refuse(error.clone());
    }
}

/// Splits off a refusal, which is answered at once.
fn or_refuse<T, A>(result: Result<T>, reply: Reply<A>) -> Option<(T, Reply<A>)> {
    match result {
        Ok(value) => Some((value, reply)),
        Err(error) => {
            drop(reply.send(Err(error)));
            None
        }
    }
}
