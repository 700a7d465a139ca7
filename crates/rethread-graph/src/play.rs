//! The body of a graph: it plays one step each time it is begun.

use std::sync::{Arc, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rethread_core::failure::{Failure, kind};
use rethread_core::graph::{NodeOutput, Outcomes, START, StepView, TaskView};
use rethread_core::ids::CallId;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::replay::{BodyOutput, CallRequest, Scope, ScopeInfo};

use crate::branch;
use crate::command::fields_of;
use crate::compiled::{Compiled, CompiledKind, CompiledNode, NodeTask};
use crate::managed;
use crate::node::NodeFailure;
use crate::point::{Ended, Planned, Point, start_task};
use crate::recorded::Recorded;
use crate::run::{self, PathView};
use crate::step::{self, Found, FoundOut, TaskOfStep};
use crate::update::{self, Written};
use crate::values::Values;

/// Plays a step: that of the start, which takes the input, or the next one of nodes.
pub(crate) async fn play(graph: Arc<Compiled>, input: Payload) -> Result<BodyOutput, Failure> {
    let scope = Scope::current().map_err(|outside| {
        Failure::new(kind::OUTSIDE_RUN, format!("graph `{}`: {outside}", graph.name()))
    })?;
    if scope.info().goes_on {
        play_nodes(&graph, &scope).await
    } else {
        play_start(&graph, &scope, &input).await
    }
}

/// Where the graph stands.
pub(crate) fn point(graph: &Compiled, previous: Option<&Payload>) -> Result<Point, Failure> {
    match previous {
        Some(saved) if !saved.is_null() => {
            let mut point: Point =
                saved.decode(format_args!("state of graph `{}`", graph.name()))?;
            graph.schema.complete(&mut point.values);
            Ok(point)
        }
        Some(_) | None => Ok(Point::new(graph.schema.initial())),
    }
}

/// Gives up what the thread had left to do, for a new input.
pub(crate) fn before_input(graph: &Compiled, point: &mut Point) -> Result<(), Failure> {
    let is_paused = !point.planned(&graph.topology).is_empty();
    point.give_up_step(&graph.topology);
    if is_paused {
        // The step that is given up ends what lives for a step.
        point.values = update::apply(&graph.schema, &point.values, &[], true)?;
    }
    Ok(())
}

/// The fields of an input that the graph takes.
pub(crate) fn input_fields(graph: &Compiled, input: &Payload) -> Result<Values, Failure> {
    let fields = Values::from_payload(input).ok_or_else(|| {
        let message = format!(
            "an input of graph `{}` is a map of fields of its state, and something else was given",
            graph.name()
        );
        Failure::new(kind::INVALID_UPDATE, message).final_()
    })?;
    Ok(fields.filtered(|field| graph.input.contains(field)))
}

/// Looks whether the fields of an input are of the types of the state. Null is none: the graph goes
/// on.
///
/// # Errors
/// For the first field that is of another type.
pub(crate) fn check_input(graph: &Compiled, input: &Payload) -> Result<(), PayloadError> {
    match Values::from_payload(input) {
        Some(fields) => {
            let taken = fields.filtered(|field| graph.input.contains(field));
            graph.schema.check(&taken)
        }
        // What is no map at all is an error of the run.
        None => Ok(()),
    }
}

async fn play_start(
    graph: &Arc<Compiled>,
    scope: &Scope,
    input: &Payload,
) -> Result<BodyOutput, Failure> {
    let info = scope.info();
    let mut point = point(graph, info.previous.as_ref())?;
    before_input(graph, &mut point)?;
    scope.set_view(start_view(graph, &point, None));
    let fields = input_fields(graph, input)?;
    let written = [Written::new(info.calls, vec![fields])];
    let next = update::apply(&graph.schema, &point.values, &written, true)?;
    let mut goto = Vec::new();
    let view = PathView::of_input(next.clone(), input);
    for branch in graph.branches_from(START) {
        goto.extend(branch.ask_now(&view.of(branch, &graph.state), START, &graph.topology)?);
    }
    let result = written[0].shown(&graph.schema);
    scope.set_view(start_view(graph, &point, Some(result)));
    point.values = next;
    let start = Ended { node: START, was_sent: false, goto: &goto, follows_edges: true };
    point.end_step(&graph.topology, &[start]);
    let changed = step::has_changed(graph, &written, info.is_root);
    step::output(graph, &point, changed, false, |next| {
        step::is_breakpoint(graph, &info.breakpoints, std::iter::empty(), next)
    })
}

/// What the step of the start looks like: it makes no calls, and has a result once it is over.
fn start_view(
    graph: &Compiled,
    point: &Point,
    result: Option<Payload>,
) -> Arc<dyn Fn(&Outcomes) -> StepView + Send + Sync> {
    let view = StepView {
        values: graph.shown(&point.values),
        result: graph.result(&point.values),
        streamed: Payload::NULL,
        changed: false,
        tasks: vec![TaskView {
            name: start_task().name,
            sent: false,
            added: false,
            call: None,
            result,
            failure: None,
            has_own_state: false,
        }],
    };
    Arc::new(move |_| view.clone())
}

async fn play_nodes(graph: &Arc<Compiled>, scope: &Arc<Scope>) -> Result<BodyOutput, Failure> {
    let info = scope.info();
    let mut point = point(graph, info.previous.as_ref())?;
    if let Some(carried) = info.carried.as_ref().and_then(Values::from_payload) {
        carried.into_iter().for_each(|(field, value)| point.values.set(&field, value));
    }
    if let Some(gone) = point.strangers(&graph.topology).next() {
        return Err(step::stranger(graph, gone));
    }
    let mut seen = point.values.clone();
    managed::give(&graph.schema, &mut seen, info.steps)?;
    let found = Found::default();
    let step = Step { graph, scope, seen: &seen, found: &found };
    let planned = point.planned(&graph.topology);
    let begun: Vec<_> = planned
        .into_iter()
        .map(|planned| step.begin(&planned).map(|call| (planned, call)))
        .collect::<Result<_, _>>()?;
    scope.set_view(nodes_view(graph, &point.values, &begun, &found, info.is_root));
    let mut running: FuturesUnordered<_> = begun
        .into_iter()
        .enumerate()
        .map(|(place, (planned, call))| async move { (place, step.finish(planned, call).await) })
        .collect();
    let mut tasks: Vec<Option<TaskOfStep>> = Vec::new();
    tasks.resize_with(running.len(), || None);
    while let Some((place, ended)) = running.next().await {
        let task = ended?;
        match &task.output {
            Some(output) if output.to_parent => return leave(graph, info, task),
            _ => tasks[place] = Some(task),
        }
    }
    let tasks = tasks.into_iter().flatten().collect();
    let ended = step::end(graph, point, tasks, &info.breakpoints, info.is_root)?;
    scope.set_view(ended_view(graph, scope));
    Ok(ended)
}

/// What a step that has ended is kept as: a node whose error was handled has its error alone.
fn ended_view(
    graph: &Arc<Compiled>,
    scope: &Scope,
) -> Arc<dyn Fn(&Outcomes) -> StepView + Send + Sync> {
    let graph = Arc::clone(graph);
    let view = scope.view();
    Arc::new(move |outcomes| {
        let mut view = view.as_ref().map(|view| view(outcomes)).unwrap_or_default();
        for task in view.tasks.iter_mut().filter(|task| task.failure.is_some()) {
            let handles = graph.nodes.get(&task.name).is_some_and(|node| node.shown.handled);
            task.result = task.result.take().filter(|_| !handles);
        }
        view
    })
}

fn nodes_view(
    graph: &Arc<Compiled>,
    values: &Values,
    begun: &[(Planned, NodeCall)],
    found: &Found,
    is_root: bool,
) -> Arc<dyn Fn(&Outcomes) -> StepView + Send + Sync> {
    let (graph, values, found) = (Arc::clone(graph), values.clone(), Arc::clone(found));
    let planned: Vec<_> = begun.iter().map(|(planned, call)| (planned.clone(), call.id)).collect();
    Arc::new(move |outcomes| step::view(&graph, &values, &planned, &found, is_root, outcomes))
}

/// Leaves the graph by a command to the one around it: nothing of this run stays of its state.
fn leave(graph: &Compiled, info: &ScopeInfo, task: TaskOfStep) -> Result<BodyOutput, Failure> {
    if info.is_root {
        let message = format!(
            "node `{}` of graph `{}` gave a command to the graph around it, and there is none",
            task.planned.node,
            graph.name()
        );
        let mut failure = Failure::new(kind::NO_PARENT_GRAPH, message).final_();
        failure.cause = Some(task.call);
        return Err(failure);
    }
    let command = NodeOutput { to_parent: false, ..task.output.unwrap_or_default() };
    Ok(BodyOutput { value: command.into_parent_command()?, save: None, step: None })
}

/// The calls of one step.
#[derive(Clone, Copy)]
struct Step<'a> {
    graph: &'a Arc<Compiled>,
    scope: &'a Arc<Scope>,
    /// The values that nodes see.
    seen: &'a Values,
    found: &'a Found,
}

