use futures::StreamExt;
use rethread_client::{
    CallId, ClientError, EntrypointRef, EventKind, Failure, Mode, Payload, Refusal, Result,
    RunHandle, RunId, RunOutcome, RunStream, StreamEvent, TaskEnd,
};
use rethread_core::checkpoint::Checkpoint;
use rethread_core::ids::{CallKind, ExecutionId};
use serde_json::json;

use crate::coordinator::{
    Coordinator, done, input_checkpoint, interrupt, pair, payload, run_id, started,
};

const ALL: [Mode; 4] = [Mode::Values, Mode::Updates, Mode::Custom, Mode::Tasks];

fn call() -> CallId {
    CallId::from_bytes([3; 16])
}

fn root(run: RunId) -> CallId {
    CallId::root(ExecutionId::from(run))
}

/// A run whose log has these events; its input checkpoint was made by the run `began`.
async fn run_with(began: Option<RunId>, kinds: Vec<EventKind>) -> (RunHandle<String>, Coordinator) {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let workflow = EntrypointRef::<String, String>::named("workflow");
    let request = thread.invoke(workflow, "cat".into()).run_id(run_id(1));
    let run = request.start().await.expect("accepted");
    let made = input_checkpoint(1, began.unwrap_or(run_id(1)), "cat");
    let made = Checkpoint { values: payload("former"), ..made };
    coordinator.put(None, vec![made]).await;
    coordinator.say(thread.id(), run_id(1), kinds).await;
    (run, coordinator)
}

fn body(end: Vec<EventKind>) -> Vec<EventKind> {
    let name = || "essay".to_owned();
    let mut kinds = vec![
        started("workflow"),
        EventKind::Custom { call: None, attempt: 1, value: payload("hi") },
        EventKind::CallStarted {
            call: call(),
            scope: root(run_id(1)),
            kind: CallKind::Task,
            name: name(),
            input: payload(["cat"]),
        },
        EventKind::Custom { call: Some(call()), attempt: 2, value: payload(50) },
        EventKind::Updated { call: call(), name: name(), value: payload("cats") },
    ];
    kinds.extend(end);
    kinds
}

fn completed(run: RunId) -> Vec<EventKind> {
    let name = "workflow".to_owned();
    let updated = EventKind::Updated { call: root(run), name, value: payload("cats!") };
    body(vec![updated, EventKind::RunEnded(done("cats!"))])
}

/// One line for each event.
async fn shown<O>(stream: RunStream<O>) -> Vec<String> {
    stream.map(line).collect().await
}

