use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Bench;
use crate::caller::Tenant;
use crate::records::{RunRecord, RunStatus};
use crate::{ids, times};

#[tokio::test]
async fn threads_are_made_and_shown() {
    let bench = Bench::start().await;
    let made = bench.post("/threads", json!({ "metadata": { "user": "ada" } })).await.expect(200);
    assert_eq!(made["metadata"], json!({ "user": "ada" }));
    assert_eq!(made["status"], "idle");
    assert_eq!(made["values"], Value::Null);
    assert_eq!(made["interrupts"], json!({}));
    assert_eq!(made["error"], Value::Null);
    assert_eq!(made["config"], json!({}));
    let at = made["created_at"].as_str().expect("a time");
    assert!(at.ends_with("+00:00") && at.len() == 32, "{at}");
    let path = format!("/threads/{}", made["thread_id"].as_str().expect("an id"));
    assert_eq!(bench.get(&path).await.expect(200), made);
    let bare = Request::post("/threads").body(Body::empty()).expect("a request");
    bench.send(bare).await.expect(200);
    let missing = bench.get("/threads/00000000-0000-0000-0000-000000000000").await.expect(404);
    let text = "Thread with ID 00000000-0000-0000-0000-000000000000 not found";
    assert_eq!(missing, json!({ "detail": text }));
}

#[tokio::test]
async fn a_thread_is_made_once() {
    let bench = Bench::start().await;
    let id = Uuid::now_v7();
    let create = json!({ "thread_id": id, "metadata": { "n": 1 } });
    let made = bench.post("/threads", create.clone()).await.expect(200);
    let refused = bench.post("/threads", create).await.expect(409);
    assert_eq!(refused, json!({ "detail": format!("Thread with ID {id} already exists") }));
    let again = json!({ "thread_id": id, "if_exists": "do_nothing" });
    assert_eq!(bench.post("/threads", again).await.expect(200), made);
    let others = Uuid::now_v7();
    bench.run(others, "accumulate", json!(1)).await;
    bench.post("/threads", json!({ "thread_id": others })).await.expect(409);
}

