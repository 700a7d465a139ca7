//! Edits of a graph's state from outside.

use rethread_core::event::Refusal;
use rethread_core::failure::Failure;
use rethread_core::graph::{
    Destination, GraphChange, GraphCommand, GraphEdit, GraphEdited, START, StepEnd, TaskResult,
};
use rethread_core::ids::CallId;
use rethread_core::message::UpdateAs;
use rethread_core::payload::Payload;
use rethread_core::replay::BodyOutput;

use crate::branch;
use crate::command::fields_of;
use crate::compiled::Compiled;
use crate::ids::Ids;
use crate::play;
use crate::point::{Ended, Planned, Point, in_order_of_updates, start_task};
use crate::run::PathView;
use crate::step;
use crate::update::{self, Written};
use crate::values::Values;

/// What an edit comes to.
///
/// # Errors
/// [`Refusal::InvalidUpdate`] for an edit that cannot be made.
pub(crate) fn edit(graph: &Compiled, edit: &GraphEdit) -> Result<GraphEdited, Refusal> {
    let refuse = |failure: Failure| Refusal::InvalidUpdate { reason: failure.message };
    match &edit.change {
        GraphChange::Input => input(graph, edit).map_err(refuse),
        GraphChange::Command(command) => start_beside(graph, edit, command).map_err(refuse),
        GraphChange::Update { kind: UpdateAs::End, updates } => {
            if updates.iter().any(|(values, _)| !values.is_null()) {
                let reason = "an update as the end takes no values; leave them out, or name a node"
                    .to_owned();
                return Err(Refusal::InvalidUpdate { reason });
            }
            finish(graph, edit).map_err(refuse)
        }
        GraphChange::Update { updates, .. } => {
            // What has ended of the step that is given up does not count.
            let point = play::point(graph, edit.previous.as_ref()).map_err(refuse)?;
            let names = in_whose_name(graph, &point, updates)?;
            as_nodes(graph, edit, point, updates, &names).map_err(refuse)
        }
    }
}

/// What the checkpoint of a new input shows.
fn input(graph: &Compiled, edit: &GraphEdit) -> Result<GraphEdited, Failure> {
    let mut point = play::point(graph, edit.previous.as_ref())?;
    play::before_input(graph, &mut point)?;
    let step = StepEnd {
        values: graph.shown(&point.values),
        tasks: vec![start_task()],
        ..StepEnd::default()
    };
    let save = Payload::encode(&point, "state of the graph")?;
    let value = graph.result(&point.values);
    let output = BodyOutput { value, save: Some(save), step: Some(Box::new(step)) };
    Ok(GraphEdited { output, wrote: Vec::new() })
}

/// Writes fields and starts nodes in the step that is planned.
fn start_beside(
    graph: &Compiled,
    edit: &GraphEdit,
    command: &GraphCommand,
) -> Result<GraphEdited, Failure> {
    let mut point = play::point(graph, edit.previous.as_ref())?;
    branch::check(&command.goto, "the command", &graph.topology)?;
    if let Some(update) = &command.update {
        let fields = fields_of(update)?;
        graph.schema.check(&fields)?;
        let written = Written::new(origin(edit, "command", update), vec![fields]);
        point.values = update::apply(&graph.schema, &point.values, &[written], false)?;
    }
    point.start_beside(&graph.topology, &command.goto);
    edited(graph, &point, Vec::new())
}

/// Ends everything that is left to do; what has ended of the step counts.
fn finish(graph: &Compiled, edit: &GraphEdit) -> Result<GraphEdited, Failure> {
    let mut point = play::point(graph, edit.previous.as_ref())?;
    let results = results(graph, &point, edit)?;
    let written: Vec<_> = results.iter().map(|result| result.written.clone()).collect();
    // What lives for a step ends with one.
    let is_left = !point.planned(&graph.topology).is_empty();
    point.values = update::apply(&graph.schema, &point.values, &written, is_left)?;
    let ended: Vec<_> = point
        .planned(&graph.topology)
        .into_iter()
        .map(|planned| {
            let result = results.iter().find(|result| result.planned == planned);
            (planned, result)
        })
        .collect();
    let ended: Vec<_> = ended
        .iter()
        .map(|(planned, result)| Ended {
            node: &planned.node,
            was_sent: planned.sent.is_some(),
            goto: result.map_or(&[], |result| &result.goto),
            // What handles an error says itself where to go.
            follows_edges: result.is_some_and(|result| !result.is_handled),
        })
        .collect();
    point.end_step(&graph.topology, &ended);
    edited(graph, &point, Vec::new())
}

/// What a task of the planned step came to.
struct TaskEnd {
    planned: Planned,
    goto: Vec<Destination>,
    written: Written,
    is_handled: bool,
}

