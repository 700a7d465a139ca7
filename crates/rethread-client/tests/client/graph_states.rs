//! States and histories of graphs.

use rethread_client::{Failure, HistoryQuery, Source, StateSnapshot, Thread, ThreadStatus};
use rethread_core::checkpoint::{Checkpoint, Progress};
use rethread_core::graph::{ChildGraph, StepTask, StepView, TaskView};
use serde_json::{Value, json};

use crate::coordinator::{Coordinator, header, interrupt, pair, run_id};
use crate::graphs::{between, log, of_input, planned, progress, task, view, within};
use crate::shown::{asked, call};

/// A thread with a newest checkpoint.
async fn thread(status: ThreadStatus, made: Vec<Checkpoint>) -> (Thread, Coordinator) {
    let (client, mut coordinator) = pair().await;
    let newest = u64::try_from(made.len()).expect("few");
    coordinator.put(Some(header(run_id(1), status, newest)), made).await;
    (client.thread("essay-1").expect("an id"), coordinator)
}

async fn live(status: ThreadStatus, made: Vec<Checkpoint>) -> StateSnapshot {
    let (thread, _coordinator) = thread(status, made).await;
    thread.state().subgraphs(true).await.expect("reads").expect("ran")
}

fn tasks(state: &StateSnapshot) -> Value {
    state.to_json().expect("json")["tasks"].clone()
}

fn values(state: &StateSnapshot) -> Value {
    state.values.to_json().expect("json")
}

fn wrote(entry: &str) -> Option<Value> {
    Some(json!({ "log": [entry] }))
}

fn id(nth: u8) -> String {
    interrupt(nth, "?").id.to_string()
}

fn question(nth: u8) -> Value {
    json!([{ "id": id(nth), "value": "?" }])
}

/// A step with two nodes that asked, of which one was answered, and a third that failed before.
fn paused() -> Checkpoint {
    let failed =
        TaskView { failure: Some(Failure::new("ValueError", "once")), ..task(3, "c", wrote("c")) };
    let tasks = vec![task(1, "a", None), task(2, "b", wrote("b")), failed];
    let interrupts = vec![asked(1, &[1]), asked(2, &[2, 9])];
    Checkpoint {
        progress: Progress { interrupts, ..progress(view(log(&["in", "b", "c"]), tasks), vec![]) },
        ..between(2, log(&["in"]), &["a", "b", "c"])
    }
}

#[tokio::test]
async fn a_paused_graph_shows_what_ended_and_what_is_left() {
    let status = ThreadStatus::Interrupted(vec![asked(1, &[1])]);
    let state = live(status, vec![of_input(), paused()]).await;
    assert_eq!(values(&state), json!({ "log": ["in", "b", "c"] }));
    assert_eq!(state.next, ["a"]);
    assert_eq!((state.step, state.source, state.interrupts.len()), (0, Source::Loop, 1));
    let error = json!({ "kind": "ValueError", "message": "once" });
    let expected = json!([
        { "name": "a", "interrupts": question(1) },
        { "name": "b", "result": { "log": ["b"] } },
        { "name": "c", "result": { "log": ["c"] }, "error": error },
    ]);
    assert_eq!(tasks(&state), expected);
    assert_eq!(state.tasks[0].id, Some(call(1)));
}

#[tokio::test]
async fn the_record_of_a_step_has_all_its_tasks_and_the_values_before_it() {
    let (thread, _coordinator) = thread(ThreadStatus::Idle, vec![of_input(), paused()]).await;
    let all = thread.history(HistoryQuery::new()).await.expect("reads");
    let record = &all[0];
    assert_eq!(values(record), json!({ "log": ["in"] }));
    assert_eq!(record.next, ["a", "b", "c"]);
    assert_eq!(record.interrupts.len(), 2);
    assert_eq!(
        tasks(record)[1],
        json!({
            "name": "b", "result": { "log": ["b"] }, "interrupts": question(2),
        })
    );
    let input = &all[1];
    assert_eq!((input.step, input.source), (-1, Source::Input));
    assert_eq!(tasks(input), json!([{ "name": "__start__" }]));
    let loops = HistoryQuery::new().filter("source", "loop");
    assert_eq!(thread.history(loops).await.expect("reads").len(), 1);
}

#[tokio::test]
async fn a_step_that_has_not_begun_shows_what_is_planned() {
    let mut made = between(2, log(&["in"]), &["a"]);
    made.tasks.push(StepTask { added: true, ..StepTask::new("b") });
    let state = live(ThreadStatus::Pending, vec![of_input(), made.clone()]).await;
    assert_eq!(state.next, ["a", "b"]);
    assert_eq!(values(&state), json!({ "log": ["in"] }));
    // What a command has added is no part of the record.
    let (thread, _coordinator) = thread(ThreadStatus::Pending, vec![of_input(), made]).await;
    let record = thread.history(HistoryQuery::new().limit(1)).await.expect("reads");
    assert_eq!(record[0].next, ["a"]);

    let ended = between(3, log(&["in", "a"]), &[]);
    let state = live(ThreadStatus::Idle, vec![of_input(), paused(), ended]).await;
    assert_eq!((state.next.len(), state.tasks.len()), (0, 0));
    assert_eq!(values(&state), json!({ "log": ["in", "a"] }));
}

