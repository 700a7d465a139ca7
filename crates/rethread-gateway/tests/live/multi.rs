//! Several gateways on one storage.

use reqwest::Method;
use rethread_gateway::GatewayOptions;
use serde_json::{Value, json};

use crate::support::Server;

#[tokio::test]
async fn a_run_is_cancelled_and_watched_through_another_gateway() {
    let server = Server::start_with(GatewayOptions::default(), 2).await;
    let thread = server.thread().await;
    let path = format!("/threads/{thread}/stream");
    let watch = server.request_to(1, Method::GET, &path).header("last-event-id", "-");
    let mut watch = server.events(watch).await;
    let slow = json!({ "assistant_id": "slow", "input": 10_000, "stream_mode": "custom" });
    let run = server.create(thread, slow).await;
    watch.up_to(|event| event.is("custom")).await;
    let cancel = format!("/threads/{thread}/runs/{run}/cancel?wait=1");
    server.post_to(1, &cancel, json!({})).await.expect(200);
    watch.up_to(|event| event.data["status"] == "run_done").await;
    assert_eq!(server.status(thread, run).await, "interrupted");
}

#[tokio::test]
async fn a_run_that_is_cut_on_one_gateway_goes_on_at_another() {
    let server = Server::start_with(GatewayOptions::default(), 2).await;
    let thread = server.thread().await;
    let run = json!({ "assistant_id": "slow", "input": 10, "stream_mode": "custom" });
    let mut events = server.stream_run(thread, run).await;
    let mut read = events.up_to(|event| event.data == json!({ "tick": 4 })).await;
    drop(events);
    let run = read[0].data["run_id"].as_str().expect("an id").to_owned();
    let path = format!("/threads/{thread}/runs/{run}/stream");
    let last = read.last().expect("events").id.clone();
    let rest = server.request_to(1, Method::GET, &path).header("last-event-id", last);
    read.extend(server.events(rest).await.all().await);
    let ticks: Vec<_> = read[1..].iter().map(|event| event.data["tick"].clone()).collect();
    assert_eq!(ticks, (0..10).map(|tick| json!(tick)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_that_another_gateway_takes_back_leaves_no_record() {
    let server = Server::start_with(GatewayOptions::default(), 2).await;
    let thread = server.thread().await;
    for _ in 0..5 {
        let slow = json!({ "assistant_id": "slow", "input": 10_000 });
        let run = server.create(thread, slow).await;
        server.until(thread, run, "running").await;
        let path = format!("/threads/{thread}/runs/{run}");
        // Its end is seen by the gateway that made it.
        let join = format!("{path}/join");
        let back = format!("{path}/cancel?wait=1&action=rollback");
        let (waited, taken_back) =
            tokio::join!(server.get(&join), server.post_to(1, &back, Value::Null));
        taken_back.expect(200);
        assert_eq!(waited.expect(200), json!({}));
        server.get(&path).await.expect(404);
        server.get(&join).await.expect(404);
    }
    // Whatever else was noted was noted before the end of this one.
    server.wait(thread, "accumulate", json!(1)).await;
    let runs = server.get(&format!("/threads/{thread}/runs")).await.expect(200);
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
}
