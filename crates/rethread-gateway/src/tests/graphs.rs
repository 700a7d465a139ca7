//! Graphs behind the gateway.

use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Bench;

/// Runs the graph `review` with what a request says besides, and waits for it.
async fn wait(bench: &Bench, thread: Uuid, mut request: Value) -> Value {
    request["assistant_id"] = json!("review");
    bench.post(&format!("/threads/{thread}/runs/wait"), request).await.expect(200)
}

async fn state(bench: &Bench, thread: Uuid, query: &str) -> Value {
    bench.get(&format!("/threads/{thread}/state{query}")).await.expect(200)
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|it| it["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn a_graph_is_drawn_with_its_nodes() {
    let bench = Bench::start().await;
    let drawn = bench.get("/assistants/review/graph").await.expect(200);
    assert_eq!(ids(&drawn["nodes"])[..4], ["__start__", "write", "check", "done"]);
    let edge = json!({ "source": "write", "target": "check" });
    assert!(drawn["edges"].as_array().expect("a list").contains(&edge), "{drawn}");
    let xray = bench.get("/assistants/review/graph?xray=true").await.expect(200);
    assert!(ids(&xray["nodes"]).contains(&"check:ask"), "{xray}");
    let within = bench.get("/assistants/review/subgraphs").await.expect(200);
    assert_eq!(within["check"]["graph_id"], "check");
    let one = bench.get("/assistants/review/subgraphs/check?recurse=true").await.expect(200);
    assert_eq!(one, within);
    let none = bench.get("/assistants/review/subgraphs/write").await.expect(200);
    assert_eq!(none, json!({}));
    assert_eq!(bench.get("/assistants/essay/subgraphs").await.expect(200), json!({}));
}

#[tokio::test]
async fn questions_of_a_graph_stand_beside_its_values() {
    let bench = Bench::start().await;
    let thread = bench.thread().await;
    let paused = wait(&bench, thread, json!({ "input": { "log": ["in"] } })).await;
    assert_eq!(paused["log"], json!(["in", "write"]));
    assert_eq!(paused["__interrupt__"][0]["value"], json!({ "seen": ["in", "write"] }));

    let plain = state(&bench, thread, "").await;
    assert_eq!((&plain["next"], &plain["values"]["log"]), (&json!(["check"]), &paused["log"]));
    let task = &plain["tasks"][0];
    assert_eq!((&task["name"], &task["state"]), (&json!("check"), &Value::Null));
    assert_eq!(task["interrupts"].as_array().map(Vec::len), Some(1));
    let id = task["id"].as_str().expect("an id");
    assert_eq!(task["checkpoint"]["checkpoint_ns"], format!("check:{id}"));

    let whole = state(&bench, thread, "?subgraphs=true").await;
    let inner = &whole["tasks"][0]["state"];
    assert_eq!(inner["next"], json!(["ask"]));
    assert_eq!(inner["checkpoint"]["checkpoint_ns"], task["checkpoint"]["checkpoint_ns"]);
    let given = json!({ "checkpoint": task["checkpoint"] });
    let path = format!("/threads/{thread}/state/checkpoint");
    let alone = bench.post(&path, given.clone()).await.expect(200);
    assert_eq!((&alone["values"], &alone["next"]), (&inner["values"], &inner["next"]));
    let history = format!("/threads/{thread}/history");
    let mut request = given.clone();
    request["limit"] = json!(10);
    let within = bench.post(&history, request).await.expect(200);
    assert_eq!(within.as_array().map(Vec::len), Some(2));
    assert_eq!(within[0]["checkpoint_id"], alone["checkpoint_id"]);
    let whole = bench.post(&history, json!({ "limit": 10 })).await.expect(200);
    assert_eq!(whole.as_array().map(Vec::len), Some(3));

    let done = wait(&bench, thread, json!({ "command": { "resume": "yes" } })).await;
    assert_eq!(done["log"], json!(["in", "write", "in", "write", "yes", "done"]));
    assert_eq!(state(&bench, thread, "").await["next"], json!([]));
}

#[tokio::test]
async fn a_graph_pauses_at_breakpoints_and_takes_commands() {
    let bench = Bench::start().await;
    let thread = bench.thread().await;
    let request = json!({ "input": { "log": [] }, "interrupt_before": ["check"] });
    assert_eq!(wait(&bench, thread, request).await, json!({ "log": ["write"] }));
    assert_eq!(state(&bench, thread, "").await["next"], json!(["check"]));
    let edit = json!({ "values": { "log": ["instead"] }, "as_node": "check" });
    bench.post(&format!("/threads/{thread}/state"), edit).await.expect(200);
    assert_eq!(state(&bench, thread, "").await["next"], json!(["done"]));
    let done = wait(&bench, thread, json!({ "input": null })).await;
    assert_eq!(done, json!({ "log": ["write", "instead", "done"] }));

    let command = json!({ "update": [["log", ["more"]]], "goto": ["done", { "node": "write" }] });
    let request = json!({ "command": command, "interrupt_before": "*" });
    let paused = wait(&bench, thread, request).await;
    let log = paused["log"].as_array().expect("a list");
    assert!(log.contains(&json!("more")), "{paused}");

    for command in [json!({ "goto": 7 }), json!({ "update": "text" })] {
        let request = json!({ "assistant_id": "review", "command": command });
        bench.post(&format!("/threads/{thread}/runs"), request).await.expect(422);
    }
    let request = json!({ "assistant_id": "essay", "command": { "goto": "x" } });
    bench.post(&format!("/threads/{thread}/runs"), request).await.expect(422);
}

#[tokio::test]
async fn a_graph_within_is_edited_while_it_is_pending() {
    let bench = Bench::start().await;
    let thread = bench.thread().await;
    wait(&bench, thread, json!({ "input": { "log": [] } })).await;
    let path = format!("/threads/{thread}/state");
    let edit = json!({
        "values": { "log": ["by hand"] }, "as_node": "ask", "checkpoint": { "checkpoint_ns": "check" },
    });
    bench.post(&path, edit).await.expect(200);
    let done = wait(&bench, thread, json!({ "input": null })).await;
    assert_eq!(done["log"], json!(["write", "write", "by hand", "done"]));
}
