//! Gateways before services, as processes of their own.

use std::io::{Read, Write};
use std::net::TcpStream;

use rethread_tests::{Service, run, wait_for};
use serde_json::{Value as Json, json};

use crate::cluster::Cluster;

/// The port of a listener that the log tells of behind these words.
fn port(service: &Service, words: &str) -> u16 {
    wait_for("the address of the listener", || {
        let log = service.log();
        let line = log.lines().find(|line| line.contains(words))?;
        let port = line.split("address=").nth(1)?.split_whitespace().next()?.rsplit(':').next()?;
        port.parse().ok()
    })
}

/// One request; gives the status and the whole answer.
fn ask(port: u16, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let token = token.map(|token| format!("x-api-key: {token}\r\n")).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{token}connection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let status = text.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    (status, text)
}

fn gateway(cluster: &Cluster, listen: &str, more: &[(&str, &str)]) -> Service {
    let url = cluster.redis.url();
    let mut settings = vec![
        ("RETHREAD_REDIS_URL", url.as_str()),
        ("RETHREAD_ADMIN_LISTEN", "127.0.0.1:0"),
        ("RETHREAD_HTTP_LISTEN", listen),
        ("NO_COLOR", "1"),
    ];
    settings.extend(more);
    Service::start(Cluster::app(), &cluster.stage, &["gateway"], &settings)
}

fn token(cluster: &Cluster, more: &[&str]) -> Json {
    let mut command = std::process::Command::new(Cluster::app());
    command.args(["token", "create", "--json"]).args(more);
    command.env("RETHREAD_REDIS_URL", cluster.redis.url());
    let finished = run(&mut command, "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("JSON")
}

#[test]
fn runs_go_through_any_gateway_to_those_with_the_right_token() {
    let cluster = Cluster::new();
    let (_coordinator, _worker) = (cluster.coordinator(), cluster.worker());
    let mut refused = gateway(&cluster, "0.0.0.0:0", &[]);
    assert_eq!(refused.wait().code(), Some(2));
    assert!(refused.log().contains("token create"), "{}", refused.log());

    let made = token(&cluster, &["--tenant", "acme"]);
    let secret = made["token"].as_str().expect("a token").to_owned();
    let other = token(&cluster, &["--tenant", "other"]);
    let other = other["token"].as_str().expect("a token");
    // All that can be logged is logged.
    let trace = [("RETHREAD_LOG_FILTER", "trace")];
    let mut first = gateway(&cluster, "0.0.0.0:0", &trace);
    let second = gateway(&cluster, "0.0.0.0:0", &trace);
    let (one, two) = (port(&first, "serving the HTTP API"), port(&second, "serving the HTTP API"));
    assert_eq!(ask(one, "GET", "/ok", None, "").0, 200);
    assert_eq!(ask(one, "GET", "/info", None, "").0, 401);
    let (status, text) = ask(one, "POST", "/threads", Some(&secret), "{}");
    assert_eq!(status, 200, "{text}");
    let id = text.split("\"thread_id\":\"").nth(1).and_then(|it| it.split('"').next());
    let thread = format!("/threads/{}", id.expect("an id"));

    let start = json!({ "assistant_id": "workflow", "input": "cat" }).to_string();
    let (status, text) = ask(one, "POST", &format!("{thread}/runs/wait"), Some(&secret), &start);
    assert!(status == 200 && text.contains("__interrupt__"), "{text}");
    let state = format!("{thread}/state");
    assert_eq!(ask(two, "GET", &state, Some(other), "").0, 404, "it is another's");
    let (status, text) = ask(two, "GET", &state, Some(&secret), "");
    assert!(status == 200 && text.contains("Please approve"), "{text}");

    let admin = port(&first, "serving health and metrics");
    assert_eq!(ask(admin, "GET", "/readyz", None, "").0, 200);
    let (_, metrics) = ask(admin, "GET", "/metrics", None, "");
    for part in [
        "role=\"gateway\"",
        "rethread_http_requests_total{operation=\"create_thread\",status=\"200\"} 1",
        "rethread_http_requests_total{operation=\"info\",status=\"401\"} 1",
        "rethread_http_streams 0",
    ] {
        assert!(metrics.contains(part), "{part}: {metrics}");
    }

    first.signal("TERM");
    assert_eq!(first.wait().code(), Some(0), "{}", first.log());
    let end = json!({ "assistant_id": "workflow", "command": { "resume": true } }).to_string();
    let (status, text) = ask(two, "POST", &format!("{thread}/runs/wait"), Some(&secret), &end);
    assert!(status == 200 && text.contains("\"is_approved\":true"), "{text}");
    for log in [first.log(), second.log()] {
        assert!(!log.contains(&secret[3..]) && !log.contains(&other[3..]), "a token was logged");
    }
}

#[test]
fn dev_serves_the_api_on_a_store_of_its_own() {
    let stage = rethread_tests::Stage::default();
    let data = stage.path().join("data");
    let settings = [
        ("RETHREAD_DATA_DIR", data.to_str().expect("a path")),
        ("NO_COLOR", "1"),
        ("RETHREAD_HTTP_LISTEN", "127.0.0.1:0"),
    ];
    let mut dev = Service::start(Cluster::app(), &stage, &["dev"], &settings);
    let http = port(&dev, "serving the HTTP API");
    dev.wait_for_log("ready");
    let start = json!({ "assistant_id": "workflow", "input": "cat" }).to_string();
    // On loopback without tokens nobody is asked for one, and what is sent as one is not looked at.
    let (status, text) = ask(http, "POST", "/runs/wait", Some("lsv2_other"), &start);
    assert!(status == 200 && text.contains("__interrupt__"), "{text}");
    dev.signal("TERM");
    assert_eq!(dev.wait().code(), Some(0), "{}", dev.log());
}
