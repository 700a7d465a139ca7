//! Records and events of graphs, as a coordinator writes them. The graphs have one field, `log`.

use std::sync::Arc;

use rethread_client::{CheckpointId, EventKind, Failure, Payload, Source};
use rethread_core::checkpoint::{Checkpoint, Progress};
use rethread_core::event::ChildStart;
use rethread_core::graph::{
    ChildGraph, GraphProgress, Node, NodeOutput, START, StepTask, StepView, TaskView,
};
use rethread_core::ids::CallKind;
use serde_json::{Value, json};

use crate::coordinator::{checkpoint_id, input_checkpoint, payload, run_id};
use crate::shown::{call, fresh};

/// All fields, with these entries.
pub(crate) fn log(entries: &[&str]) -> Payload {
    payload(json!({ "log": entries }))
}

/// Tasks that edges lead to.
pub(crate) fn planned(names: &[&str]) -> Vec<StepTask> {
    names.iter().map(|name| StepTask::new(*name)).collect()
}

/// One that a `Send` has started.
pub(crate) fn sent(name: &str) -> StepTask {
    StepTask { sent: true, ..StepTask::new(name) }
}

/// The checkpoint that an input made.
pub(crate) fn of_input() -> Checkpoint {
    Checkpoint {
        entrypoint: "main".into(),
        values: log(&[]),
        tasks: planned(&[START]),
        ..input_checkpoint(1, run_id(1), json!({ "log": ["in"] }))
    }
}

/// A checkpoint between two steps.
pub(crate) fn between(nth: u64, values: Payload, tasks: &[&str]) -> Checkpoint {
    Checkpoint {
        parent: Some(checkpoint_id(nth - 1)),
        source: Source::Loop,
        step: i64::try_from(nth).expect("small") - 2,
        values,
        saved: Some(payload("the rest of the state")),
        input: None,
        goes_on: !tasks.is_empty(),
        tasks: planned(tasks),
        ..Checkpoint { id: checkpoint_id(nth), ..of_input() }
    }
}

/// A graph has made the step that leads to a checkpoint.
pub(crate) fn stepped(nth: u64, values: Payload, tasks: Vec<StepTask>) -> EventKind {
    EventKind::Stepped {
        body: None,
        checkpoint: checkpoint_id(nth),
        parent: nth.checked_sub(1).filter(|nth| *nth > 0).map(checkpoint_id),
        source: Source::Loop,
        step: i64::try_from(nth).expect("small") - 2,
        result: values.clone(),
        values,
        changed: true,
        tasks,
        pause: false,
    }
}

/// The same of a graph that is called.
pub(crate) fn stepped_within(body: u8, nth: u32, values: Payload, tasks: &[&str]) -> EventKind {
    EventKind::Stepped {
        body: Some(call(body)),
        checkpoint: within(body, nth),
        parent: Some(within(body, nth - 1)),
        source: Source::Loop,
        step: i64::from(nth) - 1,
        result: values.clone(),
        values,
        changed: true,
        tasks: planned(tasks),
        pause: false,
    }
}

/// A checkpoint of a graph that is called; 0 is that of its input.
pub(crate) fn within(body: u8, nth: u32) -> CheckpointId {
    CheckpointId::of_child(call(body), nth)
}

/// Changes how a step is told.
pub(crate) fn but(
    mut kind: EventKind,
    set: impl FnOnce(&mut bool, &mut bool, &mut Source),
) -> EventKind {
    if let EventKind::Stepped { changed, pause, source, .. } = &mut kind {
        set(changed, pause, source);
    }
    kind
}

pub(crate) fn node(name: &str) -> Node {
    let untracked = Vec::new();
    Node { name: name.into(), fields: None, handled: false, is_handler: false, untracked }
}

/// A graph begins to run a node that is a task.
pub(crate) fn runs(by: u8, nth: u8, name: &str) -> EventKind {
    runs_as(by, nth, node(name))
}

pub(crate) fn runs_as(by: u8, nth: u8, node: Node) -> EventKind {
    EventKind::CallStarted {
        call: call(nth),
        scope: call(by),
        kind: CallKind::Task,
        name: format!("main:{}", node.name),
        input: payload(json!([{ "log": "seen" }, "for the engine"])),
        child: None,
        node: Some(Arc::new(node)),
    }
}

