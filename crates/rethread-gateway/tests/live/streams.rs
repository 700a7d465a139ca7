use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Event, Server, shown};

/// The run of a stream, as its first event says.
fn run_of(events: &[Event]) -> Uuid {
    assert!(events[0].is("metadata"), "{:?}", events[0]);
    assert_eq!(events[0].data["attempt"], 1);
    serde_json::from_value(events[0].data["run_id"].clone()).expect("an id")
}

fn of_mode<'e>(events: &'e [Event], mode: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event.is(mode)).map(|event| &event.data).collect()
}

#[tokio::test]
async fn a_run_is_shown_in_the_modes_that_are_asked_for() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({
        "assistant_id": "add_numbers", "input": [1], "stream_mode": ["updates", "custom", "values"],
    });
    let events = server.stream_run(thread, run).await;
    let location = events.response.headers()["location"].to_str().expect("a text").to_owned();
    let events = events.all().await;
    let id = run_of(&events);
    assert_eq!(location, format!("/threads/{thread}/runs/{id}/stream"));
    let expected = [
        ("custom", json!("hello")),
        ("custom", json!({ "processing": 1 })),
        ("updates", json!({ "add_one": 2 })),
        ("updates", json!({ "add_two": 4 })),
        ("custom", json!("world")),
        ("updates", json!({ "add_numbers": [4] })),
        ("values", json!([4])),
    ];
    let expected: Vec<_> = expected.iter().map(|(event, data)| (*event, data)).collect();
    assert_eq!(shown(&events[1..]), expected);
    assert_eq!(server.status(thread, id).await, "success");
    let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
}

#[tokio::test]
async fn tasks_checkpoints_and_debug_say_the_same() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({
        "assistant_id": "add_numbers", "input": [1],
        "stream_mode": ["tasks", "checkpoints", "debug"],
    });
    let events = server.stream_run(thread, run).await.all().await;
    let tasks = of_mode(&events, "tasks");
    let (root, first) = (tasks[0], tasks[1]);
    assert_eq!((&root["name"], &root["input"]), (&json!("add_numbers"), &json!([1])));
    assert_eq!(root["triggers"], json!(["__start__"]));
    assert_eq!((&first["name"], &first["input"]), (&json!("add_one"), &json!([[1], {}])));
    let end = tasks.iter().find(|task| task["id"] == first["id"] && task.get("result").is_some());
    let end = end.expect("an end");
    assert_eq!(end["result"], json!({ "__return__": 2 }));
    assert_eq!((&end["error"], &end["interrupts"]), (&Value::Null, &json!([])));
    let last = tasks.last().expect("an end");
    assert_eq!(last["result"], json!({ "__end__": [4] }));
    let checkpoints = of_mode(&events, "checkpoints");
    assert_eq!(checkpoints.len(), 2);
    assert_eq!(checkpoints[0]["metadata"]["source"], "input");
    assert_eq!(checkpoints[0]["metadata"]["step"], -1);
    assert_eq!(checkpoints[0]["next"], json!(["add_numbers"]));
    assert_eq!(checkpoints[0]["tasks"][0]["id"], root["id"]);
    assert_eq!(checkpoints[1]["values"], json!([4]));
    assert_eq!(checkpoints[1]["config"]["configurable"]["thread_id"], json!(thread));
    assert_eq!(checkpoints[1]["parent_config"], checkpoints[0]["config"]);
    let debug = of_mode(&events, "debug");
    assert_eq!(debug.len(), tasks.len() + checkpoints.len());
    assert_eq!((&debug[0]["type"], &debug[0]["payload"]), (&json!("checkpoint"), checkpoints[0]));
    assert_eq!((&debug[1]["type"], &debug[1]["payload"]), (&json!("task"), root));
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_goes_on_where_it_was() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let modes = json!(["values", "updates", "custom", "tasks", "checkpoints", "debug"]);
    let numbers: Vec<_> = (0..12).collect();
    let run = json!({ "assistant_id": "add_numbers", "input": numbers, "stream_mode": modes });
    let whole = server.stream_run(thread, run).await.all().await;
    let path = format!("/threads/{thread}/runs/{}/stream", run_of(&whole));
    assert!(whole.len() > 100);
    assert_eq!(server.rejoin(&path, Some("-1")).await.all().await, whole);
    let cuts = random_places(50, whole.len());
    for cut in cuts {
        let mut first = server.rejoin(&path, Some("-1")).await;
        let mut read = Vec::new();
        while read.len() <= cut {
            read.push(first.next().await.expect("more events"));
        }
        drop(first);
        let last = read[cut].id.clone();
        read.extend(server.rejoin(&path, Some(&last)).await.all().await);
        assert_eq!(read, whole, "cut behind event {cut}");
    }
    assert!(server.rejoin(&path, None).await.all().await.is_empty(), "it is over");
}

