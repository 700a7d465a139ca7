use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use rethread_gateway::GatewayOptions;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Server;

#[tokio::test]
async fn a_run_is_waited_for_whatever_it_gives() {
    let server = Server::start().await;
    let thread = server.thread().await;
    assert_eq!(server.wait(thread, "add_numbers", json!([1, 2])).await, json!([4, 5]));
    let other = server.thread().await;
    assert_eq!(server.wait(other, "accumulate", json!(5)).await, json!(0));
    let error = json!({ "__error__": { "error": "Boom", "message": "hot" } });
    assert_eq!(server.wait(thread, "boom", json!("hot")).await, error);
    assert_eq!(server.thread_status(thread).await, "error");

    let asked = server.wait(thread, "essay", json!("cat")).await;
    let question = &asked["__interrupt__"][0];
    assert_eq!(question["value"]["essay"], "An essay about topic: cat");
    assert_eq!(question["response_schema"], Value::Null);
    assert_eq!(question["id"].as_str().map(str::len), Some(32));
    assert_eq!(server.thread_status(thread).await, "interrupted");

    let resume = json!({ "assistant_id": "essay", "command": { "resume": false, "goto": [] } });
    let answer = server.post(&format!("/threads/{thread}/runs/wait"), resume).await;
    let at = answer.header("content-location").to_owned();
    assert!(at.starts_with(&format!("/threads/{thread}/runs/")), "{at}");
    assert_eq!(answer.header("location"), format!("{at}/join"));
    let review = json!({ "essay": "An essay about topic: cat", "is_approved": false });
    assert_eq!(answer.expect(200), review);
    assert_eq!(server.get(&format!("{at}/join")).await.expect(200), review);
    let run = server.get(&at).await.expect(200);
    assert_eq!(
        (&run["status"], &run["multitask_strategy"]),
        (&json!("success"), &json!("enqueue"))
    );
    assert_eq!(run["metadata"]["graph_id"], "essay");
    assert_eq!(run["kwargs"]["command"]["resume"], false);
    let thread = server.get(&format!("/threads/{thread}")).await.expect(200);
    assert_eq!((&thread["status"], &thread["values"]), (&json!("idle"), &review));
    assert_eq!(thread["metadata"]["graph_id"], "essay");
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let server = Server::start().await;
    let (thread, nowhere) = (server.thread().await, Uuid::now_v7());
    let on = |thread: Uuid| format!("/threads/{thread}/runs");
    for (path, body, status) in [
        (on(nowhere), json!({ "assistant_id": "essay", "input": "x" }), 404),
        (on(thread), json!({ "assistant_id": Uuid::now_v7(), "input": "x" }), 404),
        (on(thread), json!({ "assistant_id": "nobody", "input": "x" }), 422),
        (on(thread), json!({ "input": "x" }), 422),
        (on(thread), json!({ "assistant_id": "essay", "stream_mode": ["everything"] }), 422),
        (on(thread), json!({ "assistant_id": "essay", "command": { "resum": 1 } }), 422),
        (on(thread), json!({ "assistant_id": "essay", "command": { "goto": "x" } }), 422),
        (on(thread), json!({ "assistant_id": "essay", "input": 1, "webhook": "https://x.y" }), 422),
        (on(thread), json!({ "assistant_id": "essay", "after_seconds": -1 }), 422),
        (
            on(thread),
            json!({
                "assistant_id": "essay", "input": "x", "context": { "a": 1 },
                "config": { "configurable": { "b": 2 } },
            }),
            400,
        ),
    ] {
        let answer = server.post(&path, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.text.starts_with("{\"detail\":"), "{}", answer.text);
    }
    let runs = server.get(&on(thread)).await.expect(200);
    assert_eq!(runs, json!([]), "nothing was made");
    let create = json!({ "assistant_id": "accumulate", "input": 1, "if_not_exists": "create" });
    server.post(&format!("/threads/{nowhere}/runs/wait"), create).await.expect(200);
    assert_eq!(server.thread_status(nowhere).await, "idle");
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_an_error_of_the_run() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let error = server.wait(thread, "add_numbers", json!({ "no": "list" })).await;
    assert_eq!(error["__error__"]["error"], "InvalidInput", "{error}");
    let runs = server.get(&format!("/threads/{thread}/runs")).await.expect(200);
    assert_eq!(runs[0]["status"], "error");
}

