//! The step of a graph in progress: what its tasks came to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rethread_core::failure::{Failure, kind};
use rethread_core::graph::{Breakpoints, NodeOutput, Outcomes, StepEnd, StepView, TaskView};
use rethread_core::ids::CallId;
use rethread_core::payload::Payload;
use rethread_core::replay::BodyOutput;

use crate::command::fields_of;
use crate::compiled::{Compiled, CompiledKind};
use crate::point::{Ended, Planned, Point, in_order_of_updates};
use crate::update::{self, Written};
use crate::values::Values;

/// A task of the step, its call, and what it came to if it has ended.
#[derive(Debug, Clone)]
pub(crate) struct TaskOfStep {
    pub(crate) planned: Planned,
    pub(crate) call: CallId,
    pub(crate) output: Option<NodeOutput>,
    /// Whether an error handler gave the output.
    pub(crate) is_handled: bool,
}

/// What the body found out about the calls of a step besides what is recorded of them.
#[derive(Debug, Default)]
pub(crate) struct FoundOut {
    /// Errors that were handled, by the call of the node: the call of the handler, and the failure.
    handled: BTreeMap<CallId, (CallId, Failure)>,
    /// Results of graphs that cannot be taken: they count as failures.
    refused: BTreeMap<CallId, Failure>,
}

/// Shared by the body and the view of its step.
pub(crate) type Found = Arc<Mutex<FoundOut>>;

impl FoundOut {
    pub(crate) fn handle(&mut self, call: CallId, handler: CallId, failure: Failure) {
        self.handled.insert(call, (handler, failure));
    }

    pub(crate) fn refuse(&mut self, call: CallId, failure: Failure) {
        self.refused.insert(call, failure);
    }
}

/// What a recorded result of a node is: for a function what it gave, for a graph its result, as
/// far as this graph has its fields.
pub(crate) fn output_of(
    graph: &Compiled,
    node: &str,
    recorded: &Payload,
) -> Result<NodeOutput, Failure> {
    let is_graph =
        graph.nodes.get(node).is_some_and(|node| matches!(node.kind, CompiledKind::Graph(_)));
    if !is_graph {
        return Ok(recorded.decode(format_args!("result of node `{node}`"))?);
    }
    match NodeOutput::of_parent_command(recorded) {
        Some(command) => Ok(NodeOutput { to_parent: false, ..command }),
        None => Ok(NodeOutput { updates: vec![recorded.clone()], ..NodeOutput::default() }),
    }
}

/// What tasks wrote, in the order in which it counts.
fn written(tasks: &[TaskOfStep]) -> Result<Vec<Written>, Failure> {
    let mut ended: Vec<_> = tasks.iter().filter(|task| task.output.is_some()).collect();
    in_order_of_updates(&mut ended, |task| &task.planned);
    ended.iter().map(|task| task.written()).collect()
}

impl TaskOfStep {
    fn written(&self) -> Result<Written, Failure> {
        let updates = self.output.iter().flat_map(|output| &output.updates).map(fields_of);
        Ok(Written::new(self.call, updates.collect::<Result<_, _>>()?))
    }
}

/// The end of a step: the updates put together, and what comes next.
pub(crate) fn end(
    graph: &Compiled,
    mut point: Point,
    mut tasks: Vec<TaskOfStep>,
    breakpoints: &Breakpoints,
    is_root: bool,
) -> Result<BodyOutput, Failure> {
    in_order_of_updates(&mut tasks, |task| &task.planned);
    let written = written(&tasks)?;
    let next = update::apply(&graph.schema, &point.values, &written, true)?;
    let before = std::mem::replace(&mut point.values, next);
    let ended: Vec<_> = tasks.iter().filter_map(TaskOfStep::ended).collect();
    point.end_step(&graph.topology, &ended);
    let ran = tasks.iter().map(|task| task.planned.node.as_str());
    let changed = has_changed(graph, &written, is_root);
    let mut output =
        output(graph, &point, changed, true, |next| is_breakpoint(graph, breakpoints, ran, next))?;
    if !changed {
        // The result is what was shown last: fields that lived for the step are still in it.
        output.value = graph.result(&before);
    }
    Ok(output)
}

impl TaskOfStep {
    fn ended(&self) -> Option<Ended<'_>> {
        let output = self.output.as_ref()?;
        Some(Ended {
            node: &self.planned.node,
            was_sent: self.planned.sent.is_some(),
            goto: &output.goto,
            follows_edges: !self.is_handled,
        })
    }
}

