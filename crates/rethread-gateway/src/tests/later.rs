use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::bench::{Bench, DEADLINE};
use super::counting::Counting;
use crate::runs::sweep_delayed;

#[tokio::test]
async fn a_thread_that_is_deleted_is_not_brought_back_by_a_run_that_was_put_off() {
    let bench = Bench::start().await;
    let path = format!("/threads/{}", bench.thread().await);
    let create = json!({ "assistant_id": "accumulate", "input": 1, "after_seconds": 3_600 });
    bench.post(&format!("{path}/runs"), create).await.expect(200);
    assert_eq!(left(&bench).await, (1, 1));
    bench.delete(&path).await.expect(204);
    assert_eq!(left(&bench).await, (0, 0));
}

/// How many runs are put off, and how many times are noted at which they begin.
async fn left(bench: &Bench) -> (usize, usize) {
    let records = bench.shared.records();
    let delayed = records.delayed().list().await.expect("readable");
    (delayed.len(), records.due().list().await.expect("readable").len())
}

#[tokio::test]
async fn a_run_that_was_put_off_and_cannot_begin_ends_with_an_error() {
    let bench = Bench::start().await;
    let thread = bench.thread().await;
    for number in [1, 2] {
        bench.run(thread, "accumulate", json!(number)).await;
    }
    let history = bench.get(&format!("/threads/{thread}/history")).await.expect(200);
    let path = format!("/threads/{thread}/runs");
    let create = |checkpoint: &Value| {
        json!({
            "assistant_id": "accumulate", "input": 1, "after_seconds": 0.3,
            "checkpoint_id": checkpoint,
        })
    };
    bench.post(&path, create(&json!(Uuid::now_v7()))).await.expect(404);
    assert_eq!(left(&bench).await, (0, 0));
    let made = bench.post(&path, create(&history[2]["checkpoint_id"])).await.expect(200);
    // What it starts from goes without word to the gateway.
    bench.engine(thread).delete().await.expect("deleted");
    let run = format!("{path}/{}", made["run_id"].as_str().expect("an id"));
    let joined = timeout(DEADLINE, bench.get(&format!("{run}/join"))).await.expect("in time");
    assert_eq!(joined.expect(200)["__error__"]["error"], "NotFound");
    assert_eq!(bench.get(&run).await.expect(200)["status"], "error");
    assert_eq!(left(&bench).await, (0, 0));
}

#[tokio::test]
async fn a_look_at_what_is_due_reads_few_of_the_runs_that_are_put_off() {
    let (bench, counting) = Counting::bench().await;
    let path = format!("/threads/{}/runs", bench.thread().await);
    for _ in 0..150 {
        let create = json!({ "assistant_id": "accumulate", "input": 1, "after_seconds": 3_600 });
        bench.post(&path, create).await.expect(200);
    }
    let create = json!({ "assistant_id": "accumulate", "input": 1, "after_seconds": 60 });
    let made = bench.post(&path, create).await.expect(200);
    let run: Uuid = serde_json::from_value(made["run_id"].clone()).expect("an id");
    counting.take();
    sweep_delayed(&bench.shared).await.expect("readable");
    assert_eq!(counting.take(), 100, "one page");
    // The next one stands first among those of which there are many.
    let next = bench.shared.records().due().names(None, 1).await.expect("readable");
    assert!(next[0].key().ends_with(&run.to_string()), "{next:?}");
}
