//! What graphs show: their steps, and the nodes that these run.

use std::collections::BTreeMap;

use rethread_core::checkpoint::{Checkpoint, Progress, Source};
use rethread_core::event::{ChildStart, Interrupt};
use rethread_core::failure::Failure;
use rethread_core::graph::{Node, NodeOutput, StepTask, StepView};
use rethread_core::ids::{CallId, CallKind, CheckpointId};
use rethread_core::parts;
use rethread_core::payload::Payload;
use rethread_core::policy::History;

use super::{Mapping, began, call_started, ended_child, finished, snapshot, value_of};
use crate::outcome::OpenInterrupt;
use crate::state::{Look, Shown, Step, TaskState, facts};
use crate::stream::event::{Mode, StreamData, TaskEnd};
use crate::stream::scopes::{Graph, Run, Scope, has_completed};
use crate::stream::view::Sheet;
use crate::stream::writes::{as_result, as_update, only_fields};
use crate::value::AnyValue;

/// A checkpoint between two steps of a graph.
pub(super) struct Boundary {
    pub(super) checkpoint: CheckpointId,
    pub(super) parent: Option<CheckpointId>,
    pub(super) source: Source,
    pub(super) step: i64,
    pub(super) values: Payload,
    pub(super) tasks: Vec<StepTask>,
}

impl Mapping {
    /// The run works on a graph.
    pub(super) fn graph_started(
        &mut self,
        run: &Run,
        checkpoint: Checkpoint,
        continues: bool,
        before: &Progress,
        sheet: &mut Sheet<'_>,
    ) {
        self.show_values(run, &checkpoint.values, continues, sheet);
        let view = before.graph.as_deref().map(|graph| &graph.view);
        let asked = &before.interrupts;
        let is_by_name = match checkpoint.source {
            Source::Update => false,
            // LangGraph does not save with a fork what led to its tasks.
            Source::Fork => checkpoint.run == self.reader.run(),
            _ => true,
        };
        let step = streamed(None, is_by_name, &checkpoint.tasks, view, asked, None);
        let shown = Shown::from(checkpoint);
        self.metadata = shown.metadata.clone();
        sheet.show_checkpoint(shown.step, run, || snapshot(shown.with_step(step, None)));
    }

    /// A graph is called, as a node or by a body.
    pub(super) fn graph_called(&mut self, run: &Run, child: &ChildStart, sheet: &mut Sheet<'_>) {
        let is_over = has_completed(child);
        if !is_over {
            began(sheet, run);
        }
        self.show_values(run, &child.values, child.continues, sheet);
        if child.history == History::Off {
            return;
        }
        let view = child.before.graph.as_deref().map(|graph| &graph.view);
        let asked = &child.before.interrupts;
        let outputs = run.outputs.as_deref();
        let is_by_name = child.source != Source::Update;
        let step = streamed(Some(run.call), is_by_name, &child.tasks, view, asked, outputs);
        let made = Boundary {
            checkpoint: child.checkpoint,
            parent: child.parent,
            source: child.source,
            step: child.step,
            values: child.values.clone(),
            tasks: Vec::new(),
        };
        self.show_boundary(run, made, step, facts(child.metadata.clone()), sheet);
    }

    /// A step of a graph calls a node.
    pub(super) fn node_called(
        &mut self,
        run: &Run,
        child: Option<&ChildStart>,
        call: CallId,
        node: &Node,
        input: Payload,
        sheet: &mut Sheet<'_>,
    ) {
        let is_graph = run.call == call;
        let around = if is_graph { run.parent().map_or(run, |parent| parent) } else { run };
        if !node.is_handler {
            let seen = match child {
                Some(_) => input,
                None => first_argument(input),
            };
            sheet.of_node(|sheet| call_started(sheet, around, call, &node.name, seen));
        }
        if let Some(child) = child.filter(|_| is_graph) {
            self.graph_called(run, child, sheet);
        }
    }

