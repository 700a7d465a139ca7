//! Child entrypoints: what they keep of their runs, and where their histories stand.

use crate::checkpoint::{ChildState, Progress};
use crate::event::ChildStart;
use crate::failure::Failure;
use crate::ids::{CallId, CheckpointId, Millis};
use crate::journal::Fact;
use crate::payload::Payload;
use crate::policy::History;
use crate::thread::execution::{BodyEnd, Execution};
use crate::thread::index::standing_progress;
use crate::thread::turn::Turn;

impl Execution {
    /// A scope calls a child entrypoint: finds out the place that its history is kept under.
    pub(super) fn place_child(&mut self, call: CallId, scope: CallId, name: &str) {
        if self.places.contains_key(&call)
            || self.around.program.options(name).history != History::Thread
        {
            return;
        }
        let count = self.child_counts.entry((scope, name.to_owned())).or_default();
        *count += 1;
        let nth = *count;
        let callers = self.calls.path(scope);
        let callers = callers.iter().filter_map(|caller| self.calls.get(*caller));
        let path: Vec<_> = callers.map(|caller| caller.request.name()).collect();
        let place = format!("{}/{name}#{nth}", path.join("/"));
        self.places.insert(call, place);
    }

    /// What the last execution of a child left, if it keeps a history.
    pub(super) fn child_state(&self, call: CallId) -> Option<&ChildState> {
        self.places.get(&call).and_then(|place| self.children.get(place))
    }

    /// Where the history of a child stands when it is called.
    pub(super) fn child_start(&self, call: CallId, name: &str, is_known: bool) -> ChildStart {
        let history = self.around.program.options(name).history;
        let state = self.child_state(call);
        // Nothing is kept of a child without a history: it begins anew.
        let is_known = is_known && history != History::Off;
        let before = if is_known { self.child_progress(call) } else { Progress::default() };
        ChildStart {
            history,
            checkpoint: CheckpointId::of_child(call, 0),
            parent: state.map(|state| state.head),
            step: state.map_or(-1, |state| state.step + 1),
            values: state.map(|state| state.values.clone()).unwrap_or_default(),
            continues: is_known,
            before,
        }
    }

    /// What a child had come to in the runs before this one.
    fn child_progress(&self, call: CallId) -> Progress {
        let outcome = self.index.outcome_position(call).map(|at| &self.journal[at].fact);
        let (result, failure) = match outcome {
            Some(Fact::Completed { value, .. }) => (Some(value.clone()), None),
            Some(Fact::Failed { failure, .. }) => (None, Some(failure.clone())),
            _ => (None, None),
        };
        let stopped = standing_progress(&self.journal);
        let is_in_child = |path: &[CallId]| path.contains(&call);
        let interrupts = stopped.interrupts.into_iter().filter(|one| is_in_child(&one.path));
        Progress { interrupts: interrupts.collect(), failure, result }
    }

    /// Passes on the results of children whose calls have all settled: until then a crash would
    /// lose track of calls that nobody waits for.
    pub(super) fn end_children(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let settled =
            self.ended_children.keys().copied().find(|scope| self.calls.all_settled(*scope));
        let Some(scope) = settled else { return false };
        if let Some(BodyEnd { result, is_cached }) = self.ended_children.remove(&scope) {
            let outcome: Result<Payload, Failure> = result.map(|output| {
                self.save_child(scope, &output.value, output.save, now, turn);
                output.value
            });
            self.arrive_from(scope, outcome, is_cached);
        }
        true
    }

    fn save_child(
        &mut self,
        call: CallId,
        value: &Payload,
        saved: Option<Payload>,
        now: Millis,
        turn: &mut Turn,
    ) {
        let Some(place) = self.places.get(&call).cloned() else { return };
        let step = self.child_state(call).map_or(-1, |state| state.step + 1) + 1;
        let head = CheckpointId::of_child(call, 1);
        let state = ChildState { values: value.clone(), saved, head, step };
        self.children.insert(place.clone(), state.clone());
        self.append(now, Fact::ChildSaved { place, state }, turn);
    }
}
