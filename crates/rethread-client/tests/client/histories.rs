use rethread_client::{HistoryQuery, Source, Thread};
use rethread_core::checkpoint::{Checkpoint, Progress};
use serde_json::json;

use crate::coordinator::{
    Coordinator, checkpoint_id, input_checkpoint, interrupt, pair, payload, run_id,
};

const COUNT: u64 = 250;

/// A thread with many checkpoints, every second one the end of a run.
async fn long_thread() -> (Thread, Coordinator) {
    let (client, mut coordinator) = pair().await;
    let made = (1..=COUNT).map(|nth| {
        let is_input = nth % 2 == 1;
        let user = if nth <= 10 { json!("ada") } else { json!(1.0) };
        Checkpoint {
            source: if is_input { Source::Input } else { Source::Loop },
            step: nth as i64 - 2,
            input: is_input.then(|| payload("cat")),
            metadata: [("user".to_owned(), payload(user))].into(),
            ..input_checkpoint(nth, run_id(1), ())
        }
    });
    coordinator.put(None, made.collect()).await;
    (client.thread("essay-1").expect("an id"), coordinator)
}

async fn steps(thread: &Thread, query: HistoryQuery) -> Vec<i64> {
    let states = thread.history(query).await.expect("reads");
    states.iter().map(|state| state.step).collect()
}

#[tokio::test]
async fn a_history_is_read_to_its_end_or_limit() {
    let (thread, _coordinator) = long_thread().await;
    let all = || HistoryQuery::new();
    assert_eq!(steps(&thread, all()).await, Vec::from_iter((-1..=248).rev()));
    assert_eq!(steps(&thread, all().limit(2)).await, [248, 247]);
    assert_eq!(steps(&thread, all().limit(201)).await.len(), 201);
    assert_eq!(steps(&thread, all().limit(0)).await, Vec::<i64>::new());
    assert_eq!(steps(&thread, all().before(checkpoint_id(4))).await, [1, 0, -1]);
    assert_eq!(steps(&thread, all().before(checkpoint_id(4)).limit(1)).await, [1]);
    assert_eq!(steps(&thread, all().at(checkpoint_id(7))).await, [5]);
    assert!(steps(&thread, all().at(checkpoint_id(999))).await.is_empty());
    assert!(steps(&thread, all().at(checkpoint_id(7)).before(checkpoint_id(7))).await.is_empty());
    assert!(steps(&thread, all().at(checkpoint_id(7)).limit(0)).await.is_empty());
}

#[tokio::test]
async fn a_history_is_filtered_by_metadata() {
    let (thread, _coordinator) = long_thread().await;
    let all = || HistoryQuery::new();
    let inputs = steps(&thread, all().filter("source", "input").limit(3)).await;
    assert_eq!(inputs, [247, 245, 243]);
    assert_eq!(steps(&thread, all().filter("step", 2)).await, [2]);
    let old = all().filter("user", "ada").filter("source", "loop").limit(2);
    assert_eq!(steps(&thread, old).await, [8, 6]);
    // 1 is 1.0.
    assert_eq!(steps(&thread, all().filter("user", 1)).await.len(), 240);
    assert!(steps(&thread, all().filter("user", true)).await.is_empty());
    assert!(steps(&thread, all().filter("nobody", 1)).await.is_empty());
}

#[tokio::test]
async fn a_state_as_json_has_the_names_of_langgraph() {
    let (client, mut coordinator) = pair().await;
    let progress = Progress {
        interrupts: vec![interrupt(1, "?")],
        result: Some(payload("cats")),
        ..Progress::default()
    };
    let metadata = [("user".to_owned(), payload("ada"))].into();
    let made = Checkpoint { progress, metadata, ..input_checkpoint(1, run_id(1), "cat") };
    coordinator.put(None, vec![made]).await;
    let thread = client.thread("essay-1").expect("an id");
    let state = thread.state_at(checkpoint_id(1)).await.expect("reads").expect("is there");
    let asked = json!({"id": "01".repeat(16), "value": "?"});
    assert_eq!(
        state.to_json().expect("json"),
        json!({
            "checkpoint": checkpoint_id(1).to_string(), "parent": null, "created_at": 1,
            "run": run_id(1).to_string(), "values": null, "next": ["workflow"],
            "metadata": {"source": "input", "step": -1, "user": "ada"},
            "tasks": [{"name": "workflow", "interrupts": [asked], "result": "cats"}],
            "interrupts": [asked],
        })
    );
}
