//! Child entrypoints: what they keep of their runs, and where their histories stand.

use crate::checkpoint::{ChildState, Progress};
use crate::event::ChildStart;
use crate::failure::Failure;
use crate::graph::{ChildGraph, GraphProgress, StepEnd};
use crate::ids::{CallId, CheckpointId, Millis};
use crate::journal::Fact;
use crate::payload::Payload;
use crate::policy::History;
use crate::replay::{BodyOutput, CallRequest};
use crate::thread::execution::input_shown;
use crate::thread::execution::{BodyEnd, Execution};
use crate::thread::index::standing_progress;
use crate::thread::turn::{RunLog, Turn};

/// Where a child entrypoint is called.
#[derive(Debug)]
pub(super) struct Place {
    /// The names of the bodies that lead to its caller.
    path: Vec<String>,
    /// Its own name.
    name: String,
}

/// The name by which a call is known in places: that of its node, if it is one.
fn shown_name(request: &CallRequest) -> &str {
    request.node().map_or_else(|| request.name(), |node| &node.name)
}

impl Execution {
    /// A scope calls a child entrypoint: finds out the place of the call. It is made of the names
    /// of the bodies from the root to the caller, each followed by the number of its call of a
    /// child that leads on, unless that is its first.
    ///
    /// Calls that are nodes of a graph are counted by node: their order means nothing.
    pub(super) fn place_child(&mut self, call: CallId, scope: CallId, request: &CallRequest) {
        if self.places.contains_key(&call) {
            return;
        }
        let node = request.node().map(|node| node.name.clone());
        let count = self.child_counts.entry((scope, node)).or_default();
        let nth = *count;
        *count += 1;
        let mut path = self.place_of(scope);
        path.extend(self.part_of_place(scope));
        path.extend((nth > 0).then(|| nth.to_string()));
        self.places.insert(call, Place { path, name: shown_name(request).to_owned() });
    }

    /// The place that a body is in.
    fn place_of(&self, body: CallId) -> Vec<String> {
        if let Some(place) = self.places.get(&body) {
            return place.path.clone();
        }
        let Some(task) = self.calls.get(body) else { return Vec::new() };
        let mut place = self.place_of(task.scope);
        place.extend(self.part_of_place(task.scope));
        place
    }

    /// What a body adds to the places of what it calls: its name. A graph is known by the node
    /// that it is; its own name says nothing besides.
    fn part_of_place(&self, body: CallId) -> Option<String> {
        let is_node = self.calls.get(body).is_some_and(|call| call.request.node().is_some());
        let is_graph = self.begun.get(&body).is_some_and(|begun| begun.is_graph);
        (is_node || !is_graph).then(|| self.name_of(body))
    }

    fn name_of(&self, body: CallId) -> String {
        let of_call = self.calls.get(body).map(|call| shown_name(&call.request));
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
        Some(format!("{}:{}", place.path.join("/"), place.name))
    }

    /// Where the history of a child stands when it is called.
    pub(super) fn child_start(
        &self,
        call: CallId,
        scope: CallId,
        (name, input): (&str, &Payload),
        is_known: bool,
    ) -> ChildStart {
        let options = self.around.program.options(name);
        let history = options.history;
        // Nothing is kept of a child without a history: it begins anew.
        let is_known = is_known && history != History::Off && self.is_kept(scope);
        let before = if is_known { self.child_progress(call) } else { Progress::default() };
        let is_graph = self.around.program.is_graph(name);
        let went_on = self.steps_of(call).last().filter(|_| is_known);
        let at = match went_on {
            Some((_, stepped)) => stepped.checkpoint.clone(),
            None => self.input_checkpoint_of(call, name, input),
        };
        ChildStart {
            history,
            place: self.places.get(&call).map(|place| place.path.clone()).unwrap_or_default(),
            checkpoint: at.id,
            parent: at.parent,
            step: at.step,
            values: at.values,
            is_graph,
            outputs: options.outputs,
            source: at.source,
            tasks: at.tasks,
            metadata: at.metadata,
            continues: is_known,
            before,
        }
    }

    /// What the checkpoint shows that the input of an entrypoint makes.
    pub(super) fn input_shown(&self, name: &str, state: Option<&ChildState>) -> StepEnd {
        let program = &*self.around.program;
        let values = state.map(|state| state.values.clone()).unwrap_or_default();
        let previous = state.map(|state| state.previous().clone());
        input_shown(program, name, previous, values).unwrap_or_default()
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
        let graph = stopped.graph.as_ref();
        let known = graph.and_then(|graph| graph.children.iter().find(|child| child.call == call));
        let Some(ChildGraph { checkpoints, view, .. }) = known else {
            let mut interrupts = stopped.interrupts;
            interrupts.retain(|one| one.path.contains(&call));
            return Progress { interrupts, failure, result, graph: None };
        };
        let asked = checkpoints.last().map(|last| last.progress.interrupts.clone());
        let graph = GraphProgress { view: view.clone(), children: Vec::new() };
        let (interrupts, graph) = (asked.unwrap_or_default(), Some(Box::new(graph)));
        Progress { interrupts, failure, result, graph }
    }

    /// Passes on the results of children whose calls have all settled: until then a crash would
    /// lose track of calls that nobody waits for.
    pub(super) fn end_children(&mut self, now: Millis, turn: &mut Turn, log: &mut RunLog) -> bool {
        let ended = self.ended_children.keys().copied().find(|scope| self.has_settled(*scope));
        let Some(scope) = ended else { return false };
        for call in self.calls.open_under(scope) {
            self.give_up_call(call);
        }
        if let Some(BodyEnd { result, is_cached }) = self.ended_children.remove(&scope) {
            let outcome: Result<Payload, Failure> = result.map(|output| {
                self.end_child_steps(scope, &output, now, turn, log);
                self.save_child(scope, &output, now, turn);
                output.value
            });
            self.arrive_from(scope, outcome, is_cached);
        }
        true
    }

    /// Whether nothing of a body that has ended goes on. Tasks of a step that wait for people do
    /// not keep the graph that failed, or was left.
    fn has_settled(&self, body: CallId) -> bool {
        let is_graph = self.begun.get(&body).is_some_and(|begun| begun.is_graph);
        self.calls.all_settled(body) || (is_graph && self.is_quiet(body))
    }

    fn save_child(&mut self, call: CallId, output: &BodyOutput, now: Millis, turn: &mut Turn) {
        let Some(begun) = self.begun.get(&call) else { return };
        let Some(key) = self.history_key(call, &begun.name) else { return };
        let (head, step, values) = match (&output.step, self.child_place(call)) {
            (Some(ended), Some((head, step))) => (head, step, ended.values.clone()),
            // A graph that ends otherwise leaves nothing.
            (None, _) if begun.is_graph => return,
            (_, place) => {
                let step = place.map_or(-1, |(_, step)| step) + 1;
                (CheckpointId::of_child(call, 1), step, output.value.clone())
            }
        };
        let state = ChildState { values, saved: output.save.clone(), head, step };
        self.children.insert(key.clone(), state.clone());
        self.append(now, Fact::ChildSaved { key, state }, turn);
    }
}
