use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::bench::{Answer, Bench};

async fn delete(bench: &Bench, body: Value) -> Answer {
    let request = Request::delete("/store/items").body(Body::from(body.to_string()));
    bench.send(request.expect("a request")).await
}

#[tokio::test]
async fn items_are_put_read_and_removed() {
    let bench = Bench::start().await;
    let put = json!({ "namespace": ["users", "ada"], "key": "profile", "value": { "age": 36 } });
    assert_eq!(bench.put("/store/items", put).await.expect(204), Value::Null);
    let path = "/store/items?namespace=users.ada&key=profile";
    let item = bench.get(path).await.expect(200);
    assert_eq!(item["namespace"], json!(["users", "ada"]));
    assert_eq!(item["key"], "profile");
    assert_eq!(item["value"], json!({ "age": 36 }));
    assert_eq!(item["created_at"], item["updated_at"]);
    assert_eq!(bench.get("/store/items?namespace=users&key=x").await.expect(200), Value::Null);
    let named = json!({ "namespace": ["users", "ada"], "key": "profile" });
    assert_eq!(delete(&bench, named.clone()).await.expect(204), Value::Null);
    assert_eq!(bench.get(path).await.expect(200), Value::Null);
    delete(&bench, named).await.expect(204);
}

#[tokio::test]
async fn names_and_values_are_checked() {
    let bench = Bench::start().await;
    for (namespace, value, status) in [
        (json!([]), json!({}), 400),
        (json!(["langgraph"]), json!({}), 400),
        (json!(["@http"]), json!({}), 400),
        (json!(["a.b"]), json!({}), 422),
        (json!(["a", ""]), json!({}), 422),
        (json!("a"), json!({}), 422),
        (json!(["a"]), json!(3), 422),
        (json!(["a"]), Value::Null, 422),
    ] {
        let put = json!({ "namespace": namespace, "key": "k", "value": value });
        let refused = bench.put("/store/items", put.clone()).await;
        assert_eq!(refused.status, status, "{put}: {}", refused.body);
    }
    let put = json!({ "namespace": ["a"], "key": "k", "value": {}, "ttl": 0 });
    bench.put("/store/items", put).await.expect(422);
    let put = json!({ "namespace": ["a"], "key": "k".repeat(5_000), "value": {} });
    bench.put("/store/items", put).await.expect(422);
    bench.get("/store/items?namespace=@http.threads&key=x").await.expect(400);
    bench.get("/store/items?key=x").await.expect(422);
}

#[tokio::test]
async fn items_are_found() {
    let bench = Bench::start().await;
    for (user, age) in [("ada", 36), ("bob", 17), ("cid", 50)] {
        let value = json!({ "age": age, "home": { "city": "Paris", "no": age } });
        let put = json!({
            "namespace": ["users", user], "key": "profile", "value": value, "index": false,
            "ttl": 5,
        });
        bench.put("/store/items", put).await.expect(204);
    }
    let users = async |request: Value| -> Vec<Value> {
        let found = bench.post("/store/items/search", request).await.expect(200);
        let items = found["items"].as_array().expect("a list").iter();
        items
            .map(|item| {
                assert_eq!(item["score"], Value::Null);
                item["namespace"][1].clone()
            })
            .collect()
    };
    for (request, expected) in [
        (json!({ "namespace_prefix": ["users"] }), &["ada", "bob", "cid"][..]),
        (json!({ "namespace_prefix": [] }), &["ada", "bob", "cid"]),
        (json!({ "namespace_prefix": ["users", "bob"] }), &["bob"]),
        (json!({ "namespace_prefix": ["users"], "limit": 1, "offset": 1 }), &["bob"]),
        (json!({ "namespace_prefix": ["users"], "filter": { "age": 17 } }), &["bob"]),
        (
            json!({ "namespace_prefix": ["users"], "filter": { "age": { "$gte": 36 } } }),
            &["ada", "cid"],
        ),
        (json!({ "namespace_prefix": ["users"], "filter": { "home": { "no": 50 } } }), &["cid"]),
        (json!({ "namespace_prefix": ["users"], "query": "who", "limit": 1 }), &["ada"]),
    ] {
        assert_eq!(users(request.clone()).await, expected, "{request}");
    }
    let request = json!({ "namespace_prefix": ["users"], "filter": { "age": { "$x": 1 } } });
    bench.post("/store/items/search", request).await.expect(422);
    bench.post("/store/items/search", json!({ "namespace_prefix": ["@http"] })).await.expect(400);
}

#[tokio::test]
async fn namespaces_are_listed_without_those_of_the_gateway() {
    let bench = Bench::start().await;
    bench.thread().await;
    for namespace in [json!(["a", "x"]), json!(["a", "y", "z"]), json!(["b"])] {
        let put = json!({ "namespace": namespace, "key": "k", "value": {} });
        bench.put("/store/items", put).await.expect(204);
    }
    for (request, expected) in [
        (json!({}), json!([["a", "x"], ["a", "y", "z"], ["b"]])),
        (json!({ "max_depth": 1 }), json!([["a"], ["b"]])),
        (json!({ "prefix": ["a"] }), json!([["a", "x"], ["a", "y", "z"]])),
        (json!({ "suffix": ["z"] }), json!([["a", "y", "z"]])),
        (json!({ "prefix": ["*", "x"] }), json!([["a", "x"]])),
        (json!({ "limit": 1, "offset": 2 }), json!([["b"]])),
    ] {
        let found = bench.post("/store/namespaces", request.clone()).await.expect(200);
        assert_eq!(found["namespaces"], expected, "{request}");
    }
    bench.post("/store/namespaces", json!({ "prefix": ["@http"] })).await.expect(400);
    bench.post("/store/namespaces", json!({ "max_depth": 0 })).await.expect(422);
}