fn line(event: Result<StreamEvent>) -> String {
    let text = |value: rethread_client::AnyValue| value.to_json().expect("json").to_string();
    let event = match event {
        Ok(event) => event,
        Err(error) => return format!("error: {error}"),
    };
    match event {
        StreamEvent::Update { name, value, .. } => format!("update {name} {}", text(value)),
        StreamEvent::Interrupted(open) => format!("interrupted {}", open.len()),
        StreamEvent::Value(value) => format!("value {}", text(value)),
        StreamEvent::Custom { call, attempt, value } => {
            format!("custom {} {attempt} {}", call.is_some(), text(value))
        }
        StreamEvent::TaskStarted { name, input, .. } => format!("start {name} {}", text(input)),
        StreamEvent::TaskFinished { name, end, .. } => match end {
            TaskEnd::Result(value) => format!("finish {name} {}", text(value)),
            TaskEnd::Failed(failure) => format!("finish {name} {}", failure.kind),
            TaskEnd::Interrupted(open) => format!("finish {name} asks {}", open.len()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_mode_shows_its_part() {
    let (run, _coordinator) = run_with(None, completed(run_id(1))).await;
    let updates = ["update essay \"cats\"", "update workflow \"cats!\""];
    assert_eq!(shown(run.stream([Mode::Updates])).await, updates);
    assert_eq!(shown(run.stream([Mode::Values])).await, ["value \"cats!\""]);
    let custom = ["custom false 1 \"hi\"", "custom true 2 50"];
    assert_eq!(shown(run.stream([Mode::Custom])).await, custom);
    let tasks = [
        "start workflow \"cat\"",
        "start essay [\"cat\"]",
        "finish essay \"cats\"",
        "finish workflow \"cats!\"",
    ];
    assert_eq!(shown(run.stream([Mode::Tasks])).await, tasks);
    assert!(shown(run.stream([])).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_modes_keep_the_order_of_langgraph() {
    let (run, _coordinator) = run_with(Some(run_id(9)), completed(run_id(9))).await;
    let expected = [
        "value \"former\"",
        "start workflow \"cat\"",
        "custom false 1 \"hi\"",
        "start essay [\"cat\"]",
        "custom true 2 50",
        "update essay \"cats\"",
        "finish essay \"cats\"",
        "update workflow \"cats!\"",
        "finish workflow \"cats!\"",
        "value \"cats!\"",
    ];
    assert_eq!(shown(run.stream(ALL)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn questions_end_the_stream_without_an_error() {
    let open = vec![interrupt(1, "?"), interrupt(2, "?")];
    let kinds = vec![started("workflow"), EventKind::RunEnded(RunOutcome::Interrupted(open))];
    let (run, _coordinator) = run_with(None, kinds).await;
    let expected = ["start workflow \"cat\"", "interrupted 2", "finish workflow asks 2"];
    assert_eq!(shown(run.stream(ALL)).await, expected);
    assert_eq!(shown(run.stream([Mode::Values])).await, ["interrupted 2"]);
    let mut stream = run.stream([Mode::Custom]);
    assert!(stream.next().await.is_none());
    assert_eq!(stream.run().wait().await.expect("interrupted").interrupts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_the_last_item() {
    let failure = Failure::new("Declined", "no");
    let failed =
        EventKind::CallFailed { call: call(), name: "pay".into(), failure: failure.clone() };
    let kinds = vec![started("workflow"), failed, EventKind::RunEnded(RunOutcome::Failed(failure))];
    let (run, _coordinator) = run_with(None, kinds).await;
    let lines = shown(run.stream(ALL)).await;
    let tasks = ["start workflow \"cat\"", "finish pay Declined", "finish workflow Declined"];
    assert_eq!(lines[..3], tasks);
    assert!(lines[3].starts_with("error: run failed with Declined: no; "), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
    // The entrypoint is known also to a stream that did not see it start.
    assert_eq!(shown(run.stream_from(ALL, 1)).await, lines[1..]);

    let refusal = Refusal::NothingToContinue { status: "idle".into() };
    let kinds = vec![EventKind::RunEnded(RunOutcome::Refused(refusal.clone()))];
    let (run, _coordinator) = run_with(None, kinds).await;
    let items: Vec<_> = run.stream(ALL).collect().await;
    assert_eq!(items, [Err(ClientError::Refused(refusal))]);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_loses_nothing_wherever_the_stream_was_cut() {
    let (run, _coordinator) = run_with(None, completed(run_id(1))).await;
    let whole = shown(run.stream(ALL)).await;
    for cut in 0..=whole.len() {
        let mut first = run.stream(ALL);
        let mut lines = Vec::new();
        for _ in 0..cut {
            lines.push(line(first.next().await.expect("more")));
        }
        let rest = shown(run.stream_from(ALL, first.cursor())).await;
        // An event that was given out in part comes again as a whole.
        let repeated = lines.len() + rest.len() - whole.len();
        assert!(repeated <= 1, "{repeated} repeated at {cut}");
        lines.truncate(cut - repeated);
        lines.extend(rest);
        assert_eq!(lines, whole, "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn values_are_any_value() {
    let kinds = vec![started("workflow"), EventKind::RunEnded(RunOutcome::Done(Payload::NULL))];
    let (run, _coordinator) = run_with(None, kinds).await;
    let items: Vec<_> = run.stream([Mode::Values]).collect().await;
    let [Ok(StreamEvent::Value(value))] = &items[..] else { panic!("{items:?}") };
    assert!(value.is_null());
    assert_eq!(value.to_json(), Ok(json!(null)));
}
