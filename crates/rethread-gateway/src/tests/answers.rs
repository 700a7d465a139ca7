use serde_json::{Value, json};

use super::bench::Bench;
use crate::GatewayOptions;

#[track_caller]
fn assert_too_large(refused: &Value) {
    let detail = refused["detail"].as_str().expect("a text");
    assert!(detail.contains("more than 4000 bytes") && detail.contains("`limit`"), "{detail}");
}

#[tokio::test]
async fn lists_have_so_many_bytes() {
    let bench = Bench::start_with(GatewayOptions::default().answer_bytes_max(4_000)).await;
    let long = "x".repeat(3_000);
    for _ in 0..2 {
        let thread = bench.thread().await;
        bench.run(thread, "essay", json!(long)).await;
        bench.resume(thread, json!(true)).await;
        let history = format!("/threads/{thread}/history");
        assert_too_large(&bench.post(&history, json!({ "limit": 10 })).await.expect(422));
        let newest = bench.post(&history, json!({ "limit": 1 })).await.expect(200);
        assert_eq!(newest[0]["values"]["is_approved"], true, "one is shown, whatever it has");
    }
    assert_too_large(&bench.post("/threads/search", json!({})).await.expect(422));
    let small = json!({ "select": ["thread_id"] });
    let found = bench.post("/threads/search", small).await.expect(200);
    assert_eq!(found.as_array().map(Vec::len), Some(2));
    let found = bench.post("/threads/search", json!({ "limit": 1 })).await;
    assert_eq!(found.header("x-pagination-next"), Some("1"));
    for key in ["a", "b"] {
        let put = json!({ "namespace": ["n"], "key": key, "value": { "text": long } });
        bench.put("/store/items", put).await.expect(204);
    }
    let all = json!({ "namespace_prefix": ["n"] });
    assert_too_large(&bench.post("/store/items/search", all).await.expect(422));
    let second = json!({ "namespace_prefix": ["n"], "limit": 1, "offset": 1 });
    let found = bench.post("/store/items/search", second).await.expect(200);
    assert_eq!(found["items"][0]["key"], "b");
}

#[tokio::test]
async fn lists_are_read_in_parts() {
    let bench = Bench::start().await;
    for number in 0..205 {
        let put = json!({
            "namespace": ["n"], "key": format!("{number:03}"), "value": { "odd": number % 2 == 1 },
        });
        bench.put("/store/items", put).await.expect(204);
    }
    let keys = async |search: Value| {
        let found = bench.post("/store/items/search", search).await.expect(200);
        let items = found["items"].as_array().expect("items").iter();
        items.map(|item| item["key"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    let all = keys(json!({ "namespace_prefix": ["n"], "limit": 1_000 })).await;
    assert_eq!(all.len(), 205);
    assert!(all.is_sorted());
    let odd =
        json!({ "namespace_prefix": ["n"], "filter": { "odd": true }, "limit": 101, "offset": 1 });
    let odd = keys(odd).await;
    assert_eq!((odd.len(), odd[0].as_str(), odd[100].as_str()), (101, "003", "203"));
}