/// The tasks of the planned step that have results, in the order in which they count. A result that
/// leads nowhere was an error of its node, and is none.
fn results(graph: &Compiled, point: &Point, edit: &GraphEdit) -> Result<Vec<TaskEnd>, Failure> {
    let planned = point.planned(&graph.topology).into_iter().zip(&edit.results);
    let mut results = Vec::new();
    for (planned, TaskResult { name, result, is_handled }) in planned {
        let Some(result) = result.as_ref().filter(|_| *name == planned.node) else { continue };
        let output = step::output_of(graph, name, result)?;
        if branch::check(&output.goto, name, &graph.topology).is_err() {
            continue;
        }
        let updates: Result<_, _> = output.updates.iter().map(fields_of).collect();
        let origin = origin(edit, &planned.key(), result);
        let (goto, is_handled) = (output.goto, *is_handled);
        results.push(TaskEnd {
            planned,
            goto,
            written: Written::new(origin, updates?),
            is_handled,
        });
    }
    in_order_of_updates(&mut results, |result| &result.planned);
    Ok(results)
}

/// In the name of which nodes the updates are made.
fn in_whose_name(
    graph: &Compiled,
    point: &Point,
    updates: &[(Payload, Option<String>)],
) -> Result<Vec<String>, Refusal> {
    let refuse = |reason: String| Err(Refusal::InvalidUpdate { reason });
    let named = updates.iter().map(|(_, name)| match (name, updates.len()) {
        (Some(name), _) if name == START || graph.topology.has(name) => Ok(name.clone()),
        (Some(name), _) => {
            let graph = graph.name();
            refuse(format!("graph `{graph}` has no node `{name}`; name one of its nodes"))
        }
        (None, 1) => match (point.ran.first(), point.ran.len()) {
            (None, _) => Ok(START.to_owned()),
            (Some(node), 1) => Ok(node.clone()),
            (Some(_), _) => {
                let ran: Vec<_> = point.ran.iter().map(|node| format!("`{node}`")).collect();
                refuse(format!(
                    "several nodes wrote in the last step; say in the name of which of them the \
                     update is made: {}",
                    ran.join(", ")
                ))
            }
        },
        (None, _) => refuse(
            "several updates at once are each made in the name of a node; name it".to_owned(),
        ),
    });
    named.collect()
}

/// Updates as if nodes had returned them, with the edges and paths of these nodes.
fn as_nodes(
    graph: &Compiled,
    edit: &GraphEdit,
    mut point: Point,
    updates: &[(Payload, Option<String>)],
    names: &[String],
) -> Result<GraphEdited, Failure> {
    let mut written = Vec::new();
    let mut ways = Vec::new();
    let mut wrote = Vec::new();
    for (place, ((update, _), name)) in updates.iter().zip(names).enumerate() {
        let fields = if update.is_null() { Values::new() } else { fields_of(update)? };
        let fields = if name == START { as_input(graph, fields) } else { fields };
        graph.schema.check(&fields)?;
        let origin = origin(edit, &place.to_string(), update);
        ways.push(paths(graph, &point, name, &fields, origin)?);
        let update = Written::new(origin, vec![fields]);
        wrote.push((name.clone(), update.shown(&graph.schema)));
        written.push(update);
    }
    point.values = update::apply(&graph.schema, &point.values, &written, true)?;
    let ended: Vec<_> = names
        .iter()
        .zip(&ways)
        .map(|(node, goto)| Ended { node, was_sent: false, goto, follows_edges: true })
        .collect();
    point.update(&graph.topology, &ended);
    edited(graph, &point, wrote)
}

fn as_input(graph: &Compiled, fields: Values) -> Values {
    fields.filtered(|field| graph.input.contains(field))
}

/// Where the paths of a node lead after an update.
fn paths(
    graph: &Compiled,
    point: &Point,
    node: &str,
    fields: &Values,
    origin: CallId,
) -> Result<Vec<Destination>, Failure> {
    let mut all = Vec::new();
    if graph.branches_from(node).next().is_none() {
        return Ok(all);
    }
    let view = PathView::new(&graph.schema, &point.values, &[fields.to_payload()], origin)?;
    for branch in graph.branches_from(node) {
        let fields = graph.nodes.get(node).map_or(&graph.state, |node| &node.fields);
        let seen = view.of(branch, fields);
        all.extend(branch.ask_now(&seen, node, &graph.topology)?);
    }
    Ok(all)
}

fn edited(
    graph: &Compiled,
    point: &Point,
    wrote: Vec<(String, Payload)>,
) -> Result<GraphEdited, Failure> {
    let output = step::output(graph, point, true, false, |_| false)?;
    Ok(GraphEdited { output, wrote })
}

/// Names what an edit writes at a place: the same when it is made again, and another one in any other
/// edit, of this thread or of another.
fn origin(edit: &GraphEdit, place: &str, update: &Payload) -> CallId {
    let run = edit.run.map(|run| run.to_string()).unwrap_or_default();
    let before = edit.previous.as_ref().map_or(&[][..], Payload::as_bytes);
    let content = [run.as_bytes(), before, update.as_bytes()].concat();
    Ids::origin_of(&format!("edit {place}"), &content)
}
