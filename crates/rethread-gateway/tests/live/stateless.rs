use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{DEADLINE, Server};

#[tokio::test]
async fn runs_without_a_thread_leave_nothing() {
    let server = Server::start().await;
    for _ in 0..2 {
        let run = json!({ "assistant_id": "accumulate", "input": 3 });
        let answer = server.post("/runs/wait", run).await;
        let at = answer.header("content-location").to_owned();
        assert_eq!(answer.expect(200), json!(0), "nothing is remembered");
        let gone = async {
            while server.get(&at).await.status != 404 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, gone).await.expect("the run goes");
    }
    let threads = server.post("/threads/search", json!({})).await.expect(200);
    assert_eq!(threads, json!([]));
    let asked = json!({ "assistant_id": "essay", "input": "cat" });
    let asked = server.post("/runs/wait", asked).await.expect(200);
    assert_eq!(asked["__interrupt__"].as_array().map(Vec::len), Some(1));
    let failed = json!({ "assistant_id": "boom", "input": "x" });
    let failed = server.post("/runs/wait", failed).await.expect(200);
    assert_eq!(failed["__error__"]["message"], "x");
}

#[tokio::test]
async fn a_run_without_a_thread_may_be_kept() {
    let server = Server::start().await;
    let run = json!({ "assistant_id": "accumulate", "input": 3, "on_completion": "keep" });
    let answer = server.post("/runs/wait", run).await;
    let at = answer.header("content-location").to_owned();
    answer.expect(200);
    let run = server.get(&at).await.expect(200);
    let thread = serde_json::from_value(run["thread_id"].clone()).expect("an id");
    assert_eq!(server.wait(thread, "accumulate", json!(0)).await, json!(3));
}

#[tokio::test]
async fn a_stream_without_a_thread_is_joined_again() {
    let server = Server::start().await;
    let run = json!({ "assistant_id": "slow", "input": 5, "stream_mode": ["custom", "values"] });
    let events = server.stream("/runs/stream", run).await;
    let location = events.response.headers()["location"].to_str().expect("a text").to_owned();
    assert!(location.starts_with("/runs/") && location.ends_with("/stream"), "{location}");
    let whole = events.all().await;
    assert_eq!(whole.len(), 7, "metadata, five ticks and the result");
    for cut in 0..whole.len() {
        let rest = server.rejoin(&location, Some(&whole[cut].id)).await.all().await;
        assert_eq!(rest, whole[cut + 1..], "cut behind event {cut}");
    }
}

#[tokio::test]
async fn runs_are_made_in_the_background_and_in_batches() {
    let server = Server::start().await;
    let run = json!({ "assistant_id": "accumulate", "input": 3 });
    let answer = server.post("/runs", run.clone()).await;
    let at = answer.header("content-location").to_owned();
    let made = answer.expect(200);
    let id: Uuid = serde_json::from_value(made["run_id"].clone()).expect("an id");
    assert_eq!(at, format!("/runs/{id}"));
    assert_eq!(made["status"], "pending");
    let events = server.rejoin(&format!("/runs/{id}/stream"), Some("-1")).await.all().await;
    assert_eq!(events.last().expect("events").data, json!(0));
    let batch = server.post("/runs/batch", json!([run, run])).await.expect(200);
    let batch = batch.as_array().expect("runs").clone();
    assert_eq!(batch.len(), 2);
    for made in batch {
        let of = |member: &str| made.get(member).and_then(Value::as_str).expect("an id").to_owned();
        let path = format!("/threads/{}/runs/{}/join", of("thread_id"), of("run_id"));
        assert_eq!(server.get(&path).await.expect(200), json!(0));
    }
}
