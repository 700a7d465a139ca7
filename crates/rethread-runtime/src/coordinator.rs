//! The coordinator of one thread: mail in, calls of its state machine, effects out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef};
use rethread_core::ids::{CallId, Millis, PartitionId, QueueName, ThreadId, ThreadKey, WorkerId};
use rethread_core::message::{InboxMessage, OpenCall, OpenCalls};
use rethread_core::record::Record;
use rethread_core::thread::{Effect, Job, JobOutcome, Setup, Stored, ThreadMachine};
use rethread_storage::{InboxCursor, OrderGroup, QueuedOrder, ThreadWrite};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Span;

use crate::engine::Engine;
use crate::partition::OwnerMessage;
use crate::records;
use crate::spans;
use crate::stats::{Counted, Stats, count};
use crate::tenure::Tenure;

/// A poll of an entrypoint that takes longer is reported: it holds up all threads of the node.
const SLOW_POLL: Duration = Duration::from_millis(100);

/// Drives one thread. It never waits: what it decides goes to its partition owner.
#[derive(Debug)]
pub(crate) struct Coordinator;

/// Mail of a [`Coordinator`].
#[derive(Debug)]
pub(crate) enum CoordinatorMessage {
    /// Make or load the state machine; always the first one.
    Begin,
    /// Messages of the inbox, in order.
    Deliver(Vec<(InboxCursor, InboxMessage)>),
    /// A job for a call is done.
    Done(CallId, JobOutcome),
    /// Say which attempts are in flight; each question has a number.
    TellInFlight(u64),
    /// The orders of these attempts are lost.
    Lost(OpenCalls),
    /// Workers came that may know tasks which others did not know.
    NewWorkers,
    /// Something outside of the engine woke a body.
    Wake,
    /// The time that the machine waits for has come.
    Timeout,
    /// Give up the memory, if nothing but memory would be lost.
    Leave,
}

/// What a coordinator is started with.
#[derive(Debug)]
pub(crate) struct CoordinatorArguments {
    pub(crate) engine: Arc<Engine>,
    pub(crate) owner: ActorRef<OwnerMessage>,
    pub(crate) partition: PartitionId,
    pub(crate) tenure: Arc<Tenure>,
    pub(crate) thread: ThreadId,
    /// What is stored of the thread; none for a new one.
    pub(crate) stored: Option<Box<Stored>>,
}

/// What a coordinator has in flight. Everything that it decided before stands before this.
#[derive(Debug)]
pub(crate) struct InFlightAnswer {
    pub(crate) thread: ThreadKey,
    /// Number of the question.
    pub(crate) round: u64,
    pub(crate) in_flight: OpenCalls,
}

/// Who is told something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Addressee {
    /// One worker.
    Worker(WorkerId),
    /// All workers of a queue.
    Queue(QueueName),
}

/// What came of some mail: to be written in one step.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) thread: ThreadKey,
    pub(crate) write: Option<ThreadWrite>,
    /// Orders that are taken back with the write, those of earlier turns too.
    pub(crate) withdrawn: Vec<OrderGroup>,
    /// Records of what was given up, kept with the write.
    pub(crate) dead_letters: Vec<Bytes>,
    /// Orders that must not become visible before the write.
    pub(crate) orders: Vec<QueuedOrder>,
    /// What workers are told once the write is durable.
    pub(crate) mail: Vec<(Addressee, Bytes)>,
    /// What takes I/O and is begun once the write is durable.
    pub(crate) jobs: Vec<(CallId, Job)>,
    /// Messages whose whole effect this is.
    pub(crate) handled: Vec<InboxCursor>,
    /// The span of the request that it answers, if that is part of a trace. It lasts until the
    /// turn is written.
    pub(crate) span: Option<Span>,
}

impl Turned {
    /// Nothing.
    pub(crate) fn none(thread: ThreadKey) -> Self {
        Self {
            thread,
            write: None,
            withdrawn: Vec::new(),
            dead_letters: Vec::new(),
            orders: Vec::new(),
            mail: Vec::new(),
            jobs: Vec::new(),
            handled: Vec::new(),
            span: None,
        }
    }

    fn is_none(&self) -> bool {
        let Self { write, withdrawn, dead_letters, orders, mail, jobs, handled, .. } = self;
        let says_nothing = mail.is_empty() && jobs.is_empty() && handled.is_empty();
        let writes_nothing = write.is_none() && withdrawn.is_empty() && dead_letters.is_empty();
        writes_nothing && orders.is_empty() && says_nothing
    }
}

/// What a coordinator leaves behind when it gives up its memory.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) thread: ThreadKey,
    pub(crate) actor: ActorId,
    pub(crate) in_flight: OpenCalls,
    /// Whether more may be in flight, of which only a newer version knows.
    pub(crate) in_doubt: bool,
    pub(crate) due: Option<Millis>,
}

