use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{PartitionId, RunId};
use rethread_core::record::Record;
use rethread_gateway::GatewayOptions;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::testing::{Tamper, Tampered};
use rethread_storage::{Storage, StorageError};
use serde_json::{Value, json};

use crate::support::{Event, Server, shown};

fn is_done(event: &Event) -> bool {
    event.data["status"] == "run_done"
}

#[tokio::test]
async fn all_runs_of_a_thread_are_shown_as_they_go() {
    let server = Server::start().await;
    let thread = server.thread().await;
    server.wait(thread, "accumulate", json!(1)).await;
    let path = format!("/threads/{thread}/stream");
    let mut live = server.rejoin(&path, None).await;
    let run = json!({
        "assistant_id": "add_numbers", "input": [1], "stream_mode": ["updates", "custom"],
    });
    let first = server.create(thread, run).await;
    let events = live.up_to(is_done).await;
    assert_eq!(events[0].data, json!({ "run_id": first, "attempt": 1 }));
    let modes: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    let expected =
        ["metadata", "custom", "custom", "updates", "updates", "custom", "updates", "metadata"];
    assert_eq!(modes, expected);
    assert_eq!(events[7].data, json!({ "status": "run_done", "run_id": first }));
    let second = server.create(thread, json!({ "assistant_id": "boom", "input": "x" })).await;
    let events = live.up_to(is_done).await;
    let expected = [
        ("metadata", &json!({ "run_id": second, "attempt": 1 })),
        ("error", &json!({ "error": "Boom", "message": "x" })),
        ("metadata", &json!({ "status": "run_done", "run_id": second })),
    ];
    assert_eq!(shown(&events), expected);
}

#[tokio::test]
async fn the_stream_of_a_thread_goes_on_where_it_was_cut() {
    let server = Server::start().await;
    let thread = server.thread().await;
    for _ in 0..4 {
        server.wait(thread, "accumulate", json!(1)).await;
    }
    let path = format!("/threads/{thread}/stream");
    let read = async |last: &str, count: usize| {
        let mut events = server.rejoin(&path, Some(last)).await;
        let mut read = Vec::new();
        while read.len() < count {
            read.push(events.next().await.expect("more events"));
        }
        read
    };
    // Start, result and end of each.
    let whole = read("-", 12).await;
    assert_eq!(whole.iter().filter(|event| is_done(event)).count(), 4);
    for cut in 0..11 {
        let rest = read(&whole[cut].id, 11 - cut).await;
        assert_eq!(rest, whole[cut + 1..], "cut behind event {cut}");
    }
    let lifecycle = format!("{path}?stream_modes=lifecycle");
    let mut events = server.rejoin(&lifecycle, Some("-")).await;
    for _ in 0..8 {
        assert!(events.next().await.expect("more events").is("metadata"));
    }
    let nowhere = format!("/threads/{}/stream", uuid::Uuid::now_v7());
    assert!(server.get(&nowhere).await.expect(404)["detail"] != Value::Null);
}

#[tokio::test]
async fn a_stream_from_now_on_shows_nothing_of_before() {
    let server = Server::start().await;
    let thread = server.thread().await;
    for _ in 0..3 {
        server.wait(thread, "accumulate", json!(1)).await;
    }
    let slow = json!({ "assistant_id": "slow", "input": 12, "stream_mode": "custom" });
    let running = server.create(thread, slow).await;
    let run = format!("/threads/{thread}/runs/{running}/stream");
    let mut ticks = server.rejoin(&run, Some("-1")).await;
    ticks.up_to(|event| event.data == json!({ "tick": 3 })).await;
    let waiting = json!({ "assistant_id": "accumulate", "input": 1 });
    let waiting = server.create(thread, waiting).await;
    let mut live = server.rejoin(&format!("/threads/{thread}/stream"), None).await;
    let rest = live.up_to(is_done).await;
    let first = rest[0].data["tick"].as_u64().expect("a tick");
    assert!(first > 3, "{rest:?}");
    let expected: Vec<_> = (first..12).map(|tick| json!({ "tick": tick })).collect();
    let shown: Vec<_> = rest[..rest.len() - 1].iter().map(|event| event.data.clone()).collect();
    assert_eq!(shown, expected);
    let next = live.up_to(is_done).await;
    assert_eq!(next[0].data["run_id"], json!(waiting));
}

#[tokio::test]
async fn runs_stand_in_the_order_in_which_they_went() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let later = json!({ "assistant_id": "accumulate", "input": 1, "after_seconds": 0.5 });
    let path = format!("/threads/{thread}/stream");
    let mut live = server.rejoin(&path, None).await;
    let late = server.create(thread, later).await;
    let runs = [
        server.create(thread, json!({ "assistant_id": "accumulate", "input": 1 })).await,
        server.create(thread, json!({ "assistant_id": "slow", "input": 2 })).await,
        late,
    ];
    let mut whole = Vec::new();
    for run in runs {
        let events = live.up_to(is_done).await;
        assert_eq!(events[0].data["run_id"], json!(run));
        whole.extend(events);
    }
    for cut in 0..whole.len() - 1 {
        let mut events = server.rejoin(&path, Some(&whole[cut].id)).await;
        for event in &whole[cut + 1..] {
            assert_eq!(events.next().await.as_ref(), Some(event), "cut behind event {cut}");
        }
    }
}

/// A storage whose coordinators have clocks that differ: one had the thread up to the second event
/// of each run, and another, an hour behind, from the third on.
#[derive(Debug)]
struct Clocks(Arc<MemoryStorage>);

#[async_trait]
impl Tamper for Clocks {
    fn behind(&self) -> &dyn Storage {
        &*self.0
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        let events = self.0.read_events(partition, run, after, max).await?;
        let shifted = events.iter().map(|record| {
            let mut event = rethread_client::Event::from_record(record).expect("an event");
            if event.seq > 2 {
                event.at.0 -= 3_600_000;
            }
            event.to_record()
        });
        Ok(shifted.collect())
    }
}

#[tokio::test]
async fn clocks_that_jump_lose_nothing() {
    let storage = Arc::new(MemoryStorage::new(2));
    let seen = Arc::new(Tampered::new(Clocks(storage.clone())));
    let server = Server::start_on(storage, seen, GatewayOptions::default(), 1).await;
    let thread = server.thread().await;
    for numbers in [json!([1, 2]), json!([3])] {
        let run = json!({
            "assistant_id": "add_numbers", "input": numbers, "stream_mode": ["updates", "custom"],
        });
        let run = server.create(thread, run).await;
        server.join(thread, run).await;
    }
    let path = format!("/threads/{thread}/stream");
    let mut events = server.rejoin(&path, Some("-")).await;
    let mut whole = events.up_to(is_done).await;
    whole.extend(events.up_to(is_done).await);
    assert!(whole.len() > 15, "{whole:?}");
    for cut in 0..whole.len() - 1 {
        let mut events = server.rejoin(&path, Some(&whole[cut].id)).await;
        for event in &whole[cut + 1..] {
            assert_eq!(events.next().await.as_ref(), Some(event), "cut behind event {cut}");
        }
    }
}
