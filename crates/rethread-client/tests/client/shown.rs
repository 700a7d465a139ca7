//! Runs whose events a test writes, and their streams in short lines.

use std::collections::BTreeMap;

use futures::StreamExt;
use rethread_client::{
    CallId, CheckpointId, EntrypointRef, EventKind, Failure, Mode, Result, RunHandle, RunOutcome,
    RunStream, StreamEvent,
};
use rethread_core::checkpoint::{Checkpoint, Progress};
use rethread_core::event::{ChildStart, Interrupt};
use rethread_core::ids::CallKind;
use rethread_core::policy::History;
use serde::Serialize;
use serde_json::Value;

use crate::coordinator::{
    Coordinator, checkpoint_id, input_checkpoint, interrupt, pair, payload, run_id,
};

pub(crate) const ALL: [Mode; 7] = [
    Mode::Values,
    Mode::Updates,
    Mode::Custom,
    Mode::Messages,
    Mode::Tasks,
    Mode::Checkpoints,
    Mode::Debug,
];

/// The n-th call, shown as `tn`; the root is `t0`.
pub(crate) fn call(nth: u8) -> CallId {
    match nth {
        0 => CallId::root(run_id(1).into()),
        nth => CallId::from_bytes([0x10 + nth; 16]),
    }
}

/// A run whose log has these events; the checkpoints 1 (its input) and 2 (its result) are there.
pub(crate) async fn run_with(kinds: Vec<EventKind>) -> (RunHandle<String>, Coordinator) {
    let input = Checkpoint {
        entrypoint: "main".into(),
        values: payload("former"),
        metadata: BTreeMap::from([("user".to_owned(), payload("ada"))]),
        ..input_checkpoint(1, run_id(1), "cat")
    };
    let result = Checkpoint {
        id: checkpoint_id(2),
        parent: Some(checkpoint_id(1)),
        step: 0,
        source: rethread_client::Source::Loop,
        values: payload("cats"),
        input: None,
        ..input.clone()
    };
    run_from(vec![input, result], kinds).await
}

/// A run whose log has these events, on a thread with these checkpoints.
pub(crate) async fn run_from(
    checkpoints: Vec<Checkpoint>,
    kinds: Vec<EventKind>,
) -> (RunHandle<String>, Coordinator) {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let main = EntrypointRef::<String, String>::named("main");
    let run = thread.invoke(main, "cat".into()).run_id(run_id(1)).start().await.expect("accepted");
    coordinator.put(None, checkpoints).await;
    coordinator.say(thread.id(), run_id(1), kinds).await;
    (run, coordinator)
}

pub(crate) fn begun() -> EventKind {
    begun_again(false, Progress::default())
}

pub(crate) fn begun_again(continues: bool, before: Progress) -> EventKind {
    let (root, checkpoint) = (call(0), checkpoint_id(1));
    EventKind::RunStarted {
        entrypoint: "main".into(),
        root,
        checkpoint,
        continues,
        before,
        unkept: None,
        is_exit: false,
    }
}

/// The calling body makes a call of a task.
pub(crate) fn task(by: u8, nth: u8, name: &str) -> EventKind {
    made(by, nth, name, CallKind::Task, None)
}

/// The calling body calls a child entrypoint.
pub(crate) fn child(by: u8, nth: u8, name: &str, start: ChildStart) -> EventKind {
    made(by, nth, name, CallKind::Entrypoint, Some(Box::new(start)))
}

fn made(by: u8, nth: u8, name: &str, kind: CallKind, child: Option<Box<ChildStart>>) -> EventKind {
    let (call, scope, name) = (call(nth), call(by), name.to_owned());
    EventKind::CallStarted { call, scope, kind, name, input: payload([1]), child, node: None }
}

/// A child that was not called before.
pub(crate) fn fresh(nth: u8) -> ChildStart {
    ChildStart {
        history: History::Inherit,
        place: vec!["main".into()],
        checkpoint: CheckpointId::of_child(call(nth), 0),
        parent: None,
        step: -1,
        values: payload(()),
        is_graph: false,
        outputs: None,
        source: rethread_client::Source::Input,
        tasks: Vec::new(),
        metadata: BTreeMap::new(),
        continues: false,
        before: Progress::default(),
    }
}

