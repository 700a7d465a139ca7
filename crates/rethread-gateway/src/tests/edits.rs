use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Bench;

#[tokio::test]
async fn an_edit_sets_the_values_and_what_is_previous() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    bench.run(id, "accumulate", json!(1)).await;
    let path = format!("/threads/{id}/state");
    let edited = bench.post(&path, json!({ "values": 40 })).await.expect(200);
    let checkpoint = edited["checkpoint_id"].clone();
    assert_eq!(edited["checkpoint"], edited["configurable"]);
    assert_eq!(
        edited["checkpoint"],
        json!({ "thread_id": id, "checkpoint_ns": "", "checkpoint_id": checkpoint })
    );
    let state = bench.get(&path).await.expect(200);
    assert_eq!(state["values"], 40);
    assert_eq!(state["metadata"]["source"], "update");
    assert_eq!(state["checkpoint_id"], checkpoint);
    bench.run(id, "accumulate", json!(2)).await;
    assert_eq!(bench.get(&path).await.expect(200)["values"], 40, "it was previous");
}

#[tokio::test]
async fn any_json_is_a_value() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    bench.run(id, "add_numbers", json!([1])).await;
    let path = format!("/threads/{id}/state");
    for values in [json!([1, 2]), json!("text"), json!(1.5), json!(false), json!({ "a": null })] {
        bench.post(&path, json!({ "values": values })).await.expect(200);
        assert_eq!(bench.get(&path).await.expect(200)["values"], values);
    }
    bench.post(&path, json!({ "values": null })).await.expect(200);
    assert_eq!(bench.get(&path).await.expect(200)["values"], Value::Null);
}

#[tokio::test]
async fn an_edit_may_begin_at_an_older_state() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    bench.run(id, "accumulate", json!(1)).await;
    let path = format!("/threads/{id}/state");
    let older = bench.get(&path).await.expect(200)["checkpoint"].clone();
    bench.run(id, "accumulate", json!(1)).await;
    let request = json!({ "values": 9, "as_node": "accumulate", "checkpoint": older });
    bench.post(&path, request).await.expect(200);
    let state = bench.get(&path).await.expect(200);
    assert_eq!(state["values"], 9);
    assert_eq!(state["parent_checkpoint"], older);
    let request = json!({ "values": 9, "checkpoint_id": Uuid::now_v7() });
    bench.post(&path, request).await.expect(404);
    let request = json!({ "values": 9, "as_node": "another" });
    bench.post(&path, request).await.expect(400);
}

#[tokio::test]
async fn an_input_may_be_laid_out() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    bench.run(id, "accumulate", json!(1)).await;
    let path = format!("/threads/{id}/state");
    bench.post(&path, json!({ "values": 5, "as_node": "__input__" })).await.expect(200);
    let state = bench.get(&path).await.expect(200);
    assert_eq!(state["next"], json!(["accumulate"]));
    let thread = bench.get(&format!("/threads/{id}")).await.expect(200);
    assert_eq!(thread["status"], "interrupted", "work is left");
    let ended = bench.post(&path, json!({ "values": null, "as_node": "__end__" })).await;
    ended.expect(200);
    assert_eq!(bench.get(&path).await.expect(200)["next"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_edited_is_refused() {
    let bench = Bench::start().await;
    let path = |id: Uuid| format!("/threads/{id}/state");
    let never_ran = bench.thread().await;
    bench.post(&path(never_ran), json!({ "values": 1 })).await.expect(400);
    bench.post(&path(Uuid::now_v7()), json!({ "values": 1 })).await.expect(404);
    let busy = bench.thread().await;
    bench.start_endless(busy).await;
    let refused = bench.post(&path(busy), json!({ "values": 1 })).await.expect(409);
    assert!(!refused["detail"].as_str().expect("a text").contains('{'), "nothing internal");
}

#[tokio::test]
async fn a_thread_may_be_made_with_states() {
    let bench = Bench::start().await;
    let create = json!({
        "metadata": { "graph_id": "accumulate" },
        "supersteps": [
            { "updates": [{ "values": 10, "as_node": "accumulate" }] },
            { "updates": [{ "values": 20 }] },
        ],
    });
    let made = bench.post("/threads", create).await.expect(200);
    assert_eq!(made["values"], 20);
    let id: Uuid = serde_json::from_value(made["thread_id"].clone()).expect("an id");
    bench.run(id, "accumulate", json!(1)).await;
    assert_eq!(bench.get(&format!("/threads/{id}")).await.expect(200)["values"], 20);
    let create = json!({ "supersteps": [{ "updates": [{ "values": 1 }] }] });
    bench.post("/threads", create).await.expect(400);
}
