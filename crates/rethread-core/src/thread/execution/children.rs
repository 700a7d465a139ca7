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
    /// A scope calls a child entrypoint: finds out the place of the call. It is made of the names
    /// of the bodies from the root to the caller, each followed by the number of its call of a
    /// child that leads on, unless that is its first.
    pub(super) fn place_child(&mut self, call: CallId, scope: CallId) {
        if self.places.contains_key(&call) {
            return;
        }
        let count = self.child_counts.entry(scope).or_default();
        let nth = *count;
        *count += 1;
        let mut place = self.place_of(scope);
        place.push(self.name_of(scope));
        place.extend((nth > 0).then(|| nth.to_string()));
        self.places.insert(call, place);
    }

    /// The place that a body is in.
    fn place_of(&self, body: CallId) -> Vec<String> {
        if let Some(place) = self.places.get(&body) {
            return place.clone();
        }
        let Some(task) = self.calls.get(body) else { return Vec::new() };
        let mut place = self.place_of(task.scope);
        place.push(self.name_of(task.scope));
        place
    }

    fn name_of(&self, body: CallId) -> String {
        let of_call = self.calls.get(body).map(|call| call.request.name());
        let of_root = || self.begun.get(&body).map(|begun| begun.name.as_str());
        of_call.or_else(of_root).unwrap_or_default().to_owned()
    }

    /// What the last execution of a child left, if it keeps a history.
    pub(super) fn child_state(&self, call: CallId, name: &str) -> Option<&ChildState> {
        self.children.get(&self.history_key(call, name)?)
    }

    /// The key under which the history of a child is kept, if it keeps one.
    fn history_key(&self, call: CallId, name: &str) -> Option<String> {
        let is_kept = self.around.program.options(name).history == History::Thread;
        let place = self.places.get(&call).filter(|_| is_kept)?;
        Some(format!("{}:{name}", place.join("/")))
    }

    /// Where the history of a child stands when it is called.
    pub(super) fn child_start(
        &self,
        call: CallId,
        scope: CallId,
        name: &str,
        is_known: bool,
    ) -> ChildStart {
        let history = self.around.program.options(name).history;
        let state = self.child_state(call, name);
        // Nothing is kept of a child without a history: it begins anew.
        let is_known = is_known && history != History::Off && self.is_kept(scope);
        let before = if is_known { self.child_progress(call) } else { Progress::default() };
        ChildStart {
            history,
            place: self.places.get(&call).cloned().unwrap_or_default(),
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
        let name = self.name_of(call);
        let Some(key) = self.history_key(call, &name) else { return };
        let step = self.child_state(call, &name).map_or(-1, |state| state.step + 1) + 1;
        let head = CheckpointId::of_child(call, 1);
        let state = ChildState { values: value.clone(), saved, head, step };
        self.children.insert(key.clone(), state.clone());
        self.append(now, Fact::ChildSaved { key, state }, turn);
    }
}
