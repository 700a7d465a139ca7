//! What the steps of graphs look like before their end, and what is kept of them after it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::event::Interrupt;
use crate::failure::Failure;
use crate::graph::{ChildGraph, GraphProgress, Outcomes, StepView};
use crate::ids::{CallId, CheckpointId, Millis};
use crate::journal::{Entry, Fact};
use crate::payload::Payload;
use crate::replay::{CallRequest, Outcome};
use crate::thread::execution::Execution;
use crate::thread::graphs::as_result;

/// What the step of the root came to by now, with the questions that were asked in it.
#[derive(Debug)]
pub(in crate::thread) struct StepRecord {
    pub(in crate::thread) graph: Box<GraphProgress>,
    pub(in crate::thread) asked: Vec<Interrupt>,
    /// Whether the root is a graph. Otherwise only graphs that it calls are known of.
    pub(in crate::thread) is_of_root: bool,
}

impl StepRecord {
    /// What is kept of the step when it has ended.
    pub(in crate::thread) fn ended(self) -> Progress {
        let Self { graph, asked, is_of_root: _ } = self;
        let graph = Some(Box::new(GraphProgress::of_tasks(graph.view.tasks)));
        Progress { interrupts: asked, graph, ..Progress::default() }
    }
}

impl Execution {
    /// Notes the outcome of a call for the view of the step that made it.
    pub(super) fn note_outcome(&mut self, body: CallId, call: CallId, outcome: &Outcome) {
        if let (Some(begun), Ok(value)) = (self.begun.get(&body), outcome)
            && begun.is_graph
        {
            self.results.entry(body).or_default().insert(call, value.clone());
        }
    }

    /// What the step in progress looks like, and the graphs in it; none if there is no graph.
    pub(in crate::thread) fn step_record(&self) -> Option<StepRecord> {
        let view = self.view_of(self.root);
        let children: Vec<_> =
            self.child_graphs().into_iter().filter_map(|call| self.child_graph(call)).collect();
        if view.is_none() && children.is_empty() {
            return None;
        }
        let (is_of_root, view) = (view.is_some(), view.unwrap_or_default());
        let graph = Box::new(GraphProgress { view, children });
        Some(StepRecord { graph, asked: self.asked_under(self.root), is_of_root })
    }

    /// What is kept of a step that has ended.
    pub(super) fn ended_step(&self, body: CallId) -> Option<Box<GraphProgress>> {
        Some(Box::new(GraphProgress::of_tasks(self.view_of(body)?.tasks)))
    }

    fn view_of(&self, body: CallId) -> Option<StepView> {
        let view = self.scopes.get(&body)?.view()?;
        let none = Outcomes::new();
        let results = self.results.get(&body).unwrap_or(&none);
        // A view that cannot be shown shows nothing; its body fails on its own.
        let mut view = catch_unwind(AssertUnwindSafe(|| view(results))).ok()?;
        let failures = self.failures();
        for task in &mut view.tasks {
            if let (None, Some(call)) = (&task.failure, task.call) {
                task.failure = failures.get(&call).copied().cloned();
            }
        }
        Some(view)
    }

    /// The last failure of each call in this execution, unless the call has asked something since.
    fn failures(&self) -> BTreeMap<CallId, &Failure> {
        let mut failures = BTreeMap::new();
        for entry in &self.journal {
            match &entry.fact {
                Fact::Failed { delivery, failure, .. } => {
                    failures.insert(delivery.call, failure);
                }
                Fact::Asked(asked) => {
                    for call in self.calls.path(asked.scope) {
                        failures.remove(&call);
                    }
                }
                _ => {}
            }
        }
        failures
    }

    /// The graphs that have begun inside of the root: in this run, or in an earlier one of the
    /// step with a result.
    fn child_graphs(&self) -> BTreeSet<CallId> {
        let begun = self.begun.iter().filter(|(_, begun)| begun.is_graph).map(|(body, _)| *body);
        let stepped = self.journal.iter().filter_map(|entry| match &entry.fact {
            Fact::Stepped(stepped) => Some(stepped.body),
            _ => None,
        });
        begun.chain(stepped).filter(|body| *body != self.root).collect()
    }