/// A call that a node is.
struct NodeCall {
    id: CallId,
    outcome: Recorded,
    /// What the node sees.
    seen: Payload,
}

impl Step<'_> {
    /// Makes the call of a task.
    fn begin(&self, planned: &Planned) -> Result<NodeCall, Failure> {
        let node = self.node(&planned.node)?;
        let seen = match &planned.sent {
            Some((_, input)) => input.clone(),
            None => self.seen.filtered(|field| node.fields.contains(field)).to_payload(),
        };
        let request = match &node.kind {
            CompiledKind::Graph(graph) => CallRequest::Entrypoint {
                name: Arc::clone(&graph.name),
                input: seen.clone(),
                node: Some(Arc::clone(&node.shown)),
            },
            CompiledKind::Task(task) => {
                // Paths see the state, also those of a node that sees what was sent to it.
                let paths_see = node.paths_see.as_ref();
                let state = paths_see
                    .filter(|paths| planned.sent.is_some() || !paths.is_subset(&node.fields))
                    .map(|paths| self.seen.filtered(|field| paths.contains(field)).to_payload());
                let input = run::arguments(&seen, state.as_ref());
                task.request(input, task.cache_key(&seen, &planned.node)?, &node.shown)
            }
        };
        let outcome = Recorded::call(self.scope, request, &planned.key());
        Ok(NodeCall { id: outcome.id(), outcome, seen })
    }

    /// Waits for a task, and for the handler of its error if it fails.
    async fn finish(self, planned: Planned, call: NodeCall) -> Result<TaskOfStep, Failure> {
        let node = self.node(&planned.node)?;
        let id = call.id;
        let (output, is_handled) = match (call.outcome.await, &node.kind) {
            (Ok(recorded), CompiledKind::Graph(_)) => {
                let left = self.leave_graph(&planned, &recorded, id);
                let refused = |failure: &Failure| self.found().refuse(id, failure.clone());
                (left.inspect_err(refused)?, false)
            }
            (Ok(recorded), CompiledKind::Task(_)) => {
                (step::output_of(self.graph, &planned.node, &recorded)?, false)
            }
            (Err(failure), CompiledKind::Task(task)) if task.on_error.is_some() => {
                (self.handle(&planned, task, call.seen, id, failure).await?, true)
            }
            (Err(mut failure), _) => {
                failure.cause = Some(id);
                return Err(failure);
            }
        };
        Ok(TaskOfStep { planned, call: id, output: Some(output), is_handled })
    }

    /// What a node that is a graph came to: its result, or the command by which it was left, and
    /// where its paths lead.
    fn leave_graph(
        &self,
        planned: &Planned,
        recorded: &Payload,
        call: CallId,
    ) -> Result<NodeOutput, Failure> {
        let name = &planned.node;
        let Compiled { schema, topology, .. } = &**self.graph;
        let mut output = step::output_of(self.graph, name, recorded)?;
        for update in &output.updates {
            schema.check(&fields_of(update)?).map_err(|error| run::misfit(name, &error))?;
        }
        branch::check(&output.goto, name, topology)?;
        if self.graph.branches_from(name).next().is_none() {
            return Ok(output);
        }
        let fields = &self.node(name)?.fields;
        let view = PathView::new(schema, self.seen, &output.updates, call)?;
        for branch in self.graph.branches_from(name) {
            output.goto.extend(branch.ask_now(&view.of(branch, fields), name, topology)?);
        }
        Ok(output)
    }

    fn found(&self) -> MutexGuard<'_, FoundOut> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn handle(
        &self,
        planned: &Planned,
        task: &NodeTask,
        seen: Payload,
        call: CallId,
        failure: Failure,
    ) -> Result<NodeOutput, Failure> {
        let Some((handler, options, shown)) = &task.on_error else { return Err(failure) };
        let told = NodeFailure { node: planned.node.clone(), failure: failure.clone() };
        let request = CallRequest::Task {
            name: Arc::from(handler.name()),
            input: run::handler_arguments(&seen, told)?,
            options: Arc::clone(options),
            cache_key: None,
            node: Some(Arc::clone(shown)),
        };
        let outcome = Recorded::call(self.scope, request, &planned.key());
        let handler = outcome.id();
        self.found().handle(call, handler, failure);
        match outcome.await {
            Ok(recorded) => Ok(recorded.decode("what the handler gave")?),
            Err(mut failure) => {
                failure.cause = Some(handler);
                Err(failure)
            }
        }
    }

    fn node(&self, name: &str) -> Result<&CompiledNode, Failure> {
        self.graph.nodes.get(name).ok_or_else(|| step::stranger(self.graph, name))
    }
}

impl NodeTask {
    fn request(
        &self,
        input: Payload,
        cache_key: Option<Arc<str>>,
        shown: &Arc<rethread_core::graph::Node>,
    ) -> CallRequest {
        CallRequest::Task {
            name: Arc::from(self.def.name()),
            input,
            options: Arc::clone(&self.options),
            cache_key,
            node: Some(Arc::clone(shown)),
        }
    }
}