/// A child that an earlier run called.
pub(crate) fn known(nth: u8, before: Progress) -> ChildStart {
    ChildStart { continues: true, before, ..fresh(nth) }
}

pub(crate) fn updated(nth: u8, name: &str, value: impl Serialize) -> EventKind {
    EventKind::Updated {
        call: call(nth),
        name: name.into(),
        value: payload(value),
        is_cached: false,
        node: None,
    }
}

pub(crate) fn cached(nth: u8, name: &str, value: impl Serialize) -> EventKind {
    EventKind::Updated {
        call: call(nth),
        name: name.into(),
        value: payload(value),
        is_cached: true,
        node: None,
    }
}

pub(crate) fn failed(nth: u8, name: &str) -> EventKind {
    EventKind::CallFailed { call: call(nth), name: name.into(), failure: no(), node: None }
}

pub(crate) fn no() -> Failure {
    Failure::new("Declined", "no")
}

pub(crate) fn wrote(by: Option<u8>, value: impl Serialize) -> EventKind {
    EventKind::Custom { call: by.map(call), attempt: 1, value: payload(value) }
}

/// A question that these bodies lead to.
pub(crate) fn asked(id: u8, path: &[u8]) -> Interrupt {
    Interrupt { path: path.iter().map(|nth| call(*nth)).collect(), ..interrupt(id, "?") }
}

pub(crate) fn ended(outcome: RunOutcome) -> EventKind {
    EventKind::RunEnded(outcome)
}

/// How a run ends that completes.
pub(crate) fn completed() -> [EventKind; 3] {
    [
        updated(0, "main", "cats"),
        EventKind::Checkpointed { checkpoint: checkpoint_id(2) },
        ended(RunOutcome::Done(payload("cats"))),
    ]
}

/// One line for each event.
pub(crate) async fn shown<O>(stream: RunStream<O>) -> Vec<String> {
    stream.map(line).collect().await
}

/// Mode, path and what happened.
pub(crate) fn line(event: Result<StreamEvent>) -> String {
    let event = match event {
        Ok(event) => event,
        Err(error) => return format!("error: {error}"),
    };
    let ns = match event.ns.is_empty() {
        true => String::new(),
        false => format!("[{}] ", event.ns.join(" ")),
    };
    let data = brief(&event.data.to_json().expect("json"));
    named(&format!("{} {ns}{data}", event.mode.name()))
}

fn brief(data: &Value) -> String {
    if let Some(payload) = data.get("payload") {
        return format!("{} {} ({})", data["step"], data["type"], brief(payload));
    }
    if let Some(checkpoint) = data.get("checkpoint") {
        let checkpoint = checkpoint.as_str().unwrap_or_default();
        let parent = data["parent"].as_str().unwrap_or("none");
        let (facts, tasks) = (&data["metadata"], &data["tasks"]);
        return format!(
            "{checkpoint} of {parent}: {} {} values {} user {} tasks {tasks}",
            facts["source"], facts["step"], data["values"], facts["user"],
        );
    }
    if let Some(event) = data.get("event") {
        let of = format!("{} {} {}", event, data["name"], data["id"]);
        let keys = ["input", "result", "error", "interrupts", "attempt"];
        let what = keys.into_iter().filter_map(|key| Some(format!("{key} {}", data.get(key)?)));
        return format!("{of} {}", what.collect::<Vec<_>>().join(" "));
    }
    data.to_string()
}

/// Short names instead of ids, and no quotes.
fn named(line: &str) -> String {
    let mut line = line.replace('"', "");
    for nth in 0..9 {
        let begin = CheckpointId::of_child(call(nth), 0).to_string();
        let end = CheckpointId::of_child(call(nth), 1).to_string();
        let third = CheckpointId::of_child(call(nth), 2).to_string();
        line = line.replace(&begin, &format!("c{nth}a")).replace(&end, &format!("c{nth}b"));
        line = line.replace(&third, &format!("c{nth}c"));
        line = line.replace(&call(nth).to_string(), &format!("t{nth}"));
    }
    for nth in 1..5 {
        line = line.replace(&checkpoint_id(nth).to_string(), &format!("c{nth}"));
    }
    for nth in 1..4 {
        let id = crate::coordinator::interrupt_id(nth).to_string();
        line = line.replace(&format!("{{id:{id},value:?}}"), &format!("i{nth}"));
    }
    line
}