#[tokio::test]
async fn a_live_stream_that_is_cut_again_and_again_is_whole() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({
        "assistant_id": "slow", "input": 20, "stream_mode": ["custom", "updates", "values"],
    });
    let mut events = server.stream_run(thread, run).await;
    let mut read = vec![events.next().await.expect("the first event")];
    let path = format!("/threads/{thread}/runs/{}/stream", run_of(&read));
    loop {
        let place = read.len();
        for _ in 0..(place % 3 + 1) {
            read.extend(events.next().await);
        }
        if read.len() == place {
            break;
        }
        let last = read.last().expect("events").id.clone();
        events = server.rejoin(&path, Some(&last)).await;
    }
    assert_eq!(read, server.rejoin(&path, Some("-1")).await.all().await);
    assert_eq!(of_mode(&read, "custom").len(), 20);
}

/// Places in a list, spread by a generator that is always the same.
fn random_places(count: usize, len: usize) -> Vec<usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % len as u64).expect("a place")
    };
    (0..count).map(|_| next()).collect()
}

#[tokio::test]
async fn joins_see_what_comes_and_choose_their_modes() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let modes = json!(["custom", "updates"]);
    let run = json!({ "assistant_id": "slow", "input": 15, "stream_mode": modes });
    let mut first = server.stream_run(thread, run).await;
    let seen = first.up_to(|event| event.data == json!({ "tick": 3 })).await;
    let run = run_of(&seen);
    let path = format!("/threads/{thread}/runs/{run}/stream");
    let (late, narrow, ()) = tokio::join!(
        async { server.rejoin(&path, None).await.all().await },
        async {
            let path = format!("{path}?stream_mode=custom");
            server.rejoin(&path, Some("-1")).await.all().await
        },
        async { while first.next().await.is_some() {} },
    );
    assert!(late.iter().all(|event| !event.is("metadata")));
    assert_eq!(late.last().expect("events").event, "updates");
    assert!(!late.iter().any(|event| event.data == json!({ "tick": 3 })));
    assert_eq!(narrow.len(), 16, "metadata and 15 ticks");
    let unknown = format!("/threads/{thread}/runs/{}/stream", Uuid::now_v7());
    let unknown = server.rejoin(&unknown, None).await.all().await;
    assert!(unknown.len() == 1 && unknown[0].is("error"), "{unknown:?}");
    let answer = server.request_to(0, Method::GET, &path).header("last-event-id", "x");
    assert_eq!(answer.send().await.expect("an answer").status(), 422);
}

#[tokio::test]
async fn a_failure_is_an_event_and_a_cancel_just_closes() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({ "assistant_id": "boom", "input": "hot" });
    let events = server.stream_run(thread, run).await.all().await;
    let error = events.last().expect("events");
    assert_eq!(error.event, "error");
    assert_eq!(error.data, json!({ "error": "Boom", "message": "hot" }));
    assert_eq!(server.status(thread, run_of(&events)).await, "error");

    let run = json!({ "assistant_id": "slow", "input": 10_000, "stream_mode": "custom" });
    let mut events = server.stream_run(thread, run).await;
    let seen = events.up_to(|event| event.is("custom")).await;
    let run = run_of(&seen);
    let cancel = format!("/threads/{thread}/runs/{run}/cancel?wait=0&action=interrupt");
    server.post(&cancel, json!({})).await.expect(202);
    let rest = events.all().await;
    assert!(rest.iter().all(|event| event.is("custom")), "{rest:?}");
    assert_eq!(server.status(thread, run).await, "interrupted");
}

