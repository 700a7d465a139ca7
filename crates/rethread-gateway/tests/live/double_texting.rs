use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Server;

/// A thread on which a run is in progress and another waits.
async fn busy(server: &Server) -> (Uuid, Uuid, Uuid) {
    let thread = server.thread().await;
    server.wait(thread, "slow", json!(1)).await;
    let slow = json!({ "assistant_id": "slow", "input": 10_000 });
    let running = server.create(thread, slow.clone()).await;
    let waiting = server.create(thread, slow).await;
    server.until(thread, running, "running").await;
    (thread, running, waiting)
}

fn short(strategy: &str) -> Value {
    json!({ "assistant_id": "slow", "input": 2, "multitask_strategy": strategy })
}

/// What a short run gives that finds the first run of the thread as the last that ended.
fn result() -> Value {
    json!({ "done": 2, "previous": { "done": 1, "previous": null } })
}

#[tokio::test]
async fn a_run_that_meets_another_is_rejected() {
    let server = Server::start().await;
    let (thread, running, waiting) = busy(&server).await;
    let path = format!("/threads/{thread}/runs");
    let refused = server.post(&path, short("reject")).await.expect(409);
    let detail = refused["detail"].as_str().expect("a text");
    assert!(detail.starts_with("Thread is already running a task"), "{detail}");
    let runs = server.get(&path).await.expect(200);
    assert_eq!(runs.as_array().map(Vec::len), Some(3), "no record of it");
    assert_eq!(server.status(thread, running).await, "running");
    assert_eq!(server.status(thread, waiting).await, "pending");
}

#[tokio::test]
async fn of_many_at_once_one_is_taken() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let path = format!("/threads/{thread}/runs");
    let run = json!({
        "assistant_id": "slow", "input": 10_000, "multitask_strategy": "reject",
    });
    let answers = join_all((0..10).map(|_| server.post(&path, run.clone()))).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((taken, refused), (1, 9));
}

#[tokio::test]
async fn runs_wait_for_their_turn() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let runs = [
        server.create(thread, short("enqueue")).await,
        server.create(thread, short("enqueue")).await,
        server.create(thread, short("enqueue")).await,
    ];
    let mut previous = Value::Null;
    for run in runs {
        let expected = json!({ "done": 2, "previous": previous });
        assert_eq!(server.join(thread, run).await, expected);
        previous = expected;
    }
}

#[tokio::test]
async fn a_run_interrupts_the_others() {
    let server = Server::start().await;
    let (thread, running, waiting) = busy(&server).await;
    let run = server.create(thread, short("interrupt")).await;
    assert_eq!(server.join(thread, run).await, result());
    assert_eq!(server.status(thread, running).await, "interrupted");
    assert_eq!(server.status(thread, waiting).await, "interrupted");
    assert_eq!(server.thread_status(thread).await, "idle");
}

#[tokio::test]
async fn a_run_takes_the_others_back() {
    let server = Server::start().await;
    let (thread, running, waiting) = busy(&server).await;
    let run = server.create(thread, short("rollback")).await;
    assert_eq!(server.join(thread, run).await, result());
    for gone in [running, waiting] {
        server.get(&format!("/threads/{thread}/runs/{gone}")).await.expect(404);
    }
    let history = server.post(&format!("/threads/{thread}/history"), json!({ "limit": 100 })).await;
    let history = history.expect(200);
    let states = history.as_array().expect("states").iter();
    assert!(
        states.clone().all(|state| state["metadata"]["run_id"] != json!(running)),
        "its checkpoints are gone"
    );
}
