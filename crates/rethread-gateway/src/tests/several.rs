//! Several gateways that change the same records at once.

use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_make_the_same_thing_one_does() {
    let first = Bench::start().await;
    let gateways = [&first, &first.another().await, &first.another().await];
    for _ in 0..5 {
        let thread = json!({ "thread_id": Uuid::now_v7() });
        let assistant = json!({ "assistant_id": Uuid::now_v7(), "graph_id": "essay" });
        for (path, body) in [("/threads", thread), ("/assistants", assistant)] {
            let asked = (0..12).map(|n| gateways[n % 3].post(path, body.clone()));
            let statuses: Vec<_> = join_all(asked).await.iter().map(|it| it.status).collect();
            let count = |status: u16| statuses.iter().filter(|it| **it == status).count();
            assert_eq!((count(200), count(409)), (1, 11), "{path}: {statuses:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_takes_another_back() {
    let first = Bench::start().await;
    let gateways = [&first, &first.another().await, &first.another().await];
    let thread = format!("/threads/{}", first.thread().await);
    let made = first.post("/assistants", json!({ "graph_id": "essay" })).await.expect(200);
    let assistant = format!("/assistants/{}", made["assistant_id"].as_str().expect("an id"));
    for path in [&thread, &assistant] {
        let patches = (0..30).map(|n| {
            let metadata = json!({ "metadata": { format!("n{n}"): n } });
            gateways[n % 3].patch(path, metadata)
        });
        for patched in join_all(patches).await {
            patched.expect(200);
        }
        let shown = gateways[1].get(path).await.expect(200);
        for n in 0..30 {
            assert_eq!(shown["metadata"][format!("n{n}")], n, "{shown}");
        }
    }
    let versions = first.post(&format!("{assistant}/versions"), json!({ "limit": 100 })).await;
    let versions = versions.expect(200);
    let numbers = versions.as_array().expect("versions").iter().map(|it| it["version"].clone());
    let expected: Vec<Value> = (1..=31).rev().map(|version| json!(version)).collect();
    assert_eq!(numbers.collect::<Vec<_>>(), expected);
}
