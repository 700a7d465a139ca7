//! Bringing threads into memory, giving them their messages, and letting them go.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::{ActorId, ActorProcessingErr, ActorRuntime};
use rethread_core::ids::{Millis, ThreadId, ThreadKey};
use rethread_core::message::{InboxMessage, OpenCalls};
use rethread_core::thread::Stored;
use rethread_storage::{InboxCursor, InboxItem};
use tokio::time::Instant;

use crate::coordinator::{Coordinator, CoordinatorArguments, CoordinatorMessage, Left, Turned};
use crate::partition::load::{self, Found, Loaded};
use crate::partition::slot::{Phase, Slot};
use crate::partition::{OwnerMessage, OwnerState};
use crate::records;
use crate::stats::count;

/// Coordinators of one thread that may fail in a row before it is left alone.
const FAILURES_MAX: u32 = 5;
/// Wait after the first failure; doubled with each further one.
const FAILURE_WAIT: Duration = Duration::from_millis(50);

type Mail = Vec<(InboxCursor, InboxMessage)>;

impl OwnerState {
    /// Gives messages to the coordinators of their threads.
    pub(super) fn route(&mut self, items: Vec<InboxItem>) {
        if self.is_leaving() {
            // Not consumed, so the next owner reads them.
            return;
        }
        let mut mail: Vec<(ThreadKey, Mail)> = Vec::new();
        let mut places: HashMap<ThreadKey, usize> = HashMap::new();
        for item in items {
            self.consumption.routed(item.cursor);
            let (thread, message) = match self.read(&item) {
                Ok(read) => read,
                Err(why) => {
                    self.pass_over(&item, why);
                    continue;
                }
            };
            self.sweep.note(&message);
            if self.newcomers.note(thread, &message) {
                self.look_for_workers(Duration::ZERO);
            }
            let slot = self.slot(thread);
            slot.unhandled.push_back((item.cursor, item.message));
            let place = *places.entry(thread).or_insert_with(|| {
                mail.push((thread, Vec::new()));
                mail.len() - 1
            });
            mail[place].1.push((item.cursor, message));
        }
        for (thread, mail) in mail {
            let Some(slot) = self.slots.get_mut(&thread) else { continue };
            match &slot.phase {
                Phase::Here(actor) => {
                    slot.idle_since = Instant::now();
                    // One that just ended is reported, and its mail is delivered to the next.
                    let _ = actor.cast(CoordinatorMessage::Deliver(mail));
                }
                Phase::Away { .. } => self.load_if_needed(thread),
                Phase::Quarantined { .. } => self.answer_quarantined(thread),
                Phase::Loading { .. } | Phase::Leaving(_) => {}
            }
        }
    }

    /// Wants a thread in memory although it may have no message.
    pub(super) fn want(&mut self, thread: ThreadKey) {
        let slot = self.slot(thread);
        // In memory it keeps its own time.
        slot.is_wanted = matches!(slot.phase, Phase::Away { .. });
        self.load_if_needed(thread);
    }

    /// The slot of a thread; a new one if it was forgotten or there was never anything to know.
    ///
    /// Threads with calls in flight have slots from the takeover on, and a slot is forgotten only
    /// once it is known that none is left: so no slot means none. A partition in doubt forgets no
    /// slot, so that no thread is doubted again.
    fn slot(&mut self, thread: ThreadKey) -> &mut Slot {
        let in_doubt = self.in_doubt;
        self.slots.entry(thread).or_insert_with(|| Slot::away(OpenCalls::new(), in_doubt))
    }

    /// Starts to read a thread that has something to do, once the storage has all of it.
    pub(super) fn load_if_needed(&mut self, thread: ThreadKey) {
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        let Phase::Away { in_flight } = &mut slot.phase else { return };
        let has_work = slot.is_wanted || !slot.unhandled.is_empty();
        if !has_work || slot.unwritten > 0 || self.tenure.is_left() {
            return;
        }
        let in_flight = in_flight.take();
        let in_doubt = std::mem::take(&mut slot.in_doubt);
        slot.is_wanted = false;
        slot.phase = Phase::Loading { in_flight: in_flight.clone() };
        tokio::spawn(load::load_and_send(
            Arc::clone(&self.engine),
            Arc::clone(&self.tenure),
            self.lease.partition,
            thread,
            load::Known { in_flight, in_doubt },
            self.myself.clone(),
        ));
    }

