//! Every operation against every kind of caller. The operations are those of the router, so none
//! can be left out.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::served::Served;
use crate::operation::{Operation, Verb};
use crate::{Auth, GatewayError, Scope, TokenRequest, Tokens, routes};

const ALL: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Admin];

/// What a tenant has that others may name.
struct Things {
    thread: Uuid,
    assistant: String,
}

async fn things(served: &Served, token: &str) -> Things {
    let make = async |path: &str, body: Value| -> Value {
        let answer = served.request("POST", path).header("x-api-key", token).json(&body);
        let answer = answer.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("JSON")
    };
    let thread = make("/threads", json!({})).await;
    let assistant = make("/assistants", json!({ "graph_id": "essay" })).await;
    Things {
        thread: thread["thread_id"].as_str().and_then(|id| id.parse().ok()).expect("an id"),
        assistant: assistant["assistant_id"].as_str().expect("an id").to_owned(),
    }
}

/// The path of an operation on these things.
fn path(operation: &Operation, things: &Things) -> String {
    let parts = operation.path.split('/').map(|part| match part {
        "{thread_id}" => things.thread.to_string(),
        "{assistant_id}" => things.assistant.clone(),
        "{run_id}" | "{checkpoint_id}" => Uuid::now_v7().to_string(),
        part if part.starts_with('{') => "other".to_owned(),
        part => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A body that has what any operation needs.
fn body(things: &Things) -> Value {
    json!({
        "assistant_id": things.assistant,
        "graph_id": "essay",
        "input": "cat",
        "values": {},
        "value": {},
        "key": "k",
        "namespace": ["n"],
        "namespace_prefix": [],
        "metadata": {},
        "version": 1,
        "thread_ids": [],
        "checkpoint": { "checkpoint_id": Uuid::now_v7() },
        "channels": ["values"],
        "id": 1,
        "method": "run.start",
        "params": { "assistant_id": things.assistant, "input": "cat" },
    })
}

/// Asks for an operation; gives how it is answered and why it was refused.
async fn ask(
    served: &Served,
    operation: &Operation,
    things: &Things,
    token: Option<&str>,
) -> (StatusCode, String) {
    let method = operation.method.name().to_uppercase();
    let mut request = served.request(&method, &path(operation, things));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if operation.body.is_some() {
        request = request.json(&body(things));
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    // What succeeds may be a stream without an end.
    let is_whole =
        !status.is_success() || ["join_run_stream", "send_command"].contains(&operation.id);
    let detail = if is_whole { answer.text().await.expect("a body") } else { String::new() };
    (status, detail)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_closed_to_those_without_the_right_token() {
    let served = Served::guarded().await;
    let mine = served.token(Some("acme"), &ALL).await;
    let things = things(&served, &mine).await;
    let unknown = format!("rt_{}", "0".repeat(64));
    let expired = TokenRequest::new(ALL).tenant("acme").expires_in(Duration::ZERO);
    let expired = served.tokens.create(expired).await.expect("made");
    let without = [
        (Scope::Read, served.token(Some("acme"), &[Scope::Write]).await),
        (Scope::Write, served.token(Some("acme"), &[Scope::Read]).await),
        (Scope::Admin, served.token(Some("acme"), &[Scope::Read, Scope::Write]).await),
    ];
    for operation in &routes::all().operations {
        let Some(scope) = operation.scope else {
            let (status, detail) = ask(&served, operation, &things, Some("nonsense")).await;
            assert!(status.is_success(), "{}: {status} {detail}", operation.id);
            continue;
        };
        for token in [None, Some("nonsense"), Some(&unknown[..]), Some(expired.reveal())] {
            let (status, detail) = ask(&served, operation, &things, token).await;
            assert_eq!(status, 401, "{}: {detail}", operation.id);
            assert!(detail.contains("token"), "{}: {detail}", operation.id);
        }
        let (_, lacking) = without.iter().find(|(it, _)| *it == scope).expect("a token");
        let (status, detail) = ask(&served, operation, &things, Some(lacking)).await;
        assert_eq!(status, 403, "{}: {detail}", operation.id);
        assert!(detail.contains(&scope.to_string()), "{}: {detail}", operation.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_open_to_the_right_token() {
    let served = Served::guarded().await;
    for operation in &routes::all().operations {
        let scopes = [operation.scope.unwrap_or(Scope::Read)];
        let (all, one) =
            (served.token(Some("acme"), &ALL).await, served.token(Some("acme"), &scopes).await);
        for token in [&all, &one] {
            let things = things(&served, &all).await;
            let (status, detail) = ask(&served, operation, &things, Some(token)).await;
            let is_refused = matches!(status.as_u16(), 401 | 403 | 405) || status.is_server_error();
            assert!(!is_refused, "{}: {status} {detail}", operation.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_tenants_is_not_there() {
    let served = Served::guarded().await;
    let (mine, theirs) =
        (served.token(Some("acme"), &ALL).await, served.token(Some("other"), &ALL).await);
    let standard = served.token(None, &ALL).await;
    let things = things(&served, &mine).await;
    for operation in &routes::all().operations {
        if !operation.path.contains("{thread_id}") && !operation.path.contains("{assistant_id}") {
            continue;
        }
        for token in [&theirs, &standard] {
            let (status, detail) = ask(&served, operation, &things, Some(token)).await;
            match operation.id {
                // Clients expect the refusal in an answer of 200.
                "join_run_stream" => assert!(detail.contains("NotFound"), "{detail}"),
                "send_command" => assert!(detail.contains(r#""type":"error""#), "{detail}"),
                // A thread that does not exist yet may be watched: one of their own by this id.
                "stream_thread_events" => assert_eq!(status, 200, "{detail}"),
                _ => assert_eq!(status, 404, "{}: {detail}", operation.id),
            }
        }
    }
    let thread = served.request("GET", &format!("/threads/{}", things.thread));
    let thread = thread.header("x-api-key", &mine).send().await.expect("an answer");
    assert_eq!(thread.status(), 200, "it is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_reads_stops_no_run_by_going_away() {
    let served = Served::guarded().await;
    let token = served.token(None, &[Scope::Read]).await;
    let run = format!("/threads/{}/runs/{}/join", Uuid::now_v7(), Uuid::now_v7());
    for (query, status) in [
        ("", 404),
        ("?cancel_on_disconnect=false", 404),
        ("?cancel_on_disconnect=0", 404),
        ("?cancel_on_disconnect=true", 403),
        ("?cancel%5Fon_disconnect=1", 403),
        ("?cancel_on_disconnect=0&cancel_on_disconnect=True", 403),
    ] {
        let request = served.request("GET", &format!("{run}{query}")).bearer_auth(&token);
        assert_eq!(request.send().await.expect("an answer").status(), status, "{query}");
    }
}

#[test]
fn what_is_open_and_what_only_reads_is_known() {
    let operations = routes::all().operations;
    let named = |is_meant: fn(&Operation) -> bool| {
        let mut ids: Vec<_> = operations.iter().filter(|it| is_meant(it)).map(|it| it.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(named(|it| it.scope.is_none()), ["ok", "root"]);
    let reads = named(|it| it.method != Verb::Get && it.scope == Some(Scope::Read));
    let expected = [
        "count_assistants",
        "count_crons",
        "count_threads",
        "list_assistant_versions",
        "list_namespaces",
        "post_history",
        "post_state_at_checkpoint",
        "search_assistants",
        "search_crons",
        "search_items",
        "search_threads",
        "stream_thread_events",
    ];
    assert_eq!(reads, expected);
    assert!(named(|it| it.method == Verb::Get && it.scope != Some(Scope::Read)) == ["ok", "root"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ceases_to_work() {
    let served = Served::guarded().await;
    let created = served.tokens.create(TokenRequest::new([Scope::Read]).name("ci")).await;
    let created = created.expect("made");
    let info = async || {
        let request = served.request("GET", "/info").header("x-api-key", created.reveal());
        request.send().await.expect("an answer").status()
    };
    assert_eq!(info().await, 200);
    let list = served.tokens.list().await.expect("listed");
    assert_eq!(list, std::slice::from_ref(&created.info));
    assert_eq!(served.tokens.revoke("other").await.expect("looked"), None);
    let revoked = served.tokens.revoke(&created.info.id).await.expect("revoked");
    assert_eq!(revoked, Some(created.info.clone()));
    while info().await != 401 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(served.tokens.list().await.expect("listed"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_with_care() {
    let served = Served::guarded().await;
    for request in [
        TokenRequest::default(),
        TokenRequest::new([Scope::Read]).tenant("a/b"),
        TokenRequest::new([Scope::Read]).tenant(""),
        TokenRequest::new([Scope::Read]).name("x".repeat(257)),
    ] {
        let error = served.tokens.create(request).await.expect_err("refused");
        assert!(matches!(error, crate::TokenError::Invalid { .. }), "{error}");
    }
    let created = served.tokens.create(TokenRequest::new(ALL).tenant("acme")).await.expect("made");
    let shown = format!("{created:?} {}", json!(created.info));
    assert!(
        !shown.contains(created.reveal()) && !shown.contains(&created.reveal()[3..]),
        "{shown}"
    );
    let kept = served.bench.client.store().search(["@http", "tokens"]).items::<Value>().await;
    let kept = format!("{:?}", kept.expect("readable"));
    assert!(!kept.contains(&created.reveal()[3..]), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_others_reach_asks_for_tokens() {
    let served = Served::guarded().await;
    let client = &served.bench.client;
    let (near, far) = ("127.0.0.1:1".parse().expect("one"), "0.0.0.0:1".parse().expect("one"));
    let of = async |address, everybody| Auth::of_listener(client, address, everybody).await;
    assert_eq!(of(near, false).await.expect("serves"), Auth::Off);
    assert_eq!(of(far, true).await.expect("serves"), Auth::Off);
    let error = of(far, false).await.expect_err("does not serve");
    assert!(matches!(error, GatewayError::NoTokens { .. }), "{error}");
    for part in ["0.0.0.0:1", "token create", "--insecure"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let tokens = Tokens::new(client);
    tokens.create(TokenRequest::new([Scope::Read])).await.expect("made");
    for address in [near, far] {
        assert_eq!(of(address, false).await.expect("serves"), Auth::Tokens);
    }
    assert_eq!(of(far, true).await.expect("serves"), Auth::Off);
}