#[tokio::test]
async fn questions_and_answers_are_shown() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let modes = json!(["updates", "values"]);
    let run = json!({ "assistant_id": "essay", "input": "cat", "stream_mode": modes });
    let events = server.stream_run(thread, run).await.all().await;
    let (updates, values) = (of_mode(&events, "updates"), of_mode(&events, "values"));
    assert_eq!(updates[0], &json!({ "write_essay": "An essay about topic: cat" }));
    assert_eq!(updates[1], values[0]);
    assert_eq!(values[0]["__interrupt__"][0]["value"]["essay"], "An essay about topic: cat");
    assert_eq!(server.status(thread, run_of(&events)).await, "success");

    let command = json!({ "resume": "yes" });
    let run = json!({ "assistant_id": "essay", "command": command, "stream_mode": modes });
    let events = server.stream_run(thread, run).await.all().await;
    let review = json!({ "essay": "An essay about topic: cat", "is_approved": "yes" });
    let expected =
        [("values", &Value::Null), ("updates", &json!({ "essay": review })), ("values", &review)];
    assert_eq!(shown(&events[1..]), expected);
}

#[tokio::test]
async fn children_are_shown_under_their_path() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = |has_children: bool| {
        json!({
            "assistant_id": "parent", "input": 1, "stream_mode": ["updates"],
            "stream_subgraphs": has_children,
        })
    };
    let plain = server.stream_run(thread, run(false)).await.all().await;
    assert_eq!(shown(&plain[1..]), [("updates", &json!({ "parent": { "child": 2 } }))]);
    let events = server.stream_run(thread, run(true)).await.all().await;
    let child = events.iter().find(|event| event.data == json!({ "add_one": 2 }));
    let (mode, path) = child.expect("the task of the child").event.split_once('|').expect("a path");
    assert_eq!(mode, "updates");
    let (name, id) = path.split_once(':').expect("a call");
    assert_eq!(name, "parent");
    assert!(Uuid::try_parse(id).is_ok(), "{id}");
}

#[tokio::test]
async fn messages_come_in_chunks_and_as_they_grow() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({
        "assistant_id": "chat", "input": "one two three",
        "stream_mode": ["messages-tuple", "messages"],
    });
    let events = server.stream_run(thread, run).await.all().await;
    let tuples = of_mode(&events, "messages");
    let text: String =
        tuples.iter().map(|tuple| tuple[0]["content"].as_str().expect("a text")).collect();
    assert_eq!(text, "one two three");
    for tuple in &tuples {
        assert_eq!((&tuple[0]["type"], &tuple[0]["id"]), (&json!("AIMessageChunk"), &json!("m1")));
        assert_eq!(
            (&tuple[1]["langgraph_node"], &tuple[1]["model"]),
            (&json!("say"), &json!("script"))
        );
    }
    assert_eq!(of_mode(&events, "messages/metadata").len(), 1);
    let partial = of_mode(&events, "messages/partial");
    assert_eq!(partial.last().expect("parts")[0]["content"], "one two three");
    assert_eq!(of_mode(&events, "messages/complete").len(), 1);
    let path = format!("/threads/{thread}/runs/{}/stream", run_of(&events));
    for cut in 0..events.len() {
        let rest = server.rejoin(&path, Some(&events[cut].id)).await.all().await;
        assert_eq!(rest, events[cut + 1..], "cut behind event {cut}");
    }
}