    pub(super) fn loaded(&mut self, loaded: Loaded) -> Result<(), ActorProcessingErr> {
        let Loaded { thread, found } = loaded;
        if self.is_leaving() {
            return Ok(());
        }
        let Some(slot) = self.slots.get_mut(&thread) else { return Ok(()) };
        let found = if slot.failures > FAILURES_MAX { found.given_up() } else { found };
        let (id, stored) = match found {
            Found::Corrupt { reason, execution } => {
                tracing::error!(thread_key = %thread, reason, "thread cannot be loaded");
                slot.phase = Phase::Quarantined { reason, execution };
                slot.lost.clear();
                self.answer_quarantined(thread);
                return Ok(());
            }
            Found::Thread(stored) => (stored.header.thread.clone(), Some(stored)),
            Found::Nothing => match self.first_command(thread) {
                Some(id) => (id, None),
                None => {
                    // It was deleted, or never was: what is in flight of it is for nobody.
                    if let Some(slot) = self.slots.get_mut(&thread) {
                        slot.phase = Phase::Loading { in_flight: Some(OpenCalls::new()) };
                    }
                    self.let_go(thread);
                    return Ok(());
                }
            },
        };
        count(&self.engine.stats.threads_loaded);
        self.start_coordinator(id, stored)
    }

    /// The id of a thread that has never run, from the first command for it. What stands before
    /// that is for nobody.
    fn first_command(&mut self, thread: ThreadKey) -> Option<ThreadId> {
        let slot = self.slots.get_mut(&thread)?;
        let mut dropped = false;
        let found = loop {
            let Some((cursor, record)) = slot.unhandled.front() else { break None };
            if let Ok(InboxMessage::Command(command)) = records::message(record) {
                break Some(command.thread);
            }
            self.consumption.handled(*cursor);
            dropped = true;
            slot.unhandled.pop_front();
        };
        if dropped {
            self.ask_flush();
        }
        found
    }

    fn start_coordinator(
        &mut self,
        id: ThreadId,
        stored: Option<Box<Stored>>,
    ) -> Result<(), ActorProcessingErr> {
        let thread = id.key();
        let arguments = CoordinatorArguments {
            engine: Arc::clone(&self.engine),
            owner: self.myself.clone(),
            partition: self.lease.partition,
            tenure: Arc::clone(&self.tenure),
            thread: id,
            stored,
        };
        let cell = self.myself.get_cell();
        let (actor, _) = ActorRuntime::spawn_linked_instant(None, Coordinator, arguments, cell)?;
        self.coordinators.insert(actor.get_id(), thread);
        actor.cast(CoordinatorMessage::Begin)?;
        let Some(slot) = self.slots.get_mut(&thread) else { return Ok(()) };
        let lost = std::mem::take(&mut slot.lost);
        // What waits may be of the same calls; then they are looked for again.
        if !lost.is_empty() && slot.unhandled.is_empty() {
            actor.cast(CoordinatorMessage::Lost(lost))?;
        }
        slot.may_have_calls = true;
        slot.phase = Phase::Here(actor);
        slot.idle_since = Instant::now();
        self.deliver_unhandled(thread);
        Ok(())
    }

    /// Gives everything that waits to a coordinator that has none of it.
    fn deliver_unhandled(&mut self, thread: ThreadKey) {
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        let Phase::Here(actor) = &slot.phase else { return };
        let mail = decode_all(&slot.unhandled);
        if !mail.is_empty() {
            // One that just ended is reported, and its mail is delivered to the next.
            let _ = actor.cast(CoordinatorMessage::Deliver(mail));
        }
    }

    /// Takes what a coordinator decided.
    pub(super) fn turned(&mut self, turns: Vec<Turned>) {
        if self.draining.is_some() {
            return;
        }
        for turn in turns {
            let thread = turn.thread;
            if let Some(slot) = self.slots.get_mut(&thread) {
                slot.unwritten += 1;
                slot.may_have_calls |= !turn.orders.is_empty();
                slot.idle_since = Instant::now();
                for cursor in &turn.handled {
                    slot.failures = 0;
                    if slot.unhandled.front().is_some_and(|(unhandled, _)| unhandled == cursor) {
                        slot.unhandled.pop_front();
                    }
                }
            }
            self.outbox.push(turn);
        }
        self.ask_flush();
    }

    // --- leaving -----------------------------------------------------------------------------

