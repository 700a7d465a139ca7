use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Bench;

#[tokio::test]
async fn a_thread_that_never_ran_has_an_empty_state() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    let state = bench.get(&format!("/threads/{id}/state")).await.expect(200);
    assert_eq!(
        state,
        json!({
            "values": {}, "next": [], "tasks": [], "interrupts": [], "metadata": null,
            "created_at": null, "checkpoint": null, "parent_checkpoint": null,
            "checkpoint_id": null, "parent_checkpoint_id": null,
        })
    );
    assert_eq!(bench.get(&format!("/threads/{id}/history")).await.expect(200), json!([]));
    let unknown = Uuid::now_v7();
    for path in ["state", "history"] {
        bench.get(&format!("/threads/{unknown}/{path}")).await.expect(404);
    }
}

#[tokio::test]
async fn a_question_stands_in_the_state() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    bench.run(id, "essay", json!("cat")).await;
    let path = format!("/threads/{id}/state");
    let state = bench.get(&path).await.expect(200);
    assert_eq!(state["values"], Value::Null);
    assert_eq!(state["next"], json!(["essay"]));
    let task = &state["tasks"][0];
    assert_eq!(task["name"], "essay");
    assert_eq!(task["path"], json!(["__pregel_pull", "essay"]));
    assert_eq!(task["interrupts"], state["interrupts"]);
    assert_eq!(state["interrupts"][0]["value"]["essay"], "An essay about topic: cat");
    for empty in ["error", "checkpoint", "state", "result"] {
        assert_eq!(task[empty], Value::Null, "{empty}");
    }
    assert_eq!(state["metadata"]["source"], "input");
    assert_eq!(state["metadata"]["step"], -1);
    assert_eq!(state["metadata"]["thread_id"], json!(id));
    let checkpoint = state["checkpoint_id"].as_str().expect("an id");
    assert_eq!(
        state["checkpoint"],
        json!({ "thread_id": id, "checkpoint_ns": "", "checkpoint_id": checkpoint })
    );
    assert_eq!(bench.get(&format!("{path}/{checkpoint}")).await.expect(200), state);
    for given in [json!({}), json!({ "thread_id": id }), json!({ "checkpoint_id": checkpoint })] {
        let request = json!({ "checkpoint": given, "subgraphs": false });
        assert_eq!(bench.post(&format!("{path}/checkpoint"), request).await.expect(200), state);
    }
    bench.get(&format!("{path}/{}", Uuid::now_v7())).await.expect(404);
    let list = json!({ "checkpoint": [null] });
    bench.post(&format!("{path}/checkpoint"), list).await.expect(422);
    bench.post(&format!("{path}/checkpoint"), json!([null])).await.expect(422);
}

#[tokio::test]
async fn a_failure_stands_in_the_state() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    bench.run(id, "boom", json!("hot")).await;
    let state = bench.get(&format!("/threads/{id}/state")).await.expect(200);
    assert_eq!(state["next"], json!(["boom"]));
    assert_eq!(state["tasks"][0]["error"], "Boom: hot");
}

#[tokio::test]
async fn the_history_shows_what_each_step_led_to() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    for number in [5, 7] {
        bench.run(id, "accumulate", json!(number)).await;
    }
    let path = format!("/threads/{id}/history");
    let all = bench.post(&path, json!({ "limit": 10 })).await.expect(200);
    let all = all.as_array().expect("a list");
    let of = |name: &str| all.iter().map(|it| it["metadata"][name].clone()).collect::<Vec<_>>();
    assert_eq!(of("source"), ["loop", "input", "loop", "input"]);
    assert_eq!(of("step"), [2, 1, 0, -1]);
    let values: Vec<_> = all.iter().map(|it| it["values"].clone()).collect();
    assert_eq!(values, [json!(5), json!(0), json!(0), Value::Null]);
    assert_eq!(all[1]["tasks"][0]["result"], 5, "what the step that began here led to");
    assert_eq!(all[1]["next"], json!(["accumulate"]));
    for (newer, older) in all.iter().zip(&all[1..]) {
        assert_eq!(newer["parent_checkpoint"], older["checkpoint"]);
        assert_eq!(newer["parent_checkpoint_id"], older["checkpoint_id"]);
    }
    assert_eq!(all[3]["parent_checkpoint"], Value::Null);

    let one = bench.post(&path, json!({})).await.expect(200);
    assert_eq!(one, json!([all[0]]), "one by default");
    let ten = bench.get(&path).await.expect(200);
    assert_eq!(ten, json!(all));
    let checkpoint = &all[1]["checkpoint_id"];
    for before in [
        checkpoint.clone(),
        json!({ "checkpoint_id": checkpoint, "thread_id": id, "checkpoint_ns": "" }),
        json!({ "configurable": { "checkpoint_id": checkpoint, "thread_id": id } }),
    ] {
        let request = json!({ "limit": 10, "before": before });
        let older = bench.post(&path, request).await.expect(200);
        assert_eq!(older, json!(all[2..]), "{before}");
    }
    let before = checkpoint.as_str().expect("an id");
    let older = bench.get(&format!("{path}?limit=1&before={before}")).await.expect(200);
    assert_eq!(older, json!([all[2]]));
    let request = json!({ "limit": 10, "metadata": { "source": "input" } });
    let inputs = bench.post(&path, request).await.expect(200);
    assert_eq!(inputs, json!([all[1], all[3]]));
    let request = json!({ "limit": 1, "metadata": { "step": 0 }, "checkpoint": {} });
    assert_eq!(bench.post(&path, request).await.expect(200), json!([all[2]]));
    bench.post(&path, json!({ "before": "no id" })).await.expect(422);
    bench.get(&format!("{path}?limit=0")).await.expect(422);
}
