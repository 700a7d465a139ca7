use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::bench::DEADLINE;
use super::served::Served;
use crate::GatewayOptions;
use crate::limits::{Kind, Owner};

async fn detail(answer: Response, status: u16) -> String {
    assert_eq!(answer.status(), status);
    let body: Value = answer.json().await.expect("JSON");
    body["detail"].as_str().expect("a detail").to_owned()
}

/// The body of a search, of this many bytes.
fn search(size: usize) -> String {
    let empty = json!({ "metadata": { "x": "" } }).to_string();
    json!({ "metadata": { "x": "a".repeat(size - empty.len()) } }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_size() {
    let served = Served::start(GatewayOptions::default().body_bytes_max(2_000)).await;
    let post = async |body: reqwest::Body| {
        served.request("POST", "/threads/search").body(body).send().await.expect("an answer")
    };
    let chunked = |size| {
        let text = search(size).into_bytes();
        let frame = |chunk: &[u8]| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(chunk)));
        let frames: Vec<_> = text.chunks(100).map(frame).collect();
        reqwest::Body::wrap(StreamBody::new(futures::stream::iter(frames)))
    };
    assert_eq!(post(search(2_000).into()).await.status(), 200);
    assert_eq!(post(chunked(2_000)).await.status(), 200);
    for body in [search(2_001).into(), chunked(2_001), search(7_000).into()] {
        let detail = detail(post(body).await, 413).await;
        assert!(detail.contains("2000 bytes"), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_depth() {
    let served = Served::start(GatewayOptions::default()).await;
    let nested = |levels: usize| {
        let inner = levels - 2;
        format!(r#"{{"metadata": {{"x": {}{}}}}}"#, "[".repeat(inner), "]".repeat(inner))
    };
    let post = async |body: String| {
        served.request("POST", "/threads/search").body(body).send().await.expect("an answer")
    };
    assert_eq!(post(nested(64)).await.status(), 200);
    for levels in [65, 100_000] {
        let detail = detail(post(nested(levels)).await, 422).await;
        assert!(detail.contains("64 levels"), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_so_many_items() {
    let served = Served::start(GatewayOptions::default().body_items_max(100)).await;
    let search = |length: usize| json!({ "metadata": { "x": vec![0; length] } }).to_string();
    let post = async |body: String| {
        served.request("POST", "/threads/search").body(body).send().await.expect("an answer")
    };
    // The two objects count as well.
    assert_eq!(post(search(98)).await.status(), 200);
    let detail = detail(post(search(99)).await, 422).await;
    assert!(detail.contains("more than 100 elements"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_so_many_places() {
    let served = Served::start(GatewayOptions::default().requests_max(1).streams_max(1)).await;
    let thread = served.bench.thread().await;
    let stream = format!("/threads/{thread}/stream");
    let get = async |path: &str| served.request("GET", path).send().await.expect("an answer");
    let in_flight = served.gateway.shared.in_flight();
    let permit = in_flight.enter(Owner::default(), Kind::Request).expect("a place");
    let answer = get("/info").await;
    assert_eq!(answer.headers()["retry-after"], "1");
    let text = detail(answer, 429).await;
    assert!(text.contains("1 requests in progress"), "{text}");
    drop(permit);
    assert_eq!(get("/info").await.status(), 200);
    let open = get(&stream).await;
    assert_eq!(open.status(), 200);
    let text = detail(get(&stream).await, 429).await;
    assert!(text.contains("1 streams open"), "{text}");
    assert_eq!(get("/info").await.status(), 200, "streams do not count as requests");
    drop(open);
    // The gateway notices when it next writes to it: a sign of life.
    while get(&stream).await.status() != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends something without an end, and reads until the connection ends.
async fn half_sent(served: &Served, text: String) -> String {
    let address = served.address;
    let asked = spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("is set");
        stream.write_all(text.as_bytes()).expect("it is sent");
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection stays open: {error}"),
        }
        String::from_utf8(answer).expect("text")
    });
    asked.await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_have_a_size_and_a_time() {
    let options = GatewayOptions::default().head_time(Duration::from_millis(300));
    let served = Served::start(options).await;
    let head = |size: usize| format!("GET /info HTTP/1.1\r\nhost: x\r\nx-a: {}", "a".repeat(size));
    let answer = half_sent(&served, format!("{}\r\nconnection: close\r\n\r\n", head(8_000))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = half_sent(&served, format!("{}\r\n\r\n", head(20_000))).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(!half_sent(&served, head(10)).await.starts_with("HTTP/1.1 2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_time() {
    let options = GatewayOptions::default().body_time(Duration::from_millis(300));
    let served = Served::start(options).await;
    let head = "POST /threads/search HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    let answer = half_sent(&served, head.to_owned()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_wait_for_a_place() {
    let options = GatewayOptions::default().connections_max(2).head_time(Duration::from_secs(1));
    let served = Served::start(options).await;
    let address = served.address;
    let idle = spawn_blocking(move || {
        let open = |_| TcpStream::connect(address).expect("it listens");
        (0..2).map(open).collect::<Vec<_>>()
    });
    let idle = idle.await.expect("no panic");
    let answer = served.request("GET", "/info").send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "once those that say nothing were closed");
    assert!(served.gateway.meters().snapshot().connections <= 2);
    drop(idle);
}