#[tokio::test]
async fn metadata_is_merged_member_by_member() {
    let bench = Bench::start().await;
    let id = bench.thread_with(json!({ "a": 1, "b": { "c": 2 } })).await;
    let path = format!("/threads/{id}");
    let patched = bench.patch(&path, json!({ "metadata": { "b": 3, "d": null } })).await;
    let patched = patched.expect(200);
    assert_eq!(patched["metadata"], json!({ "a": 1, "b": 3, "d": null }));
    let minimal = Request::patch(&path)
        .header("prefer", "return=minimal")
        .body(Body::from(r#"{"metadata":{"a":7}}"#))
        .expect("a request");
    assert_eq!(bench.send(minimal).await.expect(204), Value::Null);
    assert_eq!(bench.get(&path).await.expect(200)["metadata"]["a"], 7);
    let unknown = format!("/threads/{}", Uuid::now_v7());
    bench.patch(&unknown, json!({ "metadata": {} })).await.expect(404);
}

#[tokio::test]
async fn a_thread_shows_what_its_last_run_came_to() {
    let bench = Bench::start().await;
    let [list, asks, fails, stopped] =
        [bench.thread().await, bench.thread().await, bench.thread().await, bench.thread().await];
    let show = async |id: Uuid| bench.get(&format!("/threads/{id}")).await.expect(200);

    bench.run(list, "add_numbers", json!([1, 2])).await;
    let thread = show(list).await;
    assert_eq!((&thread["status"], &thread["values"]), (&json!("idle"), &json!([4, 5])));

    bench.run(asks, "essay", json!("cat")).await;
    let thread = show(asks).await;
    assert_eq!((&thread["status"], &thread["values"]), (&json!("interrupted"), &Value::Null));
    let interrupts = thread["interrupts"].as_object().expect("by task");
    let (task, questions) = interrupts.iter().next().expect("one task");
    let state = bench.get(&format!("/threads/{asks}/state")).await.expect(200);
    assert_eq!(state["tasks"][0]["id"], task.as_str(), "the same task as in the state");
    assert_eq!(questions[0]["value"], json!({ "essay": "An essay about topic: cat" }));
    assert_eq!(questions[0]["id"].as_str().map(str::len), Some(32));

    bench.run(fails, "boom", json!("too hot")).await;
    let thread = show(fails).await;
    assert_eq!(thread["status"], "error");
    assert_eq!(thread["error"], json!({ "error": "Boom", "message": "too hot" }));

    bench.start_endless(stopped).await;
    assert_eq!(show(stopped).await["status"], "busy");
    bench.engine(stopped).cancel().await.expect("stopped");
    let thread = show(stopped).await;
    assert_eq!(thread["status"], "interrupted");
    assert_eq!(thread["interrupts"], json!({}));
    assert_eq!(thread["error"]["error"], "Cancelled");
}

#[tokio::test]
async fn a_thread_of_others_is_shown_too() {
    let bench = Bench::start().await;
    let id = Uuid::now_v7();
    bench.run(id, "accumulate", json!(5)).await;
    let path = format!("/threads/{id}");
    let thread = bench.get(&path).await.expect(200);
    assert_eq!(thread["metadata"]["graph_id"], "accumulate");
    assert_eq!(thread["values"], 0);
    let patched = bench.patch(&path, json!({ "metadata": { "mine": true } })).await.expect(200);
    assert_eq!(patched["metadata"]["graph_id"], "accumulate");
    assert_eq!(patched["metadata"]["mine"], true);
}

#[tokio::test]
async fn a_run_that_waits_makes_its_thread_busy_until_its_end_is_seen() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    let path = format!("/threads/{id}");
    let run =
        bench.engine(id).invoke_json("accumulate", &json!(1)).run_id(ids::run(Uuid::now_v7()));
    let run_id = Uuid::now_v7();
    let record = RunRecord {
        run_id,
        thread_id: id,
        assistant_id: ids::assistant_of("accumulate"),
        metadata: serde_json::Map::new(),
        status: RunStatus::Pending,
        kwargs: serde_json::Map::new(),
        multitask_strategy: "enqueue".to_owned(),
        created_at: times::now(),
        updated_at: times::now(),
    };
    let runs = bench.shared.records().runs(&Tenant::Standard, id);
    runs.put(run_id, &record).await.expect("written");
    bench.mark(id, ids::run(run_id)).await;
    assert_eq!(bench.get(&path).await.expect(200)["status"], "busy");
    let outcome = run.run_id(ids::run(run_id)).await.expect("an outcome");
    assert_eq!(outcome.done(), Some(json!(0)));
    assert_eq!(bench.get(&path).await.expect(200)["status"], "idle");
    let noted = runs.get(run_id).await.expect("read").expect("is there");
    assert_eq!(noted.status, RunStatus::Success);
    let active = bench.shared.records().active(&Tenant::Standard, id);
    assert_eq!(active.list().await.expect("read"), []);
}

#[tokio::test]
async fn a_thread_is_deleted_in_the_middle_of_its_work() {
    let bench = Bench::start().await;
    let id = bench.thread().await;
    let path = format!("/threads/{id}");
    let run = bench.start_endless(id).await;
    bench.mark(id, run).await;
    assert_eq!(bench.delete(&path).await.expect(204), Value::Null);
    bench.get(&path).await.expect(404);
    bench.get(&format!("{path}/state")).await.expect(404);
    bench.delete(&path).await.expect(404);
    assert_eq!(bench.engine(id).overview().await.expect("read"), None);
    let idle = bench.thread().await;
    bench.delete(&format!("/threads/{idle}")).await.expect(204);
}

#[tokio::test]
async fn a_copy_has_the_history_and_the_questions() {
    let bench = Bench::start().await;
    let id = bench.thread_with(json!({ "user": "ada" })).await;
    bench.run(id, "essay", json!("cat")).await;
    let copy = bench.post(&format!("/threads/{id}/copy"), json!({})).await.expect(200);
    assert_ne!(copy["thread_id"], json!(id));
    assert_eq!(copy["status"], "interrupted", "as the original is");
    assert_eq!(copy["metadata"]["user"], "ada");
    let copied: Uuid = serde_json::from_value(copy["thread_id"].clone()).expect("an id");
    bench.resume(copied, json!("no")).await;
    let values = |thread: Value| thread["values"].clone();
    let shown = values(bench.get(&format!("/threads/{copied}")).await.expect(200));
    assert_eq!(shown["is_approved"], "no");
    assert_eq!(values(bench.get(&format!("/threads/{id}")).await.expect(200)), Value::Null);
    let never_ran = bench.thread().await;
    bench.post(&format!("/threads/{never_ran}/copy"), json!({})).await.expect(200);
    bench.post(&format!("/threads/{}/copy", Uuid::now_v7()), json!({})).await.expect(404);
    let busy = bench.thread().await;
    bench.start_endless(busy).await;
    bench.post(&format!("/threads/{busy}/copy"), json!({})).await.expect(409);
}

#[tokio::test]
async fn threads_are_pruned() {
    let bench = Bench::start().await;
    let [kept, gone] = [bench.thread().await, bench.thread().await];
    for input in 1..=3 {
        bench.run(kept, "accumulate", json!(input)).await;
    }
    let states = async || {
        let path = format!("/threads/{kept}/history?limit=100");
        bench.get(&path).await.expect(200).as_array().map(Vec::len)
    };
    assert_eq!(states().await, Some(6));
    let request = json!({ "thread_ids": [kept], "strategy": "keep_latest" });
    let pruned = bench.post("/threads/prune", request).await.expect(200);
    assert_eq!(pruned, json!({ "pruned_count": 1 }));
    assert_eq!(states().await, Some(1));
    bench.run(kept, "accumulate", json!(0)).await;
    assert_eq!(bench.get(&format!("/threads/{kept}")).await.expect(200)["values"], 6);
    let request = json!({ "thread_ids": [gone, gone, Uuid::now_v7()] });
    let pruned = bench.post("/threads/prune", request).await.expect(200);
    assert_eq!(pruned, json!({ "pruned_count": 1 }));
    bench.get(&format!("/threads/{gone}")).await.expect(404);
}

#[tokio::test]
async fn a_thread_may_expire() {
    let bench = Bench::start().await;
    let create = json!({ "ttl": { "ttl": 60, "strategy": "delete" } });
    let made = bench.post("/threads", create).await.expect(200);
    assert_eq!(made.get("ttl"), None, "shown when it is asked for");
    let path = format!("/threads/{}", made["thread_id"].as_str().expect("an id"));
    let shown = bench.get(&format!("{path}?include=ttl")).await.expect(200);
    assert_eq!(shown["ttl"]["ttl_minutes"], 60.0);
    let soon = bench.post("/threads", json!({ "ttl": 0.000_001 })).await.expect(200);
    crate::threads::sweep_once(&bench.shared).await.expect("swept");
    bench.get(&path).await.expect(200);
    let soon = format!("/threads/{}", soon["thread_id"].as_str().expect("an id"));
    bench.get(&soon).await.expect(404);
    bench.patch(&path, json!({ "ttl": 0.000_001 })).await.expect(200);
    crate::threads::sweep_once(&bench.shared).await.expect("swept");
    bench.get(&path).await.expect(404);
    let rows = bench.shared.records().expiring().list().await.expect("read");
    assert_eq!(rows, []);
    bench.post("/threads", json!({ "ttl": 0 })).await.expect(422);
    bench.post("/threads", json!({ "ttl": { "ttl": 1, "strategy": "x" } })).await.expect(422);
}
