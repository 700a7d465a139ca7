use std::collections::VecDeque;

use bytes::Bytes;
use ractor::{ActorId, ActorRef};
use rethread_core::ids::ExecutionId;
use rethread_core::message::OpenCalls;
use rethread_storage::InboxCursor;
use tokio::time::Instant;

use crate::coordinator::CoordinatorMessage;

/// What the owner knows of one thread.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) phase: Phase,
    /// Messages that have not been handled, oldest first, as they stand in the inbox.
    pub(super) unhandled: VecDeque<(InboxCursor, Bytes)>,
    /// Turns that are not written yet: until they are, the storage must not be asked.
    pub(super) unwritten: usize,
    /// Whether the thread has something to do without a message.
    pub(super) is_wanted: bool,
    /// Whether calls may be in flight of which only a newer version knows. A coordinator that is
    /// told so gives it back when it leaves, unless it has come to know them.
    pub(super) in_doubt: bool,
    /// Whether its coordinator may have calls in flight.
    pub(super) may_have_calls: bool,
    /// Attempts whose orders are lost, to be told to the next coordinator.
    pub(super) lost: OpenCalls,
    /// Coordinators that failed in a row.
    pub(super) failures: u32,
    pub(super) idle_since: Instant,
}

/// Where the thread's state machine is.
#[derive(Debug)]
pub(super) enum Phase {
    /// Not in memory.
    Away {
        /// Calls whose orders are queued or assigned; none if that is not known.
        in_flight: Option<OpenCalls>,
    },
    /// Being read.
    Loading {
        /// As for [`Phase::Away`].
        in_flight: Option<OpenCalls>,
    },
    /// In memory; gets each message at once.
    Here(ActorRef<CoordinatorMessage>),
    /// Asked to give up its memory; messages wait.
    Leaving(ActorRef<CoordinatorMessage>),
    /// Cannot be brought into memory.
    Quarantined {
        /// Why.
        reason: String,
        /// The execution in progress, if the header could be read.
        execution: Option<ExecutionId>,
    },
}

impl Slot {
    pub(super) fn away(in_flight: OpenCalls, in_doubt: bool) -> Self {
        Self {
            phase: Phase::Away { in_flight: Some(in_flight) },
            unhandled: VecDeque::new(),
            unwritten: 0,
            is_wanted: false,
            in_doubt,
            may_have_calls: false,
            lost: OpenCalls::new(),
            failures: 0,
            idle_since: Instant::now(),
        }
    }

    /// Whether this coordinator is the thread's.
    pub(super) fn is_driven_by(&self, id: ActorId) -> bool {
        match &self.phase {
            Phase::Here(actor) | Phase::Leaving(actor) => actor.get_id() == id,
            Phase::Away { .. } | Phase::Loading { .. } | Phase::Quarantined { .. } => false,
        }
    }

    /// Whether nothing goes on that would be lost with the slot.
    pub(super) fn is_forgettable(&self) -> bool {
        let knows_nothing = match &self.phase {
            Phase::Away { in_flight } => in_flight.as_ref().is_some_and(OpenCalls::is_empty),
            Phase::Loading { .. }
            | Phase::Here(_)
            | Phase::Leaving(_)
            | Phase::Quarantined { .. } => false,
        };
        knows_nothing && self.is_quiet() && !self.is_wanted
    }

    /// Whether nothing waits to be handled or written.
    pub(super) fn is_quiet(&self) -> bool {
        self.unhandled.is_empty() && self.unwritten == 0
    }
}
