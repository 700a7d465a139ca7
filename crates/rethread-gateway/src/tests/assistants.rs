use serde_json::{Value, json};

use super::bench::Bench;
use super::programs::NAMES;
use crate::ids;

#[tokio::test]
async fn every_entrypoint_has_an_assistant() {
    let bench = Bench::start().await;
    let all = bench.post("/assistants/search", json!({ "limit": 100 })).await;
    assert_eq!(all.header("x-pagination-total"), Some(NAMES.len().to_string().as_str()));
    assert_eq!(all.expect(200).as_array().map(Vec::len), Some(NAMES.len()));
    let found = bench.post("/assistants/search", json!({ "graph_id": "essay" })).await.expect(200);
    let id = ids::assistant_of("essay").to_string();
    let [essay] = &found.as_array().expect("a list")[..] else { panic!("one: {found}") };
    assert_eq!(essay["assistant_id"], id);
    assert_eq!(essay["metadata"], json!({ "created_by": "system" }));
    assert_eq!(essay["version"], 1);
    for named in [id.as_str(), "essay"] {
        assert_eq!(bench.get(&format!("/assistants/{named}")).await.expect(200), *essay);
    }
    bench.get("/assistants/unknown").await.expect(404);
    bench.get("/assistants/00000000-0000-0000-0000-000000000000").await.expect(404);
}

#[tokio::test]
async fn lists_are_sorted_cut_and_reduced() {
    let bench = Bench::start().await;
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    };
    let request = json!({
        "sort_by": "name", "sort_order": "asc", "limit": 2, "offset": 1, "select": ["name"],
    });
    let page = bench.post("/assistants/search", request).await;
    assert_eq!(page.header("x-pagination-next"), Some("3"));
    let page = page.expect(200);
    assert_eq!(page, json!([{ "name": "add_numbers" }, { "name": "boom" }]));
    let part = bench.post("/assistants/search", json!({ "name": "SSA" })).await.expect(200);
    assert_eq!(names(&part), ["essay"]);
    for (filter, count) in [
        (json!({}), NAMES.len()),
        (json!({ "graph_id": "boom" }), 1),
        (json!({ "metadata": { "created_by": "system" } }), NAMES.len()),
        (json!({ "metadata": { "created_by": "me" } }), 0),
    ] {
        assert_eq!(bench.post("/assistants/count", filter).await.expect(200), count);
    }
    bench.post("/assistants/search", json!({ "limit": 0 })).await.expect(422);
    bench.post("/assistants/search", json!({ "select": ["secret"] })).await.expect(422);
}

#[tokio::test]
async fn assistants_are_made_changed_and_removed() {
    let bench = Bench::start().await;
    let made = bench
        .post(
            "/assistants",
            json!({
                "graph_id": "essay", "name": "mine", "metadata": { "a": 1 },
                "config": { "configurable": { "model": "m" } },
            }),
        )
        .await
        .expect(200);
    assert_eq!(made["context"], json!({ "model": "m" }), "the same by another name");
    assert_eq!(made["version"], 1);
    let path = format!("/assistants/{}", made["assistant_id"].as_str().expect("an id"));
    let patch = json!({ "name": "ours", "metadata": { "b": 2 }, "context": { "model": "n" } });
    let patched = bench.patch(&path, patch).await.expect(200);
    assert_eq!(patched["version"], 2);
    assert_eq!(patched["metadata"], json!({ "a": 1, "b": 2 }));
    assert_eq!(patched["config"]["configurable"], json!({ "model": "n" }));
    assert_eq!(bench.get(&path).await.expect(200), patched);
    let versions = bench.post(&format!("{path}/versions"), json!({})).await.expect(200);
    assert_eq!(versions, json!([patched, made]));
    let latest = format!("{path}/latest");
    assert_eq!(bench.post(&latest, json!({ "version": 1 })).await.expect(200), made);
    bench.post(&latest, json!({ "version": 7 })).await.expect(404);
    let third = bench.patch(&path, json!({ "name": "third" })).await.expect(200);
    assert_eq!(third["version"], 3, "no number is given twice");
    let mine = bench.thread_with(json!({ "assistant_id": made["assistant_id"] })).await;
    let other = bench.thread().await;
    let delete = format!("{path}?delete_threads=true");
    assert_eq!(bench.delete(&delete).await.expect(204), Value::Null);
    bench.get(&format!("/threads/{mine}")).await.expect(404);
    bench.get(&format!("/threads/{other}")).await.expect(200);
    bench.get(&path).await.expect(404);
    bench.delete(&path).await.expect(404);
}

