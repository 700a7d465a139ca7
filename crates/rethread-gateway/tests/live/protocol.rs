use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Event, Events, Server};

async fn command(server: &Server, thread: Uuid, method: &str, params: Value) -> Value {
    let command = json!({ "id": 7, "method": method, "params": params });
    let answer = server.post(&format!("/threads/{thread}/commands"), command).await.expect(200);
    assert_eq!(answer["id"], 7);
    answer
}

async fn start(server: &Server, thread: Uuid, name: &str, input: Value) -> Value {
    let config = json!({ "configurable": { "thread_id": thread } });
    let params = json!({ "assistant_id": name, "input": input, "config": config });
    let answer = command(server, thread, "run.start", params).await;
    assert_eq!(answer["type"], "success", "{answer}");
    assert_eq!(answer["meta"]["applied_through_seq"], 0);
    answer["result"]["run_id"].clone()
}

async fn subscribe(server: &Server, thread: Uuid, request: Value) -> Events {
    server.stream(&format!("/threads/{thread}/stream/events"), request).await
}

/// What an event tells.
fn told(event: &Event) -> (&str, &Value) {
    assert_eq!(event.data["type"], "event");
    assert_eq!(event.data["method"], json!(event.event));
    assert_eq!(event.id, event.data["seq"].to_string());
    (event.event.as_str(), &event.data["params"]["data"])
}

fn is_end(event: &Event) -> bool {
    let end = &event.data["params"]["data"]["event"];
    let is_root = event.data["params"]["namespace"] == json!([]);
    event.is("lifecycle") && is_root && (end != "running" && end != "started")
}

#[tokio::test]
async fn a_page_asks_and_is_answered() {
    let server = Server::start().await;
    // It comes alive on a thread that does not exist yet.
    let thread = Uuid::now_v7();
    let mut narrow =
        subscribe(&server, thread, json!({ "channels": ["lifecycle", "input"] })).await;
    let all = json!({
        "channels": ["values", "checkpoints", "lifecycle", "input", "messages", "tools"],
        "namespaces": [[]], "depth": 1,
    });
    let mut wide = subscribe(&server, thread, all.clone()).await;
    start(&server, thread, "essay", json!("cat")).await;
    let events = narrow.up_to(is_end).await;
    let running = json!({ "event": "running", "graph_name": "essay" });
    let interrupted = json!({ "event": "interrupted", "graph_name": "essay" });
    assert_eq!(told(&events[0]), ("lifecycle", &running));
    let (method, asked) = told(&events[1]);
    assert_eq!(method, "input.requested");
    assert_eq!(asked["payload"], json!({ "essay": "An essay about topic: cat" }));
    assert_eq!(asked["value"], asked["payload"], "clients differ in where they look");
    assert_eq!(told(&events[2]), ("lifecycle", &interrupted));
    assert_eq!(events.len(), 3);

    let id = asked["interrupt_id"].clone();
    let response = json!({ "namespace": [], "interrupt_id": id, "response": true });
    let answer = command(&server, thread, "input.respond", response.clone()).await;
    assert_eq!(answer["result"], json!({}), "{answer}");
    let events = narrow.up_to(is_end).await;
    let completed = json!({ "event": "completed", "graph_name": "essay" });
    let expected = [("lifecycle", &running), ("lifecycle", &completed)];
    assert_eq!(events.iter().map(told).collect::<Vec<_>>(), expected);
    let again = command(&server, thread, "input.respond", response).await;
    assert_eq!((&again["type"], &again["error"]), (&json!("error"), &json!("no_such_interrupt")));

    wide.up_to(is_end).await;
    let second = wide.up_to(is_end).await;
    let values: Vec<_> = second.iter().filter(|event| event.is("values")).map(told).collect();
    let review = json!({ "essay": "An essay about topic: cat", "is_approved": true });
    assert_eq!(values, [("values", &Value::Null), ("values", &review)]);

    // Replayed to whoever comes later: the same events under the same ids and numbers.
    let mut late = subscribe(&server, thread, all.clone()).await;
    late.up_to(is_end).await;
    let replayed = late.up_to(is_end).await;
    assert_eq!(replayed, second);
    let mut since = all;
    since["since"] = second[0].data["seq"].clone();
    let mut since = subscribe(&server, thread, since).await;
    assert_eq!(since.up_to(is_end).await, second[1..]);
}