#[tokio::test]
async fn runs_are_listed_newest_first_with_their_status() {
    let server = Server::start().await;
    let thread = server.thread().await;
    server.wait(thread, "accumulate", json!(1)).await;
    server.wait(thread, "boom", json!("x")).await;
    let slow = json!({ "assistant_id": "slow", "input": 10_000 });
    let running = server.create(thread, slow.clone()).await;
    let pending = server.create(thread, slow).await;
    server.until(thread, running, "running").await;
    assert_eq!(server.status(thread, pending).await, "pending");
    assert_eq!(server.thread_status(thread).await, "busy");
    let path = format!("/threads/{thread}/runs");
    let statuses = async |query: &str| {
        let answer = server.get(&format!("{path}{query}")).await.expect(200);
        let runs = answer.as_array().expect("a list").iter();
        runs.map(|run| run["status"].as_str().expect("a status").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses("").await, ["pending", "running", "error", "success"]);
    assert_eq!(statuses("?limit=2&offset=1").await, ["running", "error"]);
    assert_eq!(statuses("?status=error").await, ["error"]);
    let selected = server.get(&format!("{path}?limit=1&select=run_id")).await.expect(200);
    assert_eq!(selected, json!([{ "run_id": pending }]));
    let missing = format!("{path}/{}", Uuid::now_v7());
    server.get(&missing).await.expect(404);
    server.get(&format!("{path}/x")).await.expect(422);
}

#[tokio::test]
async fn fifty_runs_at_once_take_their_turns() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let run = json!({ "assistant_id": "accumulate", "input": 1 });
    let runs = join_all((0..50).map(|_| server.create(thread, run.clone()))).await;
    let mut results: Vec<_> = join_all(runs.iter().map(|run| server.join(thread, *run)))
        .await
        .into_iter()
        .map(|result| result.as_i64().expect("a number"))
        .collect();
    results.sort_unstable();
    assert_eq!(results, (0..50).collect::<Vec<_>>());
    assert_eq!(server.thread_status(thread).await, "idle");
}

#[tokio::test]
async fn all_questions_are_shown_and_answered() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let asked = server.wait(thread, "parallel_interrupts", json!(["a", "b", "c"])).await;
    let asked = asked["__interrupt__"].as_array().expect("questions").clone();
    assert_eq!(asked.len(), 3);
    let shown = server.get(&format!("/threads/{thread}")).await.expect(200);
    let open = shown["interrupts"].as_object().expect("tasks").values().next().expect("one");
    assert_eq!(open.as_array().map(Vec::len), Some(3));
    let mut answers = serde_json::Map::new();
    for question in &asked {
        let text = question["value"]["question"].as_str().expect("a text");
        let id = question["id"].as_str().expect("an id");
        answers.insert(id.to_owned(), json!(format!("{text}!")));
    }
    let resume = json!({ "assistant_id": "parallel_interrupts", "command": { "resume": answers } });
    let path = format!("/threads/{thread}/runs/wait");
    let answered = server.post(&path, resume).await.expect(200);
    assert_eq!(answered, json!(["a=a!", "b=b!", "c=c!"]));
}

#[tokio::test]
async fn a_resume_may_name_the_newest_checkpoint_and_a_run_an_older_one() {
    let server = Server::start().await;
    let thread = server.thread().await;
    server.wait(thread, "essay", json!("cat")).await;
    let state = server.get(&format!("/threads/{thread}/state")).await.expect(200);
    let checkpoint = json!({ "checkpoint_id": state["checkpoint_id"], "checkpoint_ns": "" });
    let path = format!("/threads/{thread}/runs/wait");
    let resume = json!({
        "assistant_id": "essay", "command": { "resume": 0 }, "checkpoint": checkpoint,
    });
    let review = server.post(&path, resume).await.expect(200);
    assert_eq!(review["is_approved"], 0);

    let thread = server.thread().await;
    for expected in [0, 7, 14] {
        assert_eq!(server.wait(thread, "accumulate", json!(7)).await, json!(expected));
    }
    let history = json!({ "limit": 10 });
    let states = server.post(&format!("/threads/{thread}/history"), history).await.expect(200);
    let states = states.as_array().expect("states").iter();
    let mut first = states.rev().filter(|state| state["values"] == 0 && state["next"] == json!([]));
    let first = first.next().expect("the first result")["checkpoint_id"].clone();
    let path = format!("/threads/{thread}/runs/wait");
    let back = json!({ "assistant_id": "accumulate", "input": 1, "checkpoint_id": first });
    assert_eq!(server.post(&path, back).await.expect(200), json!(7));
    assert_eq!(server.wait(thread, "accumulate", json!(0)).await, json!(8), "it is the head");
}

