use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{CallId, Millis};
use crate::replay::{CallRequest, SlotIndex};

/// A call that a body of this execution made.
#[derive(Debug)]
pub(super) struct Call {
    /// The scope that made it.
    pub(super) scope: CallId,
    /// The entrypoint body it belongs to: the one that made it, or whose task made it.
    pub(super) body: CallId,
    /// Where its outcome goes.
    pub(super) waiter: Waiter,
    pub(super) request: CallRequest,
    /// How many calls were made before it.
    pub(super) place: usize,
    /// How many calls it is nested in.
    pub(super) depth: u32,
    pub(super) state: CallState,
    /// Whether its attempt waits for something other than calls of its own.
    is_waiting: bool,
    /// Whether it is counted among those that take a place.
    takes_place: bool,
}

impl Call {
    pub(super) fn is_task(&self) -> bool {
        matches!(self.request, CallRequest::Task { .. })
    }
}

/// Who made a call and gets its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A body that is polled here.
    Body(SlotIndex),
    /// A task body on a worker.
    Task,
}

/// What a call is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    /// Made in a replay that has not reached the end of the journal: nothing is decided.
    Undecided,
    /// An attempt follows when the run may have one more in flight.
    Held { attempt: u32 },
    /// An attempt is queued or running.
    InFlight { attempt: u32 },
    /// An attempt follows at this time.
    Backoff { attempt: u32, until: Millis },
    /// Its body waits for an answer.
    Asking { attempt: u32 },
    /// A timer that is due at this time.
    Timer { due: Millis },
    /// A child entrypoint whose body runs here.
    Running,
    /// The shell does it.
    Performing,
    /// Its outcome is known and will be delivered.
    Arrived,
    /// Its outcome was delivered.
    Settled,
}

impl CallState {
    /// Whether something goes on that ends without an answer from a person.
    pub(super) fn is_open_work(self) -> bool {
        match self {
            Self::Held { .. }
            | Self::InFlight { .. }
            | Self::Backoff { .. }
            | Self::Timer { .. }
            | Self::Performing
            | Self::Arrived => true,
            Self::Undecided | Self::Asking { .. } | Self::Running | Self::Settled => false,
        }
    }

    pub(super) fn due(self) -> Option<Millis> {
        match self {
            Self::Backoff { until, .. } => Some(until),
            Self::Timer { due } => Some(due),
            Self::Undecided
            | Self::Held { .. }
            | Self::InFlight { .. }
            | Self::Asking { .. }
            | Self::Running
            | Self::Performing
            | Self::Arrived
            | Self::Settled => None,
        }
    }
}

/// The calls of an execution by id, with what must be known of all of them kept beside.
#[derive(Debug, Default)]
pub(super) struct Calls {
    by_id: BTreeMap<CallId, Call>,
    open_work: usize,
    open_by_body: BTreeMap<CallId, usize>,
    by_scope: BTreeMap<CallId, Vec<CallId>>,
    /// Those that are not settled, in their order.
    open_by_scope: BTreeMap<CallId, BTreeSet<(usize, CallId)>>,
    in_flight: BTreeSet<CallId>,
    /// How many of these take a place of the run's concurrency.
    places_taken: usize,
    /// Calls that may have an attempt once the run has fewer in flight, in their order.
    held: BTreeSet<(usize, CallId)>,
    /// When waiting calls are due, and their places.
    due: BTreeSet<(Millis, usize, CallId)>,
}

impl Calls {
    pub(super) fn get(&self, id: CallId) -> Option<&Call> {
        self.by_id.get(&id)
    }

    pub(super) fn insert(
        &mut self,
        id: CallId,
        scope: CallId,
        waiter: Waiter,
        request: CallRequest,
    ) {
        let place = self.by_id.len();
        let state = CallState::Undecided;
        let body = match waiter {
            Waiter::Body(_) => scope,
            Waiter::Task => self.get(scope).map_or(scope, |caller| caller.body),
        };
        let depth = self.get(scope).map_or(0, |caller| caller.depth + 1);
        let (is_waiting, takes_place) = (false, false);
        let call =
            Call { scope, body, waiter, request, place, depth, state, is_waiting, takes_place };
        self.by_id.insert(id, call);
        *self.open_by_body.entry(body).or_default() += 1;
        self.by_scope.entry(scope).or_default().push(id);
        self.open_by_scope.entry(scope).or_default().insert((place, id));
        self.count_place(scope);
    }

    /// Says whether the attempt of a call waits for something other than calls of its own.
    pub(super) fn set_waiting(&mut self, id: CallId, is_waiting: bool) {
        if let Some(call) = self.by_id.get_mut(&id) {
            call.is_waiting = is_waiting;
            self.count_place(id);
        }
    }

    /// How many attempts in flight take a place of the run's concurrency: those that wait for
    /// nothing. Else calls of calls would wait for each other for ever (D22).
    pub(super) fn places_taken(&self) -> usize {
        self.places_taken
    }

    fn count_place(&mut self, id: CallId) {
        let has_open_calls = self.open_by_scope.get(&id).is_some_and(|open| !open.is_empty());
        let Some(call) = self.by_id.get_mut(&id) else { return };
        let is_in_flight = matches!(call.state, CallState::InFlight { .. });
        let takes_place = is_in_flight && !call.is_waiting && !has_open_calls;
        self.places_taken += usize::from(takes_place);
        self.places_taken -= usize::from(call.takes_place);
        call.takes_place = takes_place;
    }