    /// A node has ended.
    pub(super) fn node_updated(
        &mut self,
        call: CallId,
        node: &Node,
        value: &Payload,
        is_cached: bool,
        sheet: &mut Sheet<'_>,
    ) {
        let Some(scope) = self.scopes.close(call) else { return };
        let around = around(&scope, call);
        // What is meant for the graph around this one is shown there.
        if let Some(written) = written(&scope, node, value) {
            let name = shown_name(node);
            let update = as_update(&written, around.outputs.as_deref());
            sheet.of_node(|sheet| {
                sheet.show(Mode::Updates, around, || StreamData::Update {
                    id: call,
                    name: name.clone(),
                    value: AnyValue::new(update, format!("update of node `{name}`")),
                    cached: is_cached,
                });
                if !is_cached {
                    finished(sheet, around, call, &name, || {
                        let result = as_result(&written);
                        TaskEnd::Result(result_of_node(&name, result))
                    });
                }
            });
        }
        if scope.run.call == call {
            ended_child(sheet, &scope.run, || {
                let what = format!("result of `{}`", scope.run.name);
                TaskEnd::Result(AnyValue::new(value.clone(), what))
            });
        }
    }

    /// A node has failed for good.
    pub(super) fn node_failed(
        &mut self,
        call: CallId,
        node: &Node,
        failure: Failure,
        sheet: &mut Sheet<'_>,
    ) {
        let Some(scope) = self.scopes.close(call) else { return };
        let around = around(&scope, call);
        sheet.of_node(|sheet| {
            finished(sheet, around, call, &shown_name(node), || TaskEnd::Failed(failure.clone()));
        });
        if scope.run.call == call {
            ended_child(sheet, &scope.run, || TaskEnd::Failed(failure));
        }
    }

    /// A graph has made a step.
    pub(super) fn stepped(
        &mut self,
        body: Option<CallId>,
        made: Boundary,
        changed: bool,
        pauses: bool,
        sheet: &mut Sheet<'_>,
    ) {
        let Some(run) = self.scopes.step(body, made.step) else { return };
        self.show_values(&run, &made.values, changed, sheet);
        if pauses && let Some(graph) = self.scopes.graph_mut(&run) {
            graph.pauses = true;
        }
        if run.depth == 0 || run.checkpoint.is_some() {
            let step = streamed(body, true, &made.tasks, None, &[], None);
            self.show_boundary(&run, made, step, self.metadata.clone(), sheet);
        }
    }

    /// A graph stands at the beginning of a step with these values.
    fn show_values(&mut self, run: &Run, values: &Payload, are_shown: bool, sheet: &mut Sheet<'_>) {
        let values = match &run.outputs {
            Some(only) => only_fields(values, only),
            None => values.clone(),
        };
        if are_shown {
            let value = value_of(run, values.clone());
            sheet.show(Mode::Values, run, || StreamData::Value(value));
        }
        self.scopes.at_step(run.call, Graph { values, pauses: false });
    }

    fn show_boundary(
        &self,
        run: &Run,
        made: Boundary,
        step: Step,
        metadata: BTreeMap<String, AnyValue>,
        sheet: &mut Sheet<'_>,
    ) {
        let at = sheet.at;
        sheet.show_checkpoint(made.step, run, || {
            let shown = Shown {
                checkpoint: made.checkpoint,
                parent: run.shown_parent(made.parent),
                created_at: at,
                source: made.source,
                step: made.step,
                run: self.reader.run(),
                entrypoint: run.name.clone(),
                values: made.values,
                metadata,
            };
            snapshot(shown.with_step(step, None))
        });
    }

    /// The graph of the run stopped within a step: what it has come to by the tasks that ended.
    pub(super) fn show_stopped(&mut self, sheet: &mut Sheet<'_>) {
        let Some(stopped) = self.stopped.take() else { return };
        if let Some(run) = self.scopes.root()
            && stopped.view.changed
        {
            // An older coordinator tells the values alone.
            let shown = [stopped.view.streamed, stopped.view.values];
            let shown = shown.into_iter().find(|values| !values.is_null()).unwrap_or_default();
            let value = value_of(run, shown);
            sheet.show(Mode::Values, run, || StreamData::Value(value));
        }
    }

