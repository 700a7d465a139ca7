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