    pub(super) fn set_state(&mut self, id: CallId, state: CallState) {
        let Some(call) = self.by_id.get_mut(&id) else { return };
        let (was, is) = (call.state, state);
        call.state = state;
        if let Some(due) = was.due() {
            self.due.remove(&(due, call.place, id));
        }
        if let Some(due) = is.due() {
            self.due.insert((due, call.place, id));
        }
        if matches!(was, CallState::InFlight { .. }) {
            self.in_flight.remove(&id);
        }
        if matches!(is, CallState::InFlight { .. }) {
            self.in_flight.insert(id);
        }
        if matches!(was, CallState::Held { .. }) {
            self.held.remove(&(call.place, id));
        }
        if matches!(is, CallState::Held { .. }) {
            self.held.insert((call.place, id));
        }
        self.open_work -= usize::from(was.is_open_work());
        self.open_work += usize::from(is.is_open_work());
        let (is_open, was_open) = (is != CallState::Settled, was != CallState::Settled);
        if let Some(open) = self.open_by_body.get_mut(&call.body) {
            *open = *open + usize::from(is_open) - usize::from(was_open);
        }
        if let Some(open) = self.open_by_scope.get_mut(&call.scope) {
            match is_open {
                true => open.insert((call.place, id)),
                false => open.remove(&(call.place, id)),
            };
        }
        let scope = call.scope;
        self.count_place(id);
        if is_open != was_open {
            self.count_place(scope);
        }
    }

    /// Whether all that goes on are timers and waits before further attempts.
    pub(super) fn only_wait_for_time(&self) -> bool {
        self.open_work == self.due.len()
    }

    /// Calls that are not settled, in the order they were made.
    pub(super) fn open(&self) -> Vec<(CallId, &Call)> {
        let ids = self.open_by_scope.values().flatten().map(|(place, id)| (*place, *id));
        let ordered: BTreeSet<_> = ids.collect();
        ordered.into_iter().filter_map(|(_, id)| Some((id, self.get(id)?))).collect()
    }

    /// Whether something goes on that ends without an answer from a person.
    pub(super) fn has_open_work(&self) -> bool {
        self.open_work > 0
    }

    /// Whether every call of an entrypoint body, and every call of its tasks, has been settled.
    pub(super) fn all_settled(&self, body: CallId) -> bool {
        self.open_by_body.get(&body).is_none_or(|open| *open == 0)
    }

    /// Calls that a scope made and that are not settled.
    pub(super) fn open_calls_of(&self, scope: CallId) -> impl Iterator<Item = (CallId, &Call)> {
        let open = self.open_by_scope.get(&scope).into_iter().flatten();
        open.filter_map(|(_, id)| Some((*id, self.get(*id)?)))
    }

    /// How many calls were made.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn place(&self, id: CallId) -> usize {
        self.get(id).map_or(0, |call| call.place)
    }

    /// Calls with an attempt that is queued or running.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = CallId> + '_ {
        self.in_flight.iter().copied()
    }

    /// The next call that waits for fewer attempts to be in flight.
    pub(super) fn next_held(&self) -> Option<CallId> {
        self.held.first().map(|(_, id)| *id)
    }

    /// Calls that are not settled of a scope, of its tasks and of its child entrypoints.
    pub(super) fn open_under(&self, scope: CallId) -> Vec<CallId> {
        let made_by = |scope| self.by_scope.get(&scope).map(Vec::as_slice).unwrap_or_default();
        let mut made = made_by(scope).to_vec();
        let mut next = 0;
        while let Some(&id) = made.get(next) {
            made.extend_from_slice(made_by(id));
            next += 1;
        }
        made.retain(|id| self.get(*id).is_some_and(|call| call.state != CallState::Settled));
        made
    }

    /// The bodies that lead from the root to a call, without the root, the call last.
    pub(super) fn path(&self, id: CallId) -> Vec<CallId> {
        let mut path: Vec<_> = std::iter::successors(self.get(id).map(|_| id), |id| {
            self.get(*id).map(|call| call.scope).filter(|scope| self.get(*scope).is_some())
        })
        .collect();
        path.reverse();
        path
    }

    /// The earliest time at which a waiting call is due.
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// Calls that are due by `now`, the earliest first.
    pub(super) fn due(&self, now: Millis) -> Vec<CallId> {
        let due = self.due.iter().take_while(|(due, ..)| *due <= now);
        due.map(|(.., id)| *id).collect()
    }

    /// Names of calls that wait and have no record, in the order they were made.
    pub(super) fn unsettled_names(&self) -> Vec<String> {
        let mut calls: Vec<_> = self
            .by_id
            .iter()
            .filter(|(_, call)| call.state == CallState::Undecided)
            .map(|(id, call)| {
                let name = call.request.name();
                (call.place, format!("`{name}` ({id}; the id depends on the arguments)"))
            })
            .collect();
        calls.sort_unstable();
        calls.into_iter().map(|(_, name)| name).collect()
    }
}
