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
                let reason = "an update as the end takes no values".to_owned();
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
        let written = Written::new(origin(edit, update), vec![fields_of(update)?]);
        point.values = update::apply(&graph.schema, &point.values, &[written], false)?;
    }
    point.start_beside(&graph.topology, &command.goto);
    edited(graph, &point, Vec::new())
}

/// Ends everything that is left to do; what has ended of the step counts.
fn finish(graph: &Compiled, edit: &GraphEdit) -> Result<GraphEdited, Failure> {
    let mut point = play::point(graph, edit.previous.as_ref())?;
    let results = results(graph, &point, &edit.results)?;
    let written: Vec<_> = results.iter().map(|(_, _, written)| written.clone()).collect();
    point.values = update::apply(&graph.schema, &point.values, &written, true)?;
    let ended: Vec<_> = point
        .planned(&graph.topology)
        .into_iter()
        .map(|planned| {
            let result = results.iter().find(|(of, ..)| *of == planned);
            (planned, result.map(|(_, goto, _)| goto.as_slice()))
        })
        .collect();
    let ended: Vec<_> = ended
        .iter()
        .map(|(planned, goto)| Ended {
            node: &planned.node,
            was_sent: planned.sent.is_some(),
            goto: goto.unwrap_or_default(),
            follows_edges: goto.is_some(),
        })
        .collect();
    point.end_step(&graph.topology, &ended);
    edited(graph, &point, Vec::new())
}

/// The tasks of the planned step that have results, in the order in which they count.
fn results(
    graph: &Compiled,
    point: &Point,
    recorded: &[TaskResult],
) -> Result<Vec<(Planned, Vec<Destination>, Written)>, Failure> {
    let planned = point.planned(&graph.topology).into_iter().zip(recorded);
    let mut results = Vec::new();
    for (planned, TaskResult { name, result }) in planned {
        let Some(result) = result.as_ref().filter(|_| *name == planned.node) else { continue };
        let output = step::output_of(graph, name, result)?;
        let updates: Result<_, _> = output.updates.iter().map(fields_of).collect();
        let origin = Ids::origin_of(&planned.key(), result.as_bytes());
        results.push((planned, output.goto, Written::new(origin, updates?)));
    }
    in_order_of_updates(&mut results, |(planned, ..)| planned);
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
        (Some(name), _) => refuse(format!("graph `{}` has no node `{name}`", graph.name())),
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
        (None, _) => refuse("each of several updates names its node".to_owned()),
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
        let origin = Ids::origin_of(&place.to_string(), origin(edit, update).as_bytes());
        ways.push(paths(graph, &point, name, &fields, update, origin)?);
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
    update: &Payload,
    origin: CallId,
) -> Result<Vec<Destination>, Failure> {
    let mut all = Vec::new();
    if graph.branches_from(node).next().is_none() {
        return Ok(all);
    }
    let view = PathView::new(&graph.schema, &point.values, &[fields.to_payload()], origin)?;
    for branch in graph.branches_from(node) {
        let seen = match graph.nodes.get(node) {
            Some(node) => view.of(branch, &node.fields),
            // Those of the start see the input.
            None => update.clone(),
        };
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

/// Names an edit: equal edits of equal states are the same one.
fn origin(edit: &GraphEdit, update: &Payload) -> CallId {
    let before = edit.previous.as_ref().map_or(&[][..], Payload::as_bytes);
    Ids::origin_of("edit", &[before, update.as_bytes()].concat())
}