/// What the body gives for a step.
pub(crate) fn output(
    graph: &Compiled,
    point: &Point,
    changed: bool,
    counts: bool,
    is_breakpoint: impl FnOnce(&[Planned]) -> bool,
) -> Result<BodyOutput, Failure> {
    let planned = point.planned(&graph.topology);
    let untracked = graph.schema.untracked(&point.values);
    let carried = (!untracked.is_empty()).then(|| untracked.to_payload());
    let mut saved = point.clone();
    saved.values = graph.schema.saved(&point.values);
    let step = StepEnd {
        values: graph.shown(&point.values),
        changed,
        // Streams show a breakpoint behind the last step, too.
        pause: is_breakpoint(&planned),
        tasks: planned.iter().map(Planned::shown).collect(),
        counts,
        carried,
    };
    Ok(BodyOutput {
        value: graph.result(&point.values),
        save: Some(Payload::encode(&saved, format_args!("state of graph `{}`", graph.name()))?),
        step: Some(Box::new(step)),
    })
}

/// Whether something was written that streams of values show: of a graph in another, fields of its
/// result.
pub(crate) fn has_changed(graph: &Compiled, written: &[Written], is_root: bool) -> bool {
    let mut fields = written.iter().flat_map(|task| &task.updates).flat_map(Values::iter);
    let is_shown = |field| is_root || graph.output.contains(field);
    fields.any(|(field, _)| graph.schema.is_written(field) && is_shown(field))
}

/// Whether a run stops after a step of `ran` and before one of `next`.
pub(crate) fn is_breakpoint<'a>(
    graph: &Compiled,
    of_run: &Breakpoints,
    mut ran: impl Iterator<Item = &'a str>,
    next: &[Planned],
) -> bool {
    // Those of the run take the place of those of the graph.
    let after = if of_run.after.is_empty() { &graph.interrupt_after } else { &of_run.after };
    let before = if of_run.before.is_empty() { &graph.interrupt_before } else { &of_run.before };
    let has = |names: &[String], node: &str| names.iter().any(|name| name == "*" || name == node);
    ran.any(|node| has(after, node)) || next.iter().any(|task| has(before, &task.node))
}

/// What the step looks like, from the results recorded so far.
pub(crate) fn view(
    graph: &Compiled,
    values: &Values,
    planned: &[(Planned, CallId)],
    found: &Found,
    is_root: bool,
    outcomes: &Outcomes,
) -> StepView {
    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let tasks: Vec<_> = planned
        .iter()
        .map(|(planned, call)| {
            let by_handler = found.handled.get(call).map(|(handler, _)| *handler);
            let recorded = by_handler.and_then(|handler| outcomes.get(&handler));
            let recorded = recorded.or_else(|| outcomes.get(call));
            let output = recorded.and_then(|it| output_of(graph, &planned.node, it).ok());
            let is_refused = found.refused.contains_key(call);
            let output = output.filter(|output| !output.to_parent && !is_refused);
            let task = TaskOfStep {
                planned: planned.clone(),
                call: *call,
                output,
                is_handled: by_handler.is_some(),
            };
            (task, by_handler)
        })
        .collect();
    let of_step: Vec<_> = tasks.iter().map(|(task, _)| task.clone()).collect();
    // Updates that cannot be put together leave the values as they were: the step has failed.
    let written = written(&of_step).unwrap_or_default();
    let changed = has_changed(graph, &written, is_root);
    let streamed = match changed {
        true => update::apply(&graph.schema, values, &written, true).ok(),
        false => None,
    };
    let streamed = streamed.unwrap_or_else(|| values.clone());
    // What lives for a step ends with the first task that has ended, as a state shows it.
    let has_ended = of_step.iter().any(|task| task.output.is_some());
    let live = if has_ended { graph.schema.lasting(&streamed) } else { streamed.clone() };
    let shown = tasks.iter().map(|(task, by_handler)| {
        let result = task.output.as_ref().and_then(|_| task.written().ok());
        let handled = found.handled.get(&task.call).map(|(_, failure)| failure);
        let handled = handled.filter(|_| task.output.is_some());
        let failure = handled.or(found.refused.get(&task.call)).cloned();
        TaskView {
            name: task.planned.node.clone(),
            sent: task.planned.sent.is_some(),
            added: task.planned.added,
            // Without a result of the handler its failure is the newest.
            call: Some(by_handler.unwrap_or(task.call)),
            result: result.map(|written| written.shown(&graph.schema)),
            failure,
            has_own_state: graph
                .nodes
                .get(&task.planned.node)
                .is_some_and(|node| matches!(node.kind, CompiledKind::Graph(_))),
        }
    });
    StepView {
        values: graph.shown(&live),
        result: graph.result(&streamed),
        streamed: graph.streamed(&streamed),
        changed,
        tasks: shown.collect(),
    }
}

/// The failure for a checkpoint that leads to nodes which are gone.
pub(crate) fn stranger(graph: &Compiled, node: &str) -> Failure {
    let message = format!(
        "the checkpoint leads to node `{node}`, which graph `{}` no longer has; add a node of this \
         name and go on",
        graph.name()
    );
    Failure::new(kind::INVALID_GRAPH, message)
}