/// A graph begins to run a node that is a graph.
pub(crate) fn runs_graph(by: u8, nth: u8, name: &str, child: ChildStart) -> EventKind {
    EventKind::CallStarted {
        call: call(nth),
        scope: call(by),
        kind: CallKind::Entrypoint,
        name: "inner".into(),
        input: log(&["in"]),
        child: Some(Box::new(child)),
        node: Some(Arc::new(node(name))),
    }
}

/// A body calls a graph.
pub(crate) fn calls_graph(by: u8, nth: u8, child: ChildStart) -> EventKind {
    EventKind::CallStarted {
        call: call(nth),
        scope: call(by),
        kind: CallKind::Entrypoint,
        name: "inner".into(),
        input: log(&["in"]),
        child: Some(Box::new(child)),
        node: None,
    }
}

/// A graph that was not called before.
pub(crate) fn new_graph(nth: u8) -> ChildStart {
    ChildStart { is_graph: true, values: log(&[]), tasks: planned(&[START]), ..fresh(nth) }
}

/// A graph that an earlier run has called, which goes on behind its second checkpoint.
pub(crate) fn known_graph(nth: u8, tasks: &[&str], before: Progress) -> ChildStart {
    ChildStart {
        checkpoint: within(nth, 2),
        parent: Some(within(nth, 1)),
        source: Source::Loop,
        step: 1,
        values: log(&["in", "i"]),
        tasks: planned(tasks),
        continues: true,
        before,
        ..new_graph(nth)
    }
}

/// A node wrote an entry.
pub(crate) fn wrote_log(nth: u8, name: &str, entry: &str) -> EventKind {
    gave(nth, node(name), vec![log(&[entry])])
}

/// A node that is a task gave these updates.
pub(crate) fn gave(nth: u8, node: Node, updates: Vec<Payload>) -> EventKind {
    ended_with(nth, node, &NodeOutput { updates, ..NodeOutput::default() })
}

pub(crate) fn ended_with(nth: u8, node: Node, output: &NodeOutput) -> EventKind {
    EventKind::Updated {
        call: call(nth),
        name: format!("main:{}", node.name),
        value: payload(output),
        is_cached: false,
        node: Some(Arc::new(node)),
    }
}

/// A node that is a graph ended with this value.
pub(crate) fn graph_gave(nth: u8, node: Node, value: Payload) -> EventKind {
    EventKind::Updated {
        call: call(nth),
        name: "inner".into(),
        value,
        is_cached: false,
        node: Some(Arc::new(node)),
    }
}

/// What ended in an earlier run of the step.
pub(crate) fn known_update(mut kind: EventKind) -> EventKind {
    if let EventKind::Updated { is_cached, .. } = &mut kind {
        *is_cached = true;
    }
    kind
}

pub(crate) fn node_failed(nth: u8, node: Node, failure: Failure) -> EventKind {
    let name = node.name.clone();
    EventKind::CallFailed { call: call(nth), name, failure, node: Some(Arc::new(node)) }
}

/// A task as a step's view has it.
pub(crate) fn task(nth: u8, name: &str, result: Option<Value>) -> TaskView {
    TaskView {
        name: name.into(),
        sent: false,
        added: false,
        call: (nth > 0).then(|| call(nth)),
        result: result.map(payload),
        failure: None,
        has_own_state: false,
    }
}

/// What a step has come to.
pub(crate) fn view(values: Payload, tasks: Vec<TaskView>) -> StepView {
    let changed = tasks.iter().any(|task| task.result.is_some());
    StepView { result: values.clone(), streamed: values.clone(), values, changed, tasks }
}

pub(crate) fn in_step(view: StepView, children: Vec<ChildGraph>) -> Box<GraphProgress> {
    Box::new(GraphProgress { view, children })
}

pub(crate) fn progress(view: StepView, children: Vec<ChildGraph>) -> Progress {
    Progress { graph: Some(in_step(view, children)), ..Progress::default() }
}