    /// Asks threads to give up their memory that have been idle for long.
    pub(super) fn sweep(&mut self) {
        let evict_after = self.engine.evict_after;
        let idle: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.is_quiet() && slot.idle_since.elapsed() >= evict_after)
            .map(|(thread, _)| *thread)
            .collect();
        for thread in idle {
            self.ask_to_leave(thread);
        }
    }

    pub(super) fn ask_to_leave(&mut self, thread: ThreadKey) {
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        if slot.is_forgettable() && !self.in_doubt {
            self.slots.remove(&thread);
        } else if slot.is_quiet() && matches!(slot.phase, Phase::Quarantined { .. }) {
            // It may be readable by the time of its next message. Its calls were never counted.
            slot.phase = Phase::Away { in_flight: None };
        } else if slot.is_quiet()
            && let Phase::Here(actor) = &slot.phase
            && actor.cast(CoordinatorMessage::Leave).is_ok()
        {
            slot.phase = Phase::Leaving(actor.clone());
        }
    }

    pub(super) fn left(&mut self, left: Left) {
        let Left { thread, actor, in_flight, in_doubt, due } = left;
        self.coordinators.remove(&actor);
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        if !slot.is_driven_by(actor) {
            return;
        }
        slot.phase = Phase::Away { in_flight: Some(in_flight) };
        slot.in_doubt = in_doubt;
        // The next search ends it, if there is nothing of a newer version.
        self.in_doubt |= in_doubt;
        self.sweep.pass_over(thread);
        match due {
            Some(due) => {
                self.due.insert((due, thread));
                self.arm_due_timer();
                self.load_if_needed(thread);
            }
            None => self.let_go(thread),
        }
    }

    /// Loads the thread again if there is something to do, or forgets it.
    fn let_go(&mut self, thread: ThreadKey) {
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        if let Phase::Loading { in_flight } = &mut slot.phase {
            slot.phase = Phase::Away { in_flight: in_flight.take() };
        }
        if slot.is_forgettable() && !self.in_doubt {
            self.slots.remove(&thread);
        } else {
            self.load_if_needed(thread);
        }
    }

    pub(super) fn stays(&mut self, thread: ThreadKey, actor: ActorId) {
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        let Phase::Leaving(staying) = &slot.phase else { return };
        if staying.get_id() == actor {
            slot.phase = Phase::Here(staying.clone());
            slot.idle_since = Instant::now();
            // What it was wanted for it has been told.
            slot.is_wanted = false;
            self.deliver_unhandled(thread);
        }
    }

    // --- failures ----------------------------------------------------------------------------

    /// A coordinator ended without being asked: a bug of the engine. The thread is not lost, all
    /// of it is stored or unhandled.
    pub(super) fn coordinator_ended(&mut self, thread: ThreadKey, actor: ActorId, reason: &str) {
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        if !slot.is_driven_by(actor) {
            return;
        }
        tracing::error!(
            partition = %self.lease.partition,
            thread_key = %thread,
            failures = slot.failures + 1,
            reason,
            "coordinator failed; its thread is loaded again"
        );
        let wait = FAILURE_WAIT * 2_u32.saturating_pow(slot.failures.min(FAILURES_MAX));
        slot.failures += 1;
        // Not away yet: it must not be loaded before the wait is over.
        slot.phase = Phase::Loading { in_flight: None };
        self.sweep.pass_over(thread);
        self.myself.send_after(wait, move || OwnerMessage::LoadAgain(thread));
    }

    pub(super) fn load_again(&mut self, thread: ThreadKey) {
        if let Some(slot) = self.slots.get_mut(&thread) {
            slot.phase = Phase::Away { in_flight: None };
            self.want(thread);
        }
    }

    // --- time --------------------------------------------------------------------------------

    /// Brings threads into memory that are due.
    pub(super) fn wake_due(&mut self) {
        self.due_timer = None;
        let now = self.engine.clock.now();
        while let Some((due, thread)) = self.due.first().copied() {
            if due > now {
                break;
            }
            self.due.pop_first();
            self.want(thread);
        }
        self.arm_due_timer();
    }

    pub(super) fn arm_due_timer(&mut self) {
        if let Some(timer) = self.due_timer.take() {
            timer.abort();
        }
        let Some((Millis(due), _)) = self.due.first().copied() else { return };
        let wait = Duration::from_millis(due.saturating_sub(self.engine.clock.now().0));
        let myself = self.myself.clone();
        self.due_timer = Some(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // An owner that is gone wakes nobody.
            drop(myself.cast(OwnerMessage::Due));
        }));
    }
}

fn decode_all(unhandled: &VecDeque<(InboxCursor, Bytes)>) -> Mail {
    // Each of them could be read when it was routed.
    let decode =
        |(cursor, record): &(InboxCursor, Bytes)| Some((*cursor, records::message(record).ok()?));
    unhandled.iter().filter_map(decode).collect()
}
