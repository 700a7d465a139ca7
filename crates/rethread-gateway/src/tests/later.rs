use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::bench::{Bench, DEADLINE};

#[tokio::test]
async fn a_thread_that_is_deleted_is_not_brought_back_by_a_run_that_was_put_off() {
    let bench = Bench::start().await;
    let path = format!("/threads/{}", bench.thread().await);
    let create = json!({ "assistant_id": "accumulate", "input": 1, "after_seconds": 3_600 });
    bench.post(&format!("{path}/runs"), create).await.expect(200);
    let delayed = bench.shared.records().delayed();
    assert_eq!(delayed.list().await.expect("readable").len(), 1);
    bench.delete(&path).await.expect(204);
    assert_eq!(delayed.list().await.expect("readable"), []);
}

#[tokio::test]
async fn a_run_that_was_put_off_and_cannot_begin_ends_with_an_error() {
    let bench = Bench::start().await;
    let path = format!("/threads/{}/runs", bench.thread().await);
    let create = json!({
        "assistant_id": "accumulate", "input": 1, "after_seconds": 0.01,
        "checkpoint_id": Uuid::now_v7(),
    });
    let made = bench.post(&path, create).await.expect(200);
    let run = format!("{path}/{}", made["run_id"].as_str().expect("an id"));
    let over = async {
        while bench.get(&run).await.expect(200)["status"] != "error" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, over).await.expect("in time");
    assert_eq!(bench.shared.records().delayed().list().await.expect("readable"), []);
}