#[tokio::test]
async fn what_a_failed_attempt_wrote_is_taken_back() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({
        "assistant_id": "stutter", "input": "one two",
        "stream_mode": ["messages-tuple", "messages", "custom", "reset"],
    });
    let events = server.stream_run(thread, run).await.all().await;
    let contents: Vec<_> =
        of_mode(&events, "messages").iter().map(|tuple| tuple[0]["content"].clone()).collect();
    assert_eq!(contents, ["one ", "", "one ", "two"]);
    let partial = of_mode(&events, "messages/partial");
    assert_eq!(partial.last().expect("parts")[0]["content"], "one two");
    let resets = of_mode(&events, "reset");
    assert_eq!(resets.len(), 2, "of what it wrote in two modes: {resets:?}");
    assert_eq!((&resets[0]["name"], &resets[0]["attempt"]), (&json!("stammer"), &json!(2)));
    let path = format!("/threads/{thread}/runs/{}/stream", run_of(&events));
    for cut in 0..events.len() {
        let rest = server.rejoin(&path, Some(&events[cut].id)).await.all().await;
        assert_eq!(rest, events[cut + 1..], "cut behind event {cut}");
    }
    // Nobody who did not ask for it gets an event that is not of the protocol.
    let plain = server.rejoin(&format!("{path}?stream_mode=custom"), Some("-1")).await.all().await;
    assert!(!plain.iter().any(|event| event.is("reset")));
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_nobody_back() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let numbers: Vec<_> = (0..200).collect();
    let modes = json!(["updates", "debug"]);
    let run = json!({ "assistant_id": "add_numbers", "input": numbers, "stream_mode": modes });
    let run = server.create(thread, run).await;
    let path = format!("/threads/{thread}/runs/{run}/stream");
    let stalled = join_all((0..5).map(|_| server.rejoin(&path, Some("-1")))).await;
    let readers = join_all((0..20).map(|_| server.rejoin(&path, Some("-1")))).await;
    let read = join_all(readers.into_iter().map(|events| events.all())).await;
    assert!(read.iter().all(|events| *events == read[0]));
    for events in stalled {
        assert_eq!(events.all().await, read[0]);
    }
}

#[tokio::test]
async fn a_parameter_without_a_value_is_not_given() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({ "assistant_id": "slow", "input": 3, "stream_mode": ["custom", "updates"] });
    let whole = server.stream_run(thread, run).await.all().await;
    let run = run_of(&whole);
    let runs = format!("/threads/{thread}/runs");
    for query in ["?stream_mode=", "?stream_mode", "?stream_mode=&cancel_on_disconnect="] {
        let path = format!("{runs}/{run}/stream{query}");
        assert_eq!(server.rejoin(&path, Some("-1")).await.all().await, whole, "{query}");
    }
    for query in ["?stream_mode=custom", "?stream_mode=custom&stream_mode=", "?stream_mode=,custom"]
    {
        let path = format!("{runs}/{run}/stream{query}");
        let custom = server.rejoin(&path, Some("-1")).await.all().await;
        assert!(custom[1..].iter().all(|event| event.is("custom")), "{query}: {custom:?}");
        assert_eq!(custom.len(), 4, "{query}");
    }
    let listed = server.get(&format!("{runs}?limit=&offset=&status=&select=")).await.expect(200);
    assert_eq!(listed[0]["run_id"], json!(run));
    assert_eq!(listed[0]["status"], "success", "all members are shown");
    let done = server.get(&format!("{runs}/{run}/join?cancel_on_disconnect=")).await.expect(200);
    assert_eq!(done["done"], 3);
    let history = format!("/threads/{thread}/history?limit=&before=");
    assert_eq!(server.get(&history).await.expect(200).as_array().map(Vec::len), Some(2));
    server.get(&format!("{runs}?limit=x")).await.expect(422);
}

#[tokio::test]
async fn values_that_json_cannot_say_break_no_stream() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({
        "assistant_id": "odd", "input": {},
        "stream_mode": ["values", "updates", "custom", "tasks", "checkpoints", "debug"],
    });
    let events = server.stream_run(thread, run).await.all().await;
    let odd = json!([null, { "[1,2]": "pair" }]);
    assert_eq!(of_mode(&events, "custom"), [&Value::Null]);
    assert_eq!(of_mode(&events, "values"), [&odd]);
    assert_eq!(of_mode(&events, "checkpoints")[1]["values"], odd);
    assert_eq!(server.wait(thread, "odd", json!({})).await, odd);
}