#[tokio::test]
async fn several_questions_are_answered_at_once() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let mut events =
        subscribe(&server, thread, json!({ "channels": ["lifecycle", "input"] })).await;
    start(&server, thread, "parallel_interrupts", json!(["a", "b"])).await;
    let asked = events.up_to(is_end).await;
    let asked = asked.iter().filter(|event| event.is("input.requested")).map(told);
    let responses: Vec<_> = asked
        .map(|(_, asked)| {
            let id = asked["interrupt_id"].clone();
            json!({ "namespace": [], "interrupt_id": id, "response": asked["payload"]["question"] })
        })
        .collect();
    assert_eq!(responses.len(), 2);
    let tree = command(&server, thread, "agent.getTree", json!({})).await;
    assert_eq!(tree["result"]["tree"]["status"], "interrupted");
    command(&server, thread, "input.respond", json!({ "responses": responses })).await;
    events.up_to(is_end).await;
    let thread = server.get(&format!("/threads/{thread}")).await.expect(200);
    assert_eq!(thread["values"], json!(["a=a", "b=b"]));
}

#[tokio::test]
async fn every_channel_tells_its_part() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let channels = json!(["updates", "tasks", "custom", "values", "messages", "lifecycle"]);
    let mut events = subscribe(&server, thread, json!({ "channels": channels })).await;
    start(&server, thread, "add_numbers", json!([1])).await;
    let run = events.up_to(is_end).await;
    let of = |events: &[Event], method: &str| {
        let told = events.iter().map(told).filter(|(it, _)| *it == method);
        told.map(|(_, data)| data.clone()).collect::<Vec<_>>()
    };
    let custom = [
        json!({ "payload": "hello" }),
        json!({ "payload": { "processing": 1 } }),
        json!({ "payload": "world" }),
    ];
    assert_eq!(of(&run, "custom"), custom);
    assert_eq!(of(&run, "updates")[0], json!({ "node": "add_one", "values": 2 }));
    assert_eq!(of(&run, "values"), [json!([4])]);
    assert_eq!(of(&run, "tasks").len(), 6);

    start(&server, thread, "chat", json!("one two")).await;
    let run = events.up_to(is_end).await;
    let names: Vec<_> = of(&run, "messages").iter().map(|data| data["event"].clone()).collect();
    let expected = [
        "message-start",
        "content-block-start",
        "content-block-delta",
        "content-block-delta",
        "content-block-finish",
        "message-finish",
    ];
    assert_eq!(names, expected);

    start(&server, thread, "parent", json!(1)).await;
    let run = events.up_to(is_end).await;
    let children: Vec<_> = run
        .iter()
        .filter(|event| event.is("lifecycle") && event.data["params"]["namespace"] != json!([]))
        .map(|event| event.data["params"]["data"]["event"].clone())
        .collect();
    assert_eq!(children, ["started", "completed"]);
}