    /// The run of a graph ended at a breakpoint, if it did: its own, or that of a graph within.
    pub(super) fn show_pause(&mut self, sheet: &mut Sheet<'_>) {
        let is_within = self.stopped.is_some();
        self.show_stopped(sheet);
        let Some(run) = self.scopes.root() else { return };
        let Some(graph) = self.scopes.graph(run) else { return };
        if is_within || graph.pauses {
            sheet.show(Mode::Updates, run, || StreamData::Interrupts(Vec::new()));
        }
    }
}

/// A node waits for answers.
pub(super) fn node_waits(
    sheet: &mut Sheet<'_>,
    run: &Run,
    call: CallId,
    node: &Node,
    open: &[OpenInterrupt],
    value: AnyValue,
) {
    sheet.show(Mode::Updates, run, || StreamData::Interrupts(open.to_vec()));
    let interrupts = open.to_vec();
    sheet.show(Mode::Values, run, || StreamData::Paused { value, interrupts });
    sheet.of_node(|sheet| {
        finished(sheet, run, call, &shown_name(node), || TaskEnd::Interrupted(open.to_vec()));
    });
}

/// The run that what a node came to belongs to: that of its graph.
fn around(scope: &Scope, call: CallId) -> &Run {
    match scope.run.parent() {
        Some(parent) if scope.run.call == call => parent,
        _ => &scope.run,
    }
}

/// The updates of a node; none if they are not for its own graph.
fn written(scope: &Scope, node: &Node, value: &Payload) -> Option<Vec<Payload>> {
    if scope.kind == CallKind::Entrypoint {
        if let Some(command) = NodeOutput::of_parent_command(value) {
            return Some(command.updates);
        }
        return Some(vec![match &node.fields {
            Some(only) => only_fields(value, only),
            None => value.clone(),
        }]);
    }
    match value.decode::<NodeOutput>("output of a node") {
        Ok(output) => (!output.to_parent).then_some(output.updates),
        Err(_) => Some(vec![value.clone()]),
    }
}

/// The name that LangGraph shows for a node, or for what handles its failures.
fn shown_name(node: &Node) -> String {
    match node.is_handler {
        true => format!("__error_handler__{}", node.name),
        false => node.name.clone(),
    }
}

/// What the task of a node sees; the rest of its arguments is between it and its graph.
fn first_argument(input: Payload) -> Payload {
    parts::elements(&input).and_then(|parts| parts.into_iter().next()).unwrap_or(input)
}

/// A step as streams show it: the tasks that edges lead to in the order in which their updates
/// count, or as their nodes were added.
fn streamed(
    body: Option<CallId>,
    is_by_name: bool,
    planned: &[StepTask],
    view: Option<&StepView>,
    asked: &[Interrupt],
    outputs: Option<&[String]>,
) -> Step {
    let look = Look { is_live: false, has_added: true, subgraphs: false, asked };
    let (mut planned, mut view) = (planned.to_vec(), view.cloned());
    if is_by_name {
        let place = |sent: bool, name: &str| (!sent).then(|| name.to_owned());
        planned.sort_by_key(|task| place(task.sent, &task.name));
        if let Some(view) = &mut view {
            view.tasks.sort_by_key(|task| place(task.sent, &task.name));
        }
    }
    let mut step = look.step(body, &planned, view.as_ref(), &[]);
    step.tasks.iter_mut().for_each(|task| show_in_stream(task, outputs));
    step
}

/// A checkpoint of a stream shows of a task that failed its failure only, and of a result the
/// fields that the graph gives, if there are any.
fn show_in_stream(task: &mut TaskState, outputs: Option<&[String]>) {
    if task.error.is_some() {
        (task.result, task.interrupts) = (None, Vec::new());
    }
    let Some(result) = task.result.take() else { return };
    let fields = match outputs {
        Some(only) => only_fields(result.payload(), only),
        None => result.into_payload(),
    };
    let has_some = parts::fields(&fields).is_none_or(|fields| !fields.is_empty());
    task.result = has_some.then(|| result_of_node(&task.name, fields));
}

fn result_of_node(name: &str, result: Payload) -> AnyValue {
    AnyValue::new(result, format!("result of node `{name}`"))
}
