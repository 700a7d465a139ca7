use axum::http::Method;
use serde_json::{Value, json};

use super::bench::Bench;

#[tokio::test]
async fn nobody_sees_the_threads_of_another() {
    let bench = Bench::start().await;
    let id = bench.thread_with(json!({ "n": 1 })).await;
    let path = format!("/threads/{id}");
    for (method, path, body) in [
        (Method::GET, path.clone(), Value::Null),
        (Method::PATCH, path.clone(), json!({ "metadata": {} })),
        (Method::DELETE, path.clone(), Value::Null),
        (Method::POST, format!("{path}/copy"), Value::Null),
        (Method::GET, format!("{path}/state"), Value::Null),
        (Method::POST, format!("{path}/state"), json!({ "values": 1 })),
        (Method::POST, format!("{path}/history"), json!({})),
    ] {
        let answer = bench.of("acme", method.clone(), &path, body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
    }
    let all = bench.of("acme", Method::POST, "/threads/search", json!({})).await.expect(200);
    assert_eq!(all, json!([]));
    let prune = json!({ "thread_ids": [id] });
    let pruned = bench.of("acme", Method::POST, "/threads/prune", prune).await.expect(200);
    assert_eq!(pruned["pruned_count"], 0);
    let create = json!({ "thread_id": id });
    bench.of("acme", Method::POST, "/threads", create).await.expect(200);
    let own = bench.of("acme", Method::GET, &path, Value::Null).await.expect(200);
    assert_eq!(own["metadata"], json!({}), "a thread of its own by the same id");
    assert_eq!(bench.get(&path).await.expect(200)["metadata"], json!({ "n": 1 }));
}

#[tokio::test]
async fn nobody_sees_the_assistants_of_another() {
    let bench = Bench::start().await;
    let made = bench.post("/assistants", json!({ "graph_id": "essay" })).await.expect(200);
    let path = format!("/assistants/{}", made["assistant_id"].as_str().expect("an id"));
    bench.of("acme", Method::GET, &path, Value::Null).await.expect(404);
    bench.patch("/assistants/essay", json!({ "name": "mine" })).await.expect(200);
    let theirs = bench.of("acme", Method::GET, "/assistants/essay", Value::Null).await.expect(200);
    assert_eq!(theirs["name"], "essay");
}

#[tokio::test]
async fn nobody_sees_the_items_of_another() {
    let bench = Bench::start().await;
    let put = |value: i32| json!({ "namespace": ["a", "b"], "key": "k", "value": { "v": value } });
    bench.put("/store/items", put(1)).await.expect(204);
    bench.of("acme", Method::PUT, "/store/items", put(2)).await.expect(204);
    let path = "/store/items?namespace=a.b&key=k";
    assert_eq!(bench.get(path).await.expect(200)["value"]["v"], 1);
    let theirs = bench.of("acme", Method::GET, path, Value::Null).await.expect(200);
    assert_eq!(theirs["value"]["v"], 2);
    assert_eq!(theirs["namespace"], json!(["a", "b"]));
    let all = json!({ "namespace_prefix": [] });
    let found = bench.of("acme", Method::POST, "/store/items/search", all.clone()).await;
    let found = found.expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    let found = bench.post("/store/items/search", all).await.expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    for (request, expected) in [
        (json!({}), json!([["a", "b"]])),
        (json!({ "max_depth": 1 }), json!([["a"]])),
        (json!({ "suffix": ["b"] }), json!([["a", "b"]])),
        (json!({ "suffix": ["*", "b"] }), json!([["a", "b"]])),
        (json!({ "suffix": ["*", "a", "b"] }), json!([])),
        (json!({ "prefix": ["*", "b"] }), json!([["a", "b"]])),
    ] {
        let found = bench.of("acme", Method::POST, "/store/namespaces", request.clone()).await;
        assert_eq!(found.expect(200)["namespaces"], expected, "{request}");
    }
    let path = "/store/items?namespace=@acme.a.b&key=k";
    bench.get(path).await.expect(400);
}
