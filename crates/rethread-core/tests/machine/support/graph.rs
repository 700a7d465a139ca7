//! A small graph: steps that are given beforehand, over a state that is a list of texts.

use std::sync::Arc;

use futures::future::try_join_all;
use rethread_core::event::Refusal;
use rethread_core::failure::Failure;
use rethread_core::graph::{
    Breakpoints, Destination, GraphChange, GraphEdit, GraphEdited, Node, Outcomes, START, StepEnd,
    StepTask, StepView, TaskView,
};
use rethread_core::ids::CallId;
use rethread_core::message::UpdateAs;
use rethread_core::payload::Payload;
use rethread_core::replay::{BodyOutput, CallRequest, Scope};
use serde::{Deserialize, Serialize};

use super::{Slot, payload, value};

/// Nodes by step. A node `@name` is the graph `name`; one that ends in `!` handles failures.
pub(crate) type Steps = Vec<Vec<String>>;

/// What a graph saves.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Point {
    log: Vec<String>,
    at: usize,
    added: Vec<String>,
}

impl Point {
    fn of(saved: Option<&Payload>) -> Self {
        saved.filter(|saved| !saved.is_null()).map(value).unwrap_or_default()
    }

    /// The nodes of the step that starts here.
    fn nodes(&self, steps: &Steps) -> Vec<String> {
        let planned = steps.get(self.at).cloned().unwrap_or_default();
        planned.into_iter().chain(self.added.iter().cloned()).collect()
    }

    fn tasks(&self, steps: &Steps) -> Vec<StepTask> {
        let planned = steps.get(self.at).into_iter().flatten().map(StepTask::new);
        let added = |name: &String| StepTask { added: true, ..StepTask::new(name) };
        planned.chain(self.added.iter().map(added)).collect()
    }

    fn output(&self, steps: &Steps, changed: bool) -> BodyOutput {
        let values = payload(&self.log);
        let step = StepEnd {
            values: values.clone(),
            changed,
            tasks: self.tasks(steps),
            counts: true,
            ..StepEnd::default()
        };
        BodyOutput { value: values, save: Some(payload(self)), step: Some(Box::new(step)) }
    }
}

/// The body of a graph.
pub(crate) async fn play(steps: Arc<Steps>, input: Payload) -> Result<BodyOutput, Failure> {
    let scope = Scope::current().expect("in a body");
    let info = scope.info();
    let mut point = Point::of(info.previous.as_ref());
    if !info.goes_on {
        let input = texts(&input);
        show(&scope, &point, vec![(START.to_owned(), None, Some(input.clone()))]);
        point.log.extend(input);
        (point.at, point.added) = (0, Vec::new());
        let mut output = point.output(&steps, true);
        if let Some(step) = &mut output.step {
            step.counts = false;
            step.carried = Some(payload("carried"));
            step.pause = pauses(&info.breakpoints, &[], &step.tasks);
        }
        return Ok(output);
    }
    let nodes = point.nodes(&steps);
    let calls: Vec<_> = nodes.iter().map(|node| call(&scope, node, &point.log)).collect();
    let ids = calls.iter().map(|slot| scope.call_id(slot.slot));
    let tasks = nodes.iter().cloned().zip(ids).map(|(node, id)| (node, id, None)).collect();
    show(&scope, &point, tasks);
    let results = try_join_all(calls).await?;
    point.log.extend(results.iter().flat_map(texts));
    (point.at, point.added) = (point.at + 1, Vec::new());
    let mut output = point.output(&steps, true);
    if let Some(step) = &mut output.step {
        step.pause = !step.tasks.is_empty() && pauses(&info.breakpoints, &nodes, &step.tasks);
        if nodes.iter().any(|node| node.ends_with('|')) {
            step.pause = true;
        }
    }
    Ok(output)
}

fn call(scope: &Arc<Scope>, node: &str, log: &[String]) -> Slot {
    let shown = Node {
        name: node.to_owned(),
        fields: None,
        handled: node.ends_with('!'),
        is_handler: false,
        untracked: Vec::new(),
    };
    let shown = Some(Arc::new(shown));
    let request = match node.strip_prefix('@') {
        Some(graph) => CallRequest::Entrypoint {
            name: Arc::from(graph.trim_end_matches(char::is_numeric)),
            input: payload(log),
            node: shown,
        },
        None => CallRequest::Task {
            name: Arc::from(node),
            input: payload(log),
            options: Arc::default(),
            cache_key: None,
            node: shown,
        },
    };
    Slot { scope: Arc::clone(scope), slot: scope.call(request, Some(node)) }
}

fn show(scope: &Scope, point: &Point, tasks: Vec<(String, Option<CallId>, Option<Vec<String>>)>) {
    let log = point.log.clone();
    scope.set_view(Arc::new(move |outcomes: &Outcomes| {
        let shown = tasks.iter().map(|(name, call, wrote)| TaskView {
            name: name.clone(),
            sent: false,
            added: false,
            call: *call,
            result: match wrote {
                Some(wrote) => Some(payload(wrote)),
                None => call.and_then(|call| outcomes.get(&call)).cloned(),
            },
            failure: None,
            has_own_state: name.starts_with('@'),
        });
        let shown: Vec<_> = shown.collect();
        let results = shown.iter().filter_map(|task| task.result.as_ref());
        let log: Vec<_> = log.iter().cloned().chain(results.flat_map(texts)).collect();
        let changed = shown.iter().any(|task| task.result.is_some());
        let (values, result) = (payload(&log), payload(&log));
        StepView { values, result, streamed: payload(&log), changed, tasks: shown }
    }));
}

fn pauses(breakpoints: &Breakpoints, ran: &[String], next: &[StepTask]) -> bool {
    let after = breakpoints.after.iter().any(|node| ran.contains(node));
    let before = breakpoints.before.iter().any(|node| next.iter().any(|it| it.name == *node));
    after || before
}

/// A text or a list of texts.
pub(crate) fn texts(shown: &Payload) -> Vec<String> {
    shown
        .decode::<Vec<String>>("texts")
        .or_else(|_| shown.decode::<String>("text").map(|text| vec![text]))
        .unwrap_or_default()
}

/// What an edit of a graph comes to.
pub(crate) fn edit(steps: &Steps, edit: &GraphEdit) -> Result<GraphEdited, Refusal> {
    let mut point = Point::of(edit.previous.as_ref());
    let mut wrote = Vec::new();
    match &edit.change {
        GraphChange::Input => {
            let mut output = point.output(steps, false);
            if let Some(step) = &mut output.step {
                step.tasks = vec![StepTask::new(START)];
            }
            return Ok(GraphEdited { output, wrote });
        }
        GraphChange::Update { kind: UpdateAs::End, .. } => {
            (point.at, point.added) = (steps.len(), Vec::new());
        }
        GraphChange::Update { updates, .. } => {
            point
                .log
                .extend(edit.results.iter().filter_map(|it| it.result.as_ref()).flat_map(texts));
            for (update, node) in updates {
                point.log.extend(texts(update));
                let Some(node) = node else { continue };
                let step = steps.iter().position(|step| step.contains(node));
                let reason = format!("no node {node}");
                point.at = step.ok_or(Refusal::InvalidUpdate { reason })? + 1;
                wrote.push((node.clone(), update.clone()));
            }
            point.added.clear();
        }
        GraphChange::Command(command) => {
            point.log.extend(command.update.iter().flat_map(texts));
            for destination in &command.goto {
                if let Destination::Node(node) = destination {
                    point.added.push(node.clone());
                }
            }
        }
    }
    Ok(GraphEdited { output: point.output(steps, true), wrote })
}