#[tokio::test]
async fn what_exists_is_not_made_again() {
    let bench = Bench::start().await;
    let id = "7b7a2d3c-2c2f-4f0e-9d3c-0d5f9d6b1a11";
    let create = json!({ "graph_id": "essay", "assistant_id": id, "name": "first" });
    let made = bench.post("/assistants", create.clone()).await.expect(200);
    bench.post("/assistants", create).await.expect(409);
    let again = json!({ "graph_id": "boom", "assistant_id": id, "if_exists": "do_nothing" });
    assert_eq!(bench.post("/assistants", again).await.expect(200), made);
    bench.post("/assistants", json!({ "graph_id": "unknown" })).await.expect(404);
    let both = json!({
        "graph_id": "essay", "context": { "a": 1 }, "config": { "configurable": { "a": 2 } },
    });
    bench.post("/assistants", both).await.expect(400);
    let own = ids::assistant_of("essay");
    let create = json!({ "graph_id": "essay", "assistant_id": own });
    bench.post("/assistants", create).await.expect(409);
    bench.delete("/assistants/essay").await.expect(409);
}

#[tokio::test]
async fn the_assistant_of_an_entrypoint_can_be_changed() {
    let bench = Bench::start().await;
    let patched = bench.patch("/assistants/essay", json!({ "name": "mine" })).await.expect(200);
    assert_eq!(patched["version"], 2);
    assert_eq!(bench.get("/assistants/essay").await.expect(200), patched);
    let all = bench.post("/assistants/count", json!({})).await.expect(200);
    assert_eq!(all, NAMES.len(), "it is the same assistant");
    let other = json!({ "graph_id": "boom" });
    let refused = bench.patch("/assistants/essay", other.clone()).await.expect(409);
    assert!(refused["detail"].as_str().is_some_and(|it| it.contains("`essay`")), "{refused}");
    let same = json!({ "graph_id": "essay", "name": "mine" });
    assert_eq!(bench.patch("/assistants/essay", same).await.expect(200)["version"], 3);
    let made = bench.post("/assistants", json!({ "graph_id": "essay" })).await.expect(200);
    let path = format!("/assistants/{}", made["assistant_id"].as_str().expect("an id"));
    assert_eq!(bench.patch(&path, other).await.expect(200)["graph_id"], "boom");
}

#[tokio::test]
async fn assistants_are_described() {
    let bench = Bench::start().await;
    let schemas = bench.get("/assistants/essay/schemas").await.expect(200);
    assert_eq!(schemas["graph_id"], "essay");
    assert_eq!(schemas["input_schema"], json!({ "type": "string" }));
    assert_eq!(schemas["config_schema"], Value::Null);
    let graph = bench.get("/assistants/essay/graph?xray=false").await.expect(200);
    assert_eq!(
        graph,
        json!({
            "nodes": [
                { "id": "essay", "type": "runnable", "data": { "name": "essay" } },
                { "id": "__start__" },
                { "id": "__end__" },
            ],
            "edges": [
                { "source": "__start__", "target": "essay" },
                { "source": "essay", "target": "__end__", "conditional": true },
            ],
        })
    );
    for path in ["subgraphs?recurse=true", "subgraphs/any"] {
        assert_eq!(bench.get(&format!("/assistants/essay/{path}")).await.expect(200), json!({}));
    }
    bench.get("/assistants/unknown/graph").await.expect(404);
}
