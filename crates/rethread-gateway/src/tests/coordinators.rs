use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::{NodeId, PartitionId};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bench::{Answer, Bench};
use crate::GatewayOptions;

/// A thread with a run that nobody takes up.
async fn waiting(storage: Arc<MemoryStorage>) -> (Bench, String, String) {
    let options = GatewayOptions::default().coordinator_time(Duration::from_millis(300));
    let bench = Bench::without_coordinator(storage, options).await;
    let thread = bench.thread_with(json!({ "graph_id": "accumulate" })).await;
    let path = format!("/threads/{thread}");
    let create = json!({ "assistant_id": "accumulate", "input": 1 });
    let made = bench.post(&format!("{path}/runs"), create).await.expect(200);
    assert_eq!(made["status"], "pending");
    let run = format!("{path}/runs/{}", made["run_id"].as_str().expect("an id"));
    (bench, path, run)
}

#[track_caller]
fn assert_refused(answer: Answer, status: u16, why: &str) {
    assert_eq!(answer.header("retry-after"), Some("5"), "{}", answer.body);
    let refused = answer.expect(status);
    let detail = refused["detail"].as_str().expect("a text");
    assert!(detail.contains(why), "{detail}");
}

#[tokio::test]
async fn what_needs_a_coordinator_says_that_there_is_none() {
    let (bench, path, run) = waiting(Arc::new(MemoryStorage::new(1))).await;
    let cancel = format!("{run}/cancel?wait=1");
    assert_refused(bench.post(&cancel, json!({})).await, 503, "no coordinator was there");
    let rollback = format!("{run}/cancel?action=rollback");
    assert_refused(bench.post(&rollback, json!({})).await, 503, "no coordinator was there");
    let join = bench.get(&format!("{run}/join")).await.expect(200);
    assert_eq!(join["__error__"]["error"], "Unavailable", "{join}");
    assert_eq!(bench.get(&run).await.expect(200)["status"], "pending", "it is kept");
    assert_refused(bench.delete(&path).await, 503, "no coordinator was there");
    // On a thread that is not busy.
    let thread = bench.thread_with(json!({ "graph_id": "accumulate" })).await;
    let path = format!("/threads/{thread}");
    let edit = bench.post(&format!("{path}/state"), json!({ "values": 1 })).await;
    assert_refused(edit, 503, "no coordinator was there");
    let create =
        json!({ "assistant_id": "accumulate", "input": 1, "multitask_strategy": "reject" });
    let made = bench.post(&format!("{path}/runs"), create).await.expect(200);
    assert_eq!(made["status"], "pending", "it was taken, and waits");
}

#[tokio::test]
async fn a_coordinator_that_does_not_answer_is_told_apart_from_none() {
    let storage = Arc::new(MemoryStorage::new(1));
    let node = NodeId::new("silent").expect("an id");
    let lease = storage.acquire(PartitionId(0), &node, Duration::from_secs(600)).await;
    drop(lease.expect("a lease"));
    let (bench, _, run) = waiting(storage).await;
    let cancel = format!("{run}/cancel?wait=1");
    assert_refused(bench.post(&cancel, json!({})).await, 504, "look before another try");
    let missing = format!("/threads/{}/runs/{}", Uuid::now_v7(), Uuid::now_v7());
    let refused = bench.post(&format!("{missing}/cancel"), json!({})).await.expect(404);
    assert_ne!(refused["detail"], Value::Null);
}
