use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rethread_runtime::Node;
use rethread_sdk::{Entrypoint, Error, Task};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use serde_json::Value as Json;

use super::{AdminServer, MeasuredStorage, Meters, Service};
use crate::embedded::{node_options, with_workers};
use crate::{App, Client, Settings};

/// Asks the listener and gives the status and the body.
async fn get(address: SocketAddr, path: &'static str) -> (u16, String) {
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .expect("it is asked");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let status = text.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status, body.expect("a body"))
    });
    asked.await.expect("no panic")
}

/// The checks of an answer that do not hold, with their reasons.
fn failing(body: &str) -> BTreeMap<String, String> {
    let health: Json = serde_json::from_str(body).expect("JSON");
    let checks = health["checks"].as_array().expect("checks");
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    let failing = checks.iter().filter(|check| check["is_ok"] == false);
    failing.map(|check| (text(&check["name"]), text(&check["reason"]))).collect()
}

fn listener() -> AdminServer {
    AdminServer::start(SocketAddr::from(([127, 0, 0, 1], 0))).expect("listens")
}

/// The value of a metric that has no labels or these.
fn metric(text: &str, name: &str) -> Option<f64> {
    let lines = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    lines.and_then(|value| value.parse().ok())
}

struct Watching {
    admin: AdminServer,
    node: Node,
    client: Client,
}

async fn watching(app: App) -> Watching {
    let admin = listener();
    let meters = Arc::new(Meters::default());
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(2));
    let storage: Arc<dyn Storage> = Arc::new(MeasuredStorage::new(storage, Arc::clone(&meters)));
    let settings = Settings::default();
    let options = node_options(app, Arc::clone(&storage), &settings).expect("valid");
    let options = with_workers(options, &settings).expect("valid");
    let service = Service {
        role: "dev",
        durability: "volatile",
        node: options.node.clone(),
        coordinates: true,
        works: true,
        lease_ttl: options.lease_ttl,
        dead_after: options.dead_after,
        gateway: None,
    };
    let node = Node::start(options).await.expect("starts");
    let client = Client::from_storage(Arc::clone(&storage));
    admin.watch(service, node.probe(), storage, meters).await.expect("attaches");
    Watching { admin, node, client }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_starts_lives_and_is_not_ready() {
    let admin = listener();
    assert_eq!(get(admin.address(), "/livez").await, (200, r#"{"is_ok":true,"checks":[]}"#.into()));
    for path in ["/startupz", "/readyz"] {
        let (status, body) = get(admin.address(), path).await;
        assert_eq!(status, 503, "{body}");
        assert_eq!(failing(&body)["startup"], "starting: opening the storage");
    }
    assert_eq!(get(admin.address(), "/metrics").await.0, 503);
    assert_eq!(get(admin.address(), "/other").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_only_stay_open_are_closed_and_keep_nobody_out() {
    let admin = listener();
    let address = admin.address();
    let idle = tokio::task::spawn_blocking(move || {
        let open = |_| TcpStream::connect(address).expect("it listens");
        let mut streams: Vec<_> = (0..80).map(open).collect();
        for stream in &mut streams {
            write!(stream, "GET /livez HTTP/1.1\r\nhost:").expect("it is asked, in part");
        }
        streams
    });
    let streams = idle.await.expect("no panic");
    // There are more of them than are served at a time.
    assert_eq!(get(address, "/livez").await.0, 200);
    let closed = tokio::task::spawn_blocking(move || {
        for mut stream in streams {
            stream.set_read_timeout(Some(Duration::from_secs(60))).expect("is set");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("it is closed");
        }
    });
    closed.await.expect("all are closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_ready_until_it_drains() {
    let Watching { admin, node, .. } = watching(App::new()).await;
    node.wait_ready().await.expect("is ready");
    for path in ["/livez", "/startupz", "/readyz"] {
        let (status, body) = get(admin.address(), path).await;
        assert_eq!(status, 200, "{path} {body}");
    }
    admin.begin_drain();
    let (status, body) = get(admin.address(), "/readyz").await;
    assert_eq!((status, failing(&body)["draining"].as_str()), (503, "told to stop"));
    node.drain().await.expect("drains");
    assert_eq!(get(admin.address(), "/livez").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_runs_and_name_no_thread() {
    let double = Task::new("double", |n: u64| async move { Ok::<_, Error>(n * 2) });
    let task = double.clone();
    let entrypoint = Entrypoint::new("doubled", move |n: u64| {
        let task = task.clone();
        async move { task.call((n,)).await }
    });
    let app = App::new().entrypoint(entrypoint.clone()).task(double);
    let Watching { admin, node, client } = watching(app).await;
    let thread = client.thread("secret-customer").expect("valid");
    let outcome = thread.invoke(&entrypoint, 21).await.expect("runs");
    assert_eq!(outcome.done(), Some(42));
    let (status, text) = get(admin.address(), "/metrics").await;
    assert_eq!(status, 200);
    for (name, value) in [
        ("rethread_runs_started_total", 1.0),
        ("rethread_runs_completed_total", 1.0),
        ("rethread_runs_failed_total", 0.0),
        ("rethread_attempts_total", 1.0),
        ("rethread_partitions_owned", 2.0),
        ("rethread_threads_in_memory", 1.0),
        ("rethread_workers_alive", 1.0),
        ("rethread_sample_failed", 0.0),
        ("rethread_draining", 0.0),
        ("rethread_dead_letters", 0.0),
    ] {
        assert_eq!(metric(&text, name), Some(value), "{name} in {text}");
    }
    let commits = metric(&text, "rethread_storage_operations_total{operation=\"commit\"}");
    assert!(commits.is_some_and(|commits| commits >= 2.0), "{text}");
    let timed = metric(&text, "rethread_storage_seconds_count{operation=\"commit\"}");
    assert_eq!(timed, commits);
    for hidden in ["secret-customer", &thread.id().key().to_string()] {
        assert!(!text.contains(hidden), "{text}");
    }
    node.drain().await.expect("drains");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entrypoint_that_blocks_is_told() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let block = Entrypoint::new("block", move |(): ()| {
        let held = Arc::clone(&held);
        async move {
            let held = held.lock().expect("not poisoned");
            // An error says that the test is over.
            let _ = held.recv();
            Ok::<_, Error>(())
        }
    });
    let Watching { admin, node, client } = watching(App::new().entrypoint(block.clone())).await;
    node.wait_ready().await.expect("is ready");
    let thread = client.thread("t").expect("valid");
    let run = thread.invoke(&block, ()).start().await.expect("accepted");
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        let (status, body) = get(admin.address(), "/livez").await;
        if status == 503 {
            assert!(failing(&body)["engine"].contains("entrypoint"), "{body}");
            break;
        }
        assert!(Instant::now() < give_up, "the engine hangs and nobody says so");
    }
    release.send(()).expect("it holds");
    assert!(run.wait().await.is_ok());
    assert_eq!(get(admin.address(), "/livez").await.0, 200);
    node.drain().await.expect("drains");
}
