//! The coordinator of one thread: mail in, calls of its state machine, effects out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef};
use rethread_core::ids::{CallId, Millis, PartitionId, ThreadId, ThreadKey};
use rethread_core::message::InboxMessage;
use rethread_core::thread::{Effect, Setup, Stored, ThreadMachine};
use rethread_storage::{InboxCursor, QueuedOrder, ThreadWrite};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::partition::OwnerMessage;
use crate::records;

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
    pub(crate) thread: ThreadId,
    /// What is stored of the thread; none for a new one.
    pub(crate) stored: Option<Box<Stored>>,
}

/// What came of some mail: to be written in one step.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) thread: ThreadKey,
    pub(crate) write: Option<ThreadWrite>,
    /// Orders that must not become visible before the write.
    pub(crate) orders: Vec<QueuedOrder>,
    /// Messages whose whole effect this is.
    pub(crate) handled: Vec<InboxCursor>,
}

/// What a coordinator leaves behind when it gives up its memory.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) thread: ThreadKey,
    pub(crate) actor: ActorId,
    pub(crate) in_flight: BTreeSet<CallId>,
    pub(crate) due: Option<Millis>,
}

pub(crate) struct CoordinatorState {
    engine: Arc<Engine>,
    owner: ActorRef<OwnerMessage>,
    key: ThreadKey,
    setup: Setup,
    stored: Option<Box<Stored>>,
    machine: Option<ThreadMachine>,
    timer: Option<(Millis, JoinHandle<()>)>,
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
        let CoordinatorArguments { engine, owner, partition, thread, stored } = arguments;
        let key = thread.key();
        let setup = Setup {
            thread,
            partition,
            program: engine.registry.clone(),
            // A coordinator that is gone needs no wake-up.
            on_wake: Arc::new(move || drop(myself.cast(CoordinatorMessage::Wake))),
            limits: engine.limits,
        };
        Ok(CoordinatorState { engine, owner, key, setup, stored, machine: None, timer: None })
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

impl CoordinatorState {
    /// Handles one message; says whether the machine wants to look again.
    fn take(&mut self, myself: &ActorRef<CoordinatorMessage>, message: CoordinatorMessage) -> bool {
        let began = Instant::now();
        let now = self.engine.clock.now();
        let mut handled = Vec::new();
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
                    match message {
                        InboxMessage::Command(command) => machine.handle_command(now, command),
                        InboxMessage::Report(report) => machine.handle_report(now, report),
                        InboxMessage::Emitted(emitted) => machine.handle_emitted(now, emitted),
                        InboxMessage::Called(called) => machine.handle_called(now, called),
                    }
                    handled.push(cursor);
                }
            }
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
        self.warn_if_slow(began);
        let looks_again = self.pass_on(myself, handled);
        self.arm_timer(myself);
        looks_again
    }

    /// Sends the machine's effects to the owner, in their order.
    fn pass_on(
        &mut self,
        myself: &ActorRef<CoordinatorMessage>,
        handled: Vec<InboxCursor>,
    ) -> bool {
        let Some(machine) = &mut self.machine else { return false };
        let mut looks_again = false;
        let none = |thread| Turned { thread, write: None, orders: Vec::new(), handled: Vec::new() };
        let mut turns = Vec::new();
        let mut turn = none(self.key);
        while let Some(effect) = machine.poll_effect() {
            match effect {
                Effect::Write(write) => {
                    if turn.write.is_some() || !turn.orders.is_empty() {
                        turns.push(std::mem::replace(&mut turn, none(self.key)));
                    }
                    turn.write = Some(records::thread_write(self.key, &write));
                }
                Effect::Dispatch { after: _, queue, order } => {
                    turn.orders.push(records::queued_order(queue, &order));
                }
                Effect::Tell { .. } => {}
                Effect::LookAgain => looks_again = true,
            }
        }
        // The messages are handled once the last of their writes is written.
        turn.handled = handled;
        if turn.write.is_some() || !turn.orders.is_empty() || !turn.handled.is_empty() {
            turns.push(turn);
        }
        if !turns.is_empty() && self.owner.cast(OwnerMessage::Turned(turns)).is_err() {
            myself.stop(None);
        }
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
        let (in_flight, due) = (machine.in_flight(), machine.poll_timeout());
        // A run that neither a report nor a timer moves on waits for something that lives in
        // this process only.
        let is_bound_here = machine.is_running() && in_flight.is_empty() && due.is_none();
        let answer = if is_bound_here {
            OwnerMessage::Stays { thread, actor }
        } else {
            myself.stop(None);
            OwnerMessage::Left(Left { thread, actor, in_flight, due })
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