pub(crate) struct CoordinatorState {
    engine: Arc<Engine>,
    owner: ActorRef<OwnerMessage>,
    tenure: Arc<Tenure>,
    key: ThreadKey,
    setup: Setup,
    stored: Option<Box<Stored>>,
    machine: Option<ThreadMachine>,
    timer: Option<(Millis, JoinHandle<()>)>,
    /// Calls whose jobs are not done.
    jobs: BTreeSet<CallId>,
    /// What the owner last knew to be in flight, without what was ordered since. Only of these can
    /// a search say that they are lost: it has not looked for the others.
    told: OpenCalls,
    _counted: Counted,
}

impl Actor for Coordinator {
    type Msg = CoordinatorMessage;
    type State = CoordinatorState;
    type Arguments = CoordinatorArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<CoordinatorMessage>,
        arguments: CoordinatorArguments,
    ) -> Result<CoordinatorState, ActorProcessingErr> {
        let CoordinatorArguments { engine, owner, partition, tenure, thread, stored } = arguments;
        let key = thread.key();
        let setup = Setup {
            thread,
            partition,
            program: engine.registry.clone(),
            // A coordinator that is gone needs no wake-up.
            on_wake: Arc::new(move || drop(myself.cast(CoordinatorMessage::Wake))),
            limits: engine.limits,
        };
        let (machine, timer, jobs) = (None, None, BTreeSet::new());
        let told = stored.as_ref().map(|stored| stored.in_flight.clone()).unwrap_or_default();
        let _counted = engine.stats.gauges.threads.enter();
        Ok(CoordinatorState {
            engine,
            owner,
            tenure,
            key,
            setup,
            stored,
            machine,
            timer,
            jobs,
            told,
            _counted,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<CoordinatorMessage>,
        message: CoordinatorMessage,
        state: &mut CoordinatorState,
    ) -> Result<(), ActorProcessingErr> {
        // Without a budget: a body that finds its channel "empty" because tokio's budget is used
        // up would look as if it waited.
        let looks_again = tokio::task::unconstrained(async { state.take(&myself, message) }).await;
        if looks_again {
            tokio::task::yield_now().await;
            myself.cast(CoordinatorMessage::Wake)?;
        }
        Ok(())
    }
}

/// What came of the mail so far.
#[derive(Debug)]
struct Outcome {
    stats: Arc<Stats>,
    turns: Vec<Turned>,
    /// Calls of which attempts were ordered.
    ordered: Vec<OpenCall>,
    looks_again: bool,
}

impl Outcome {
    fn counted_by(stats: &Arc<Stats>) -> Self {
        let (turns, ordered) = (Vec::new(), Vec::new());
        Self { stats: Arc::clone(stats), turns, ordered, looks_again: false }
    }

    /// Takes the machine's effects in their order; they are the whole effect of the message
    /// `handled`, and are written together with its consumption.
    fn collect(
        &mut self,
        thread: ThreadKey,
        machine: &mut ThreadMachine,
        handled: Option<InboxCursor>,
        span: Option<Span>,
    ) {
        let mut turn = Turned::none(thread);
        while let Some(effect) = machine.poll_effect() {
            match effect {
                Effect::Write(write) => {
                    if !turn.is_none() {
                        let next = Turned::none(thread);
                        self.turns.push(std::mem::replace(&mut turn, next));
                    }
                    self.stats.count_events(&write.events);
                    turn.write = Some(records::thread_write(thread, &write));
                }
                Effect::Withdraw { with: _, execution } => {
                    count(&self.stats.withdrawn_groups);
                    turn.withdrawn.push(OrderGroup::of(execution));
                }
                Effect::Bury { with: _, letter } => turn.dead_letters.push(letter.to_record()),
                Effect::Dispatch { after: _, queue, order } => {
                    self.ordered.push(order.target.open_call());
                    turn.orders.push(records::queued_order(queue, &order));
                }
                Effect::Tell { after: _, worker, mail } => {
                    turn.mail.push((Addressee::Worker(worker), mail.to_record()));
                }
                Effect::CancelAttempt { after: _, queue, mail } => {
                    turn.mail.push((Addressee::Queue(queue), mail.to_record()));
                }
                Effect::Perform { after: _, call, job } => turn.jobs.push((call, *job)),
                Effect::LookAgain => self.looks_again = true,
            }
        }
        // Should one input ever lead to several writes, it is handled with the last of them.
        turn.handled.extend(handled);
        turn.span = span;
        if !turn.is_none() {
            self.turns.push(turn);
        }
    }
}

impl CoordinatorState {
    /// Handles one message; says whether the machine wants to look again. In a partition that is
    /// given to others nothing is begun: the next owner finds everything in the storage.
    fn take(&mut self, myself: &ActorRef<CoordinatorMessage>, message: CoordinatorMessage) -> bool {
        if self.tenure.is_left() {
            return false;
        }
        let began = Instant::now();
        let now = self.engine.clock.now();
        let mut outcome = Outcome::counted_by(&self.engine.stats);
        let machine = match self.machine.as_mut() {
            Some(machine) => machine,
            None => self.machine.insert(match self.stored.take() {
                Some(stored) => ThreadMachine::load(self.setup.clone(), now, *stored),
                None => ThreadMachine::new(self.setup.clone()),
            }),
        };
        match message {
            CoordinatorMessage::Begin => {}
            CoordinatorMessage::Deliver(messages) => {
                for (cursor, message) in messages {
                    if self.tenure.is_left() {
                        break;
                    }
                    let mut span = None;
                    match message {
                        InboxMessage::Command(command) => {
                            span = spans::of_request(&command);
                            let _entered = span.as_ref().map(Span::enter);
                            machine.handle_command(now, command);
                        }
                        InboxMessage::Report(report) => machine.handle_report(now, report),
                        InboxMessage::Emitted(emitted) => machine.handle_emitted(now, emitted),
                        InboxMessage::Called(called) => machine.handle_called(now, called),
                        // The owner keeps it for operators.
                        InboxMessage::Unreadable(_) => {}
                    }
                    outcome.collect(self.key, machine, Some(cursor), span);
                }
            }
            CoordinatorMessage::Done(call, done) => {
                self.jobs.remove(&call);
                machine.handle_done(now, call, done);
            }
            CoordinatorMessage::TellInFlight(round) => {
                let in_flight = machine.in_flight();
                self.told.clone_from(&in_flight);
                let answer = InFlightAnswer { thread: self.key, round, in_flight };
                if self.owner.cast(OwnerMessage::ToldInFlight(answer)).is_err() {
                    myself.stop(None);
                }
                return false;
            }
            CoordinatorMessage::Lost(calls) => {
                for (open, attempt) in calls {
                    if self.told.get(&open) != Some(&attempt) {
                        continue;
                    }
                    if machine.handle_lost(now, open, attempt) {
                        count(&self.engine.stats.repaired_orders);
                        let (thread, call) = (&self.setup.thread, open.call);
                        tracing::warn!(thread_id = %thread, %call, attempt, "order was lost, the call is ordered again");
                    }
                    outcome.collect(self.key, machine, None, None);
                }
            }
            CoordinatorMessage::NewWorkers => machine.handle_new_workers(now),
            CoordinatorMessage::Wake => machine.handle_wake(now),
            CoordinatorMessage::Timeout => {
                self.timer = None;
                machine.handle_timeout(now);
            }
            CoordinatorMessage::Leave => {
                self.leave(myself);
                return false;
            }
        }
        outcome.collect(self.key, machine, None, None);
        self.warn_if_slow(began);
        // Everything in one piece: a coordinator that fails later has not lost half of it.
        let Outcome { turns, ordered, looks_again, .. } = outcome;
        for open in ordered {
            self.told.remove(&open);
        }
        self.jobs.extend(turns.iter().flat_map(|turn| &turn.jobs).map(|(call, _)| *call));
        if !turns.is_empty() && self.owner.cast(OwnerMessage::Turned(turns)).is_err() {
            myself.stop(None);
        }
        self.arm_timer(myself);
        looks_again
    }

    fn arm_timer(&mut self, myself: &ActorRef<CoordinatorMessage>) {
        let due = self.machine.as_ref().and_then(ThreadMachine::poll_timeout);
        if self.timer.as_ref().map(|(at, _)| *at) == due {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
        let Some(due) = due else { return };
        let wait = Duration::from_millis(due.0.saturating_sub(self.engine.clock.now().0));
        let myself = myself.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // A coordinator that is gone needs no timeout.
            drop(myself.cast(CoordinatorMessage::Timeout));
        });
        self.timer = Some((due, timer));
    }

    fn leave(&mut self, myself: &ActorRef<CoordinatorMessage>) {
        let Some(machine) = &self.machine else { return };
        let (thread, actor) = (self.key, myself.get_id());
        let (in_flight, in_doubt) = (machine.in_flight(), machine.is_in_doubt());
        let due = machine.poll_timeout();
        // Loaded again it would ask for its jobs a second time.
        let waits_for_job = machine.is_running() && !self.jobs.is_empty();
        let answer = if waits_for_job || machine.is_bound_to_memory() {
            OwnerMessage::Stays { thread, actor }
        } else {
            myself.stop(None);
            OwnerMessage::Left(Left { thread, actor, in_flight, in_doubt, due })
        };
        if self.owner.cast(answer).is_err() {
            myself.stop(None);
        }
    }

    fn warn_if_slow(&self, began: Instant) {
        let took = began.elapsed();
        if took > SLOW_POLL {
            let header = self.machine.as_ref().and_then(ThreadMachine::header);
            let entrypoint = header.map(|header| header.entrypoint.as_str()).unwrap_or_default();
            tracing::warn!(
                thread_id = %self.setup.thread,
                entrypoint,
                took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "slow poll: move blocking or long work of the entrypoint into a task"
            );
        }
    }
}

impl Drop for CoordinatorState {
    fn drop(&mut self) {
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
    }
}