#[tokio::test]
async fn a_run_is_cancelled_taken_back_or_removed() {
    let server = Server::start().await;
    let thread = server.thread().await;
    server.wait(thread, "accumulate", json!(3)).await;
    let slow = json!({ "assistant_id": "slow", "input": 10_000 });
    let path = |run: Uuid| format!("/threads/{thread}/runs/{run}");

    let run = server.create(thread, slow.clone()).await;
    server.until(thread, run, "running").await;
    let cancel = format!("{}/cancel?wait=1", path(run));
    assert_eq!(server.post(&cancel, json!({})).await.expect(200), json!({}));
    assert_eq!(server.status(thread, run).await, "interrupted");
    assert_eq!(server.join(thread, run).await, json!({}));
    assert_eq!(server.thread_status(thread).await, "interrupted");
    server.post(&cancel, json!({})).await.expect(404);

    let (running, waiting) =
        (server.create(thread, slow.clone()).await, server.create(thread, slow.clone()).await);
    let answer = server.post(&format!("{}/cancel", path(waiting)), json!({})).await;
    assert_eq!(answer.expect(202), Value::Null);
    assert_eq!(server.status(thread, waiting).await, "interrupted");
    let back = format!("{}/cancel?wait=1&action=rollback", path(running));
    server.post(&back, json!({})).await.expect(200);
    server.get(&path(running)).await.expect(404);

    let run = server.create(thread, slow.clone()).await;
    server.delete(&path(run)).await.expect(204);
    server.get(&path(run)).await.expect(404);
    server.delete(&path(run)).await.expect(404);

    let runs = [server.create(thread, slow.clone()).await, server.create(thread, slow).await];
    let all = json!({ "thread_id": thread, "status": "all" });
    server.post("/runs/cancel", all.clone()).await.expect(204);
    for run in runs {
        assert_eq!(server.status(thread, run).await, "interrupted");
    }
    server.post("/runs/cancel", all).await.expect(404);
    server.post("/runs/cancel", json!({})).await.expect(422);
    assert_eq!(server.wait(thread, "accumulate", json!(0)).await, json!(3), "the last that ended");
}

#[tokio::test]
async fn a_run_ends_with_its_reader_if_that_is_asked_for() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let slow = |on_disconnect: &str| json!({ "assistant_id": "slow", "input": 10_000, "on_disconnect": on_disconnect });
    let mut events = server.stream_run(thread, slow("cancel")).await;
    let metadata = events.next().await.expect("the first event");
    let run = serde_json::from_value(metadata.data["run_id"].clone()).expect("an id");
    drop(events);
    server.until(thread, run, "interrupted").await;

    let run = server.create(thread, slow("continue")).await;
    let path = format!("/threads/{thread}/runs/{run}/stream?cancel_on_disconnect=1");
    let mut events = server.rejoin(&path, Some("-1")).await;
    events.next().await.expect("the first event");
    drop(events);
    server.until(thread, run, "interrupted").await;
}

#[tokio::test]
async fn a_run_may_begin_later() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let later = |seconds: f64| json!({ "assistant_id": "accumulate", "input": 2, "after_seconds": seconds });
    let far = server.create(thread, later(3_600.0)).await;
    assert_eq!(server.status(thread, far).await, "pending");
    assert_eq!(server.thread_status(thread).await, "busy");
    let soon = server.create(thread, later(0.05)).await;
    assert_eq!(server.join(thread, soon).await, json!(0));
    let path = format!("/threads/{thread}/runs/{far}/cancel?wait=1");
    server.post(&path, json!({})).await.expect(200);
    assert_eq!(server.status(thread, far).await, "interrupted");
    assert_eq!(server.thread_status(thread).await, "idle");
    let events = server.stream_run(thread, later(0.05)).await.all().await;
    assert_eq!(events.last().expect("events").data, json!(2));
    let run = server.create(thread, later(3_600.0)).await;
    let watched = server.rejoin(&format!("/threads/{thread}/runs/{run}/stream"), None).await;
    let path = format!("/threads/{thread}/runs/{run}/cancel");
    server.post(&path, json!({})).await.expect(202);
    assert_eq!(watched.all().await, [], "it just ends");
    let mut nowhere = later(0.05);
    nowhere["checkpoint_id"] = json!(Uuid::now_v7());
    server.post(&format!("/threads/{thread}/runs/wait"), nowhere).await.expect(404);
    assert_eq!(server.thread_status(thread).await, "idle");
}

#[tokio::test]
async fn a_run_stops_before_its_entrypoint() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let path = format!("/threads/{thread}/runs/wait");
    let stop = json!({ "assistant_id": "accumulate", "input": 4, "interrupt_before": "*" });
    server.post(&path, stop).await.expect(200);
    let state = server.get(&format!("/threads/{thread}/state")).await.expect(200);
    assert_eq!(state["next"], json!(["accumulate"]));
    assert_eq!(server.thread_status(thread).await, "interrupted");
    let go_on = json!({ "assistant_id": "accumulate", "input": null });
    assert_eq!(server.post(&path, go_on).await.expect(200), json!(0));
    assert_eq!(server.wait(thread, "accumulate", json!(0)).await, json!(4));
}

#[tokio::test]
async fn signs_of_life_are_sent_until_the_end() {
    let options = GatewayOptions::default().heartbeat(Duration::from_millis(10));
    let server = Server::start_with(options, 1).await;
    let thread = server.thread().await;
    let run = json!({ "assistant_id": "slow", "input": 5 });
    let path = format!("/threads/{thread}/runs/wait");
    let answer = server.post(&path, run.clone()).await;
    assert!(answer.text.starts_with('\n'), "{:?}", answer.text);
    assert_eq!(answer.expect(200)["done"], 5);
    let path = format!("/threads/{thread}/runs/stream");
    let request = server.request_to(0, Method::POST, &path).json(&run);
    let mut events = server.events(request).await;
    while events.next().await.is_some() {}
    assert!(events.signs_of_life > 0);
}
