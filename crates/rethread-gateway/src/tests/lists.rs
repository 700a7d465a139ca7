use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Bench;

/// Threads of all kinds, in the order in which they were made.
struct Threads {
    bench: Bench,
    number: Uuid,
    list: Uuid,
    asks: Uuid,
    fails: Uuid,
    busy: Uuid,
    new: Uuid,
}

async fn threads() -> Threads {
    let bench = Bench::start().await;
    let mut made = Vec::new();
    for (name, input) in [
        ("accumulate", json!(3)),
        ("add_numbers", json!([1, 2])),
        ("essay", json!("cat")),
        ("boom", json!("hot")),
    ] {
        let id = bench.thread_with(json!({ "graph_id": name, "of": { "n": made.len() } })).await;
        bench.run(id, name, input).await;
        made.push(id);
        // Times have milliseconds.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let [number, list, asks, fails] = made[..] else { panic!("four") };
    let busy = bench.thread().await;
    bench.start_endless(busy).await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let new = bench.thread().await;
    Threads { bench, number, list, asks, fails, busy, new }
}

impl Threads {
    async fn found(&self, request: Value) -> Vec<Uuid> {
        let list = self.bench.post("/threads/search", request).await.expect(200);
        let list = list.as_array().expect("a list").iter();
        list.map(|it| serde_json::from_value(it["thread_id"].clone()).expect("an id")).collect()
    }
}

#[tokio::test]
async fn threads_are_found_by_every_filter() {
    let it = threads().await;
    let Threads { number, list, asks, fails, busy, new, .. } = it;
    for (request, expected) in [
        (json!({}), vec![new, busy, fails, asks, list, number]),
        (json!({ "metadata": { "graph_id": "essay" } }), vec![asks]),
        (json!({ "metadata": { "of": { "n": 1 } } }), vec![list]),
        (json!({ "metadata": { "of": 1 } }), vec![]),
        (json!({ "ids": [asks, number, Uuid::now_v7()] }), vec![asks, number]),
        (json!({ "ids": [asks], "metadata": { "graph_id": "boom" } }), vec![]),
        (json!({ "status": "idle" }), vec![new, list, number]),
        (json!({ "status": "interrupted" }), vec![asks]),
        (json!({ "status": "error" }), vec![fails]),
        (json!({ "status": "busy" }), vec![busy]),
        (json!({ "values": 0 }), vec![number]),
        (json!({ "values": [5] }), vec![list]),
        (json!({ "values": { "essay": "x" } }), vec![]),
        (json!({ "limit": 2.0, "offset": 1 }), vec![busy, fails]),
    ] {
        assert_eq!(it.found(request.clone()).await, expected, "{request}");
    }
    it.bench.resume(asks, json!(true)).await;
    let approved = json!({ "values": { "is_approved": true } });
    assert_eq!(it.found(approved.clone()).await, [asks]);
    for (filter, count) in
        [(json!({}), 6), (approved, 1), (json!({ "metadata": { "graph_id": "boom" } }), 1)]
    {
        assert_eq!(it.bench.post("/threads/count", filter).await.expect(200), count);
    }
    let page = it.bench.post("/threads/search", json!({ "limit": 4 })).await;
    assert_eq!(page.header("x-pagination-total"), Some("6"));
    assert_eq!(page.header("x-pagination-next"), Some("4"));
}

#[tokio::test]
async fn threads_are_sorted() {
    let it = threads().await;
    let Threads { number, list, asks, fails, busy, new, .. } = it;
    let mut by_id = vec![number, list, asks, fails, busy, new];
    by_id.sort_unstable();
    it.bench.patch(&format!("/threads/{list}"), json!({ "metadata": {} })).await.expect(200);
    for (request, expected) in [
        (json!({ "sort_by": "thread_id", "sort_order": "asc" }), by_id),
        (
            json!({ "sort_by": "created_at", "sort_order": "asc" }),
            vec![number, list, asks, fails, busy, new],
        ),
        (json!({ "sort_by": "updated_at", "limit": 2 }), vec![list, new]),
        (json!({ "sort_by": "state_updated_at", "limit": 3 }), vec![new, busy, fails]),
        (json!({ "sort_by": "status", "sort_order": "asc", "limit": 2 }), vec![busy, fails]),
    ] {
        assert_eq!(it.found(request.clone()).await, expected, "{request}");
    }
    it.bench.post("/threads/search", json!({ "sort_by": "size" })).await.expect(422);
    it.bench.post("/threads/search", json!({ "limit": 1001 })).await.expect(422);
    it.bench.post("/threads/search", json!({ "offset": -1 })).await.expect(422);
    for member in ["metadata", "values"] {
        let request = json!({ member: { "a": vec![0; 300] } });
        let refused = it.bench.post("/threads/search", request).await.expect(422);
        let detail = refused["detail"].as_str().expect("a text");
        assert!(detail.contains("at most 256 values"), "{detail}");
    }
}

#[tokio::test]
async fn parts_of_threads_are_shown() {
    let it = threads().await;
    let ids = json!([it.list]);
    let request = json!({ "ids": ids, "select": ["thread_id", "values"] });
    let found = it.bench.post("/threads/search", request).await.expect(200);
    assert_eq!(found, json!([{ "thread_id": it.list, "values": [4, 5] }]));
    let request = json!({
        "ids": ids, "select": ["status"],
        "extract": { "last": "values[-1]", "graph": "metadata.graph_id", "none": "values.x" },
    });
    let found = it.bench.post("/threads/search", request).await.expect(200);
    assert_eq!(
        found,
        json!([{
            "status": "idle",
            "extracted": { "last": 5, "graph": "add_numbers", "none": null },
        }])
    );
    let request = json!({ "extract": { "bad": "values[" } });
    it.bench.post("/threads/search", request).await.expect(422);
}