    /// What a graph has come to that runs inside of the root.
    fn child_graph(&self, call: CallId) -> Option<ChildGraph> {
        let CallRequest::Entrypoint { name, input, .. } = &self.calls.get(call)?.request else {
            return None;
        };
        let checkpoints = self.checkpoints_of(call, name, input);
        let last = checkpoints.last().filter(|last| !last.tasks.is_empty());
        let view = last.and_then(|last| match self.is_behind_its_step(call) {
            true => {
                let program = &*self.around.program;
                let result = as_result(program, &last.entrypoint, last.values.clone());
                Some(StepView::planned(last, result))
            }
            false => self.view_of(call),
        });
        let view = view.unwrap_or_default();
        Some(ChildGraph { call, checkpoints, view })
    }

    /// Whether a child has made a step and has not begun the next one.
    fn is_behind_its_step(&self, body: CallId) -> bool {
        let Some(begun) = self.begun.get(&body) else { return false };
        let attempt = body.of_attempt(begun.attempt);
        self.scopes.get(&body).is_none_or(|scope| scope.info().calls != attempt)
    }

    /// The checkpoints that a child graph has made in this execution, with what came of each.
    fn checkpoints_of(&self, call: CallId, name: &str, input: &Payload) -> Vec<Checkpoint> {
        let mut made = vec![self.input_checkpoint_of(call, name, input)];
        for (entry, stepped) in self.steps_of(call) {
            if let Some(last) = made.last_mut() {
                last.progress = stepped.progress.clone();
            }
            made.push(Checkpoint { created_at: entry.at, ..stepped.checkpoint.clone() });
        }
        if let Some(last) = made.last_mut() {
            let failure = self.failures().get(&call).copied().cloned();
            let interrupts = self.asked_under(call);
            last.progress = Progress { interrupts, failure, ..Progress::default() };
        }
        made
    }

    /// The steps of a child, in their order.
    pub(super) fn steps_of(
        &self,
        call: CallId,
    ) -> impl Iterator<Item = (&Entry, &crate::journal::Stepped)> {
        self.journal.iter().filter_map(move |entry| match &entry.fact {
            Fact::Stepped(stepped) if stepped.body == call => Some((entry, &**stepped)),
            _ => None,
        })
    }

    pub(super) fn input_checkpoint_of(
        &self,
        call: CallId,
        name: &str,
        input: &Payload,
    ) -> Checkpoint {
        let state = self.child_state(call, name);
        let shown = self.input_shown(name, state);
        Checkpoint {
            id: CheckpointId::of_child(call, 0),
            parent: state.map(|state| state.head),
            created_at: Millis::default(),
            source: Source::Input,
            step: state.map_or(-1, |state| state.step + 1),
            run: self.run,
            entrypoint: name.to_owned(),
            values: shown.values,
            saved: state.map(|state| state.previous().clone()),
            input: Some(input.clone()),
            goes_on: false,
            tasks: shown.tasks,
            progress: Progress::default(),
            metadata: self.settings.config.scalars(),
            children: BTreeMap::new(),
        }
    }

    /// The questions that were asked under a body in this execution, the newest of each of its
    /// calls: those that are open, and those of earlier stops if their call has asked nothing since.
    pub(super) fn asked_under(&self, body: CallId) -> Vec<Interrupt> {
        let caller = |asked: &Interrupt| match asked.path.iter().position(|one| *one == body) {
            Some(place) => asked.path.get(place + 1).copied(),
            None => asked.path.first().copied(),
        };
        let is_under = |asked: &&Interrupt| body == self.root || asked.path.contains(&body);
        let stops = self.journal.iter().filter_map(|entry| match &entry.fact {
            Fact::RunStopped { progress, .. } => Some(&progress.interrupts),
            _ => None,
        });
        let mut asked: Vec<Interrupt> = Vec::new();
        for newer in stops.chain([&self.open_questions()]) {
            let newer: Vec<_> = newer.iter().filter(is_under).collect();
            asked.retain(|old| !newer.iter().any(|new| caller(new) == caller(old)));
            asked.extend(newer.into_iter().cloned());
        }
        asked
    }
}