#[tokio::test]
async fn updates_that_cannot_be_put_together_leave_the_whole_step_to_do() {
    let tasks = vec![task(1, "a", wrote("a")), task(2, "b", wrote("b"))];
    let made = Checkpoint {
        progress: progress(StepView { changed: false, ..view(log(&["in"]), tasks) }, vec![]),
        ..between(2, log(&["in"]), &["a", "b"])
    };
    let failure = Failure::new("InvalidUpdate", "two writes");
    let state = live(ThreadStatus::Failed(failure), vec![of_input(), made]).await;
    assert_eq!(state.next, ["a", "b"]);
    assert_eq!(values(&state), json!({ "log": ["in"] }));
    assert!(state.tasks.iter().all(|task| task.error.is_none() && task.result.is_some()));
    assert_eq!(state.error.expect("why it failed").kind, "InvalidUpdate");
}

/// A graph that runs as the node `mid`, and in it another one as the node `low`, which asks.
fn nested() -> Checkpoint {
    let graph = |nth: u8, inner: TaskView| ChildGraph {
        call: call(nth),
        checkpoints: vec![
            Checkpoint { id: within(nth, 0), parent: None, ..of_input() },
            Checkpoint {
                id: within(nth, 1),
                parent: Some(within(nth, 0)),
                tasks: planned(&[&inner.name]),
                ..between(2, log(&["begin"]), &[])
            },
        ],
        view: view(log(&["now"]), vec![inner]),
    };
    let children = vec![graph(1, task(2, "low", None)), graph(2, task(3, "i", None))];
    let asked = vec![asked(1, &[1, 2, 3])];
    let progress = progress(view(log(&["in"]), vec![task(1, "mid", None)]), children);
    Checkpoint {
        progress: Progress { interrupts: asked, ..progress },
        ..between(2, log(&["in"]), &["mid"])
    }
}

#[tokio::test]
async fn states_of_graphs_within_are_shown_where_they_are_asked_for() {
    let status = ThreadStatus::Interrupted(vec![asked(1, &[1, 2, 3])]);
    let (thread, _coordinator) = thread(status, vec![of_input(), nested()]).await;
    let plain = thread.state().await.expect("reads").expect("ran");
    assert_eq!(tasks(&plain), json!([{ "name": "mid", "interrupts": question(1) }]));

    let whole = thread.state().subgraphs(true).await.expect("reads").expect("ran");
    let mid = whole.tasks[0].state.as_deref().expect("a graph");
    assert_eq!((mid.checkpoint, mid.parent), (within(1, 1), Some(within(1, 0))));
    assert_eq!((&mid.next[..], mid.step), (&["low".to_owned()][..], 0));
    assert_eq!(values(mid), json!({ "log": ["now"] }));
    let low = mid.tasks[0].state.as_deref().expect("a graph");
    assert_eq!(tasks(low), json!([{ "name": "i", "interrupts": question(1) }]));

    let alone = thread.state().within(["mid", "low"]).await.expect("reads").expect("is pending");
    assert_eq!(alone, *low);
    assert_eq!(thread.state().within(["other"]).await, Ok(None));
    assert_eq!(thread.state().within(["mid", "low", "i"]).await, Ok(None));
}

#[tokio::test]
async fn a_graph_within_has_a_history_while_it_is_pending() {
    let status = ThreadStatus::Interrupted(vec![asked(1, &[1, 2, 3])]);
    let (thread, _coordinator) = thread(status, vec![of_input(), nested()]).await;
    let inner = || HistoryQuery::new().within(["mid"]);
    let all = thread.history(inner()).await.expect("reads");
    let ids: Vec<_> = all.iter().map(|state| state.checkpoint).collect();
    assert_eq!(ids, [within(1, 1), within(1, 0)]);
    assert_eq!(values(&all[0]), json!({ "log": ["begin"] }));
    assert_eq!(tasks(&all[0]), json!([{ "name": "low", "interrupts": question(1) }]));
    let limited = thread.history(inner().limit(1)).await.expect("reads");
    assert_eq!(limited.len(), 1);
    let one = thread.history(inner().at(within(1, 0))).await.expect("reads");
    assert_eq!((one.len(), one[0].step), (1, -1));
    let none = thread.history(HistoryQuery::new().within(["nobody"])).await.expect("reads");
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_graph_within_that_ended_or_has_not_begun_its_step_shows_its_checkpoint() {
    let cases = [(vec![], Vec::<String>::new()), (planned(&["j"]), vec!["j".to_owned()])];
    for (tasks, next) in cases {
        let mut made = nested();
        let graph = made.progress.graph.as_mut().expect("a graph");
        graph.children.truncate(1);
        graph.children[0].view = StepView::default();
        graph.children[0].checkpoints[1].tasks = tasks;
        let state = live(ThreadStatus::Pending, vec![of_input(), made]).await;
        let inner = state.tasks[0].state.as_deref().expect("a graph");
        assert_eq!(inner.next, next);
        assert_eq!(inner.tasks.len(), next.len());
        assert_eq!(values(inner), json!({ "log": ["begin"] }));
    }
}
