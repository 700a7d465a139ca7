use rethread_gateway::{GatewayOptions, WebhookRules};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{DEADLINE, Server};

/// Takes requests and gives their bodies.
async fn hook() -> (String, mpsc::UnboundedReceiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/told", listener.local_addr().expect("an address"));
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                if let Some(body) = take(stream).await {
                    // The test may be over.
                    let _ = sender.send(body);
                }
            });
        }
    });
    (url, receiver)
}

async fn take(mut stream: TcpStream) -> Option<Value> {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let length = stream.read(&mut part).await.ok().filter(|&length| length > 0)?;
        read.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let wanted = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_it = name.eq_ignore_ascii_case("content-length");
            is_it.then(|| value.trim().parse::<usize>().ok())?
        });
        if wanted.is_some_and(|wanted| body.len() >= wanted) {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok()?;
            return serde_json::from_str(body).ok();
        }
    }
}

fn rules() -> WebhookRules {
    WebhookRules::to_hosts(["127.0.0.1"]).allow_http(true).allow_private(true)
}

#[tokio::test]
async fn the_end_of_a_run_is_told_once() {
    let (url, mut told) = hook().await;
    let server = Server::start_with(GatewayOptions::default().webhooks(rules()), 1).await;
    let thread = server.thread().await;
    let mut next = async || timeout(DEADLINE, told.recv()).await.expect("in time").expect("a body");
    let run =
        |name: &str, input: Value| json!({ "assistant_id": name, "input": input, "webhook": url });
    let id = server.create(thread, run("add_numbers", json!([1]))).await;
    let body = next().await;
    assert_eq!((&body["run_id"], &body["values"]), (&json!(id), &json!([4])));
    assert_eq!(body["status"], "success");
    for time in ["run_started_at", "run_ended_at", "webhook_sent_at"] {
        assert!(body[time].is_string(), "{time}: {body}");
    }
    assert!(body.get("error").is_none());
    server.post("/runs/wait", run("boom", json!("hot"))).await.expect(200);
    let body = next().await;
    assert_eq!(body["error"], json!({ "error": "Boom", "message": "hot" }));
    let id = server.create(thread, run("slow", json!(10_000))).await;
    server.until(thread, id, "running").await;
    let path = format!("/threads/{thread}/runs/{id}/cancel?wait=1");
    server.post(&path, json!({})).await.expect(200);
    let body = next().await;
    assert_eq!((&body["run_id"], &body["status"]), (&json!(id), &json!("interrupted")));
    // Told last, so whatever was told twice would have come before.
    let last = server.create(thread, run("accumulate", json!(1))).await;
    assert_eq!(next().await["run_id"], json!(last));
}

#[tokio::test]
async fn only_hosts_that_are_allowed_are_told() {
    let server = Server::start_with(GatewayOptions::default().webhooks(rules()), 1).await;
    let thread = server.thread().await;
    for url in ["http://example.com/", "file:///x", "x", "http://localhost/"] {
        let run = json!({ "assistant_id": "accumulate", "input": 1, "webhook": url });
        server.post(&format!("/threads/{thread}/runs"), run).await.expect(422);
    }
}