#[tokio::test]
async fn a_run_has_one_end_however_it_ends() {
    let server = Server::start().await;
    let thread = server.thread().await;
    let mut events = subscribe(&server, thread, json!({ "channels": ["lifecycle"] })).await;
    let ends = async |events: &mut Events| {
        let told: Vec<_> = events.up_to(is_end).await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].data["params"]["data"]["event"], "running");
        told[1].data["params"]["data"].clone()
    };
    start(&server, thread, "boom", json!("hot")).await;
    let failed = json!({ "event": "failed", "graph_name": "boom", "error": "hot" });
    assert_eq!(ends(&mut events).await, failed);
    start(&server, thread, "add_numbers", json!("no list")).await;
    assert_eq!(ends(&mut events).await["event"], "failed");
    let run = start(&server, thread, "slow", json!(10_000)).await;
    let waiting = start(&server, thread, "slow", json!(10_000)).await;
    for run in [waiting, run] {
        let run = run.as_str().expect("an id").to_owned();
        let cancel = format!("/threads/{thread}/runs/{run}/cancel?wait=0&action=interrupt");
        server.post(&cancel, json!({})).await.expect(202);
    }
    for _ in 0..2 {
        assert_eq!(ends(&mut events).await["event"], "interrupted");
    }
}

#[tokio::test]
async fn what_is_not_a_command_is_refused() {
    let server = Server::start().await;
    let thread = server.thread().await;
    for (method, params, code) in [
        ("state.get", json!({}), "unknown_command"),
        ("subscription.subscribe", json!({}), "not_supported"),
        ("agent.getTree", json!({}), "no_such_run"),
        ("run.start", json!({ "assistantId": "essay", "input": 1 }), "invalid_argument"),
        ("run.start", json!({ "assistant_id": "nobody", "input": 1 }), "invalid_argument"),
        ("input.respond", json!({ "namespace": [] }), "invalid_argument"),
    ] {
        let answer = command(&server, thread, method, params).await;
        assert_eq!(
            (&answer["type"], &answer["error"]),
            (&json!("error"), &json!(code)),
            "{answer}"
        );
    }
    let path = format!("/threads/{thread}/commands");
    server.post(&path, json!({ "method": "run.start" })).await.expect(400);
    let path = format!("/threads/{thread}/stream/events");
    server.post(&path, json!({ "channels": [] })).await.expect(400);
    server.post(&path, json!({ "channels": ["everything"] })).await.expect(400);
}

#[tokio::test]
async fn events_are_numbered_without_a_gap_and_go_on_where_they_were_cut() {
    let server = Server::start().await;
    let thread = server.thread().await;
    for name in ["chat", "boom", "add_numbers"] {
        let input = if name == "add_numbers" { json!([1, 2]) } else { json!("one two") };
        server.wait(thread, name, input).await;
    }
    let asks = ["lifecycle", "messages", "values", "custom", "tasks", "updates"];
    for count in 1..=asks.len() {
        let request = json!({ "channels": asks[..count] });
        let mut events = subscribe(&server, thread, request.clone()).await;
        let mut whole = Vec::new();
        for _ in 0..3 {
            whole.extend(events.up_to(is_end).await);
        }
        let numbers: Vec<_> = whole.iter().map(|event| event.data["seq"].clone()).collect();
        let expected: Vec<_> = (1..=whole.len()).map(|number| json!(number)).collect();
        assert_eq!(numbers, expected, "{:?}", &asks[..count]);
        for cut in (0..whole.len() - 1).step_by(3) {
            let read = async |since: Value| {
                let mut request = request.clone();
                request["since"] = since;
                let mut events = subscribe(&server, thread, request).await;
                let mut rest = Vec::new();
                while rest.len() < whole.len() - cut - 1 {
                    rest.push(events.next().await.expect("more events"));
                }
                rest
            };
            assert_eq!(read(whole[cut].data["seq"].clone()).await, whole[cut + 1..]);
            // Named by its id, it may be one of another connection: numbers begin anew.
            let by_id = read(whole[cut].data["event_id"].clone()).await;
            let ids = |events: &[Event]| {
                events.iter().map(|event| event.data["event_id"].clone()).collect::<Vec<_>>()
            };
            assert_eq!(ids(&by_id), ids(&whole[cut + 1..]), "cut behind event {cut}");
            assert_eq!(by_id[0].data["seq"], 1);
        }
    }
}
