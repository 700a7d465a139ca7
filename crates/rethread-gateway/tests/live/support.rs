//! A gateway that listens, with an engine behind it, and a client with a small reader of events.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client as Http, Method, RequestBuilder, Response};
use rethread_client::Client;
use rethread_core::ids::NodeId;
use rethread_gateway::{Gateway, GatewayOptions};
use rethread_runtime::{Node, NodeOptions, PoolOptions};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::programs;

/// Nothing takes as long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    _node: Node,
    /// Gateways on the same storage.
    gateways: Vec<SocketAddr>,
    _serving: JoinSet<()>,
    http: Http,
}

/// What a gateway answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// As it came.
    pub(crate) text: String,
}

impl Answer {
    /// The JSON of an answer of this status; null if there is none.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(GatewayOptions::default(), 1).await
    }

    /// Several gateways on one storage.
    pub(crate) async fn start_with(options: GatewayOptions, gateways: usize) -> Self {
        let storage = Arc::new(MemoryStorage::new(2));
        Self::start_on(storage.clone(), storage, options, gateways).await
    }

    /// The same, where gateways see the storage through another.
    pub(crate) async fn start_on(
        storage: Arc<MemoryStorage>,
        seen: Arc<dyn Storage>,
        options: GatewayOptions,
        gateways: usize,
    ) -> Self {
        let client = Client::from_storage(storage.clone());
        let id = NodeId::new("test").expect("an id");
        let node = NodeOptions::new(id, storage.clone(), Arc::new(programs::registry()))
            .worker(PoolOptions::standard(8));
        let node = Node::start(node).await.expect("starts");
        timeout(DEADLINE, node.wait_ready()).await.expect("in time").expect("ready");
        for name in programs::NAMES {
            let entrypoint = json!({ "name": name });
            let put = client.store().put(["@rethread", "entrypoints"], name, &entrypoint);
            put.await.expect("published");
        }
        let (mut serving, mut addresses) = (JoinSet::new(), Vec::new());
        for _ in 0..gateways {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            addresses.push(listener.local_addr().expect("an address"));
            let client = Client::from_storage(seen.clone());
            let gateway = Gateway::new(client, options.clone());
            serving.spawn(async move {
                gateway.serve(listener, std::future::pending()).await;
            });
        }
        let http = Http::builder().no_proxy().build().expect("a client");
        Self { _node: node, gateways: addresses, _serving: serving, http }
    }

    /// A request to one of the gateways.
    pub(crate) fn request_to(&self, gateway: usize, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.gateways[gateway]))
    }

    async fn answer(request: RequestBuilder) -> Answer {
        let answered = async {
            let response = request.send().await.expect("an answer");
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Answer { status, headers, text: response.text().await.expect("a body") }
        };
        timeout(DEADLINE, answered).await.expect("in time")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Self::answer(self.request_to(0, Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Self::answer(self.request_to(0, Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_to(0, path, body).await
    }

    pub(crate) async fn post_to(&self, gateway: usize, path: &str, body: Value) -> Answer {
        Self::answer(self.request_to(gateway, Method::POST, path).json(&body)).await
    }

    pub(crate) async fn thread(&self) -> Uuid {
        let thread = self.post("/threads", json!({})).await.expect(200);
        serde_json::from_value(thread["thread_id"].clone()).expect("an id")
    }

    /// Runs a program on a thread; gives the result.
    pub(crate) async fn wait(&self, thread: Uuid, name: &str, input: Value) -> Value {
        let run = json!({ "assistant_id": name, "input": input });
        self.post(&format!("/threads/{thread}/runs/wait"), run).await.expect(200)
    }

    /// Makes a run and goes on.
    pub(crate) async fn create(&self, thread: Uuid, run: Value) -> Uuid {
        let run = self.post(&format!("/threads/{thread}/runs"), run).await.expect(200);
        serde_json::from_value(run["run_id"].clone()).expect("an id")
    }

    pub(crate) async fn join(&self, thread: Uuid, run: Uuid) -> Value {
        self.get(&format!("/threads/{thread}/runs/{run}/join")).await.expect(200)
    }

    pub(crate) async fn status(&self, thread: Uuid, run: Uuid) -> String {
        let run = self.get(&format!("/threads/{thread}/runs/{run}")).await.expect(200);
        run["status"].as_str().expect("a status").to_owned()
    }

    pub(crate) async fn thread_status(&self, thread: Uuid) -> String {
        let thread = self.get(&format!("/threads/{thread}")).await.expect(200);
        thread["status"].as_str().expect("a status").to_owned()
    }

    /// Waits until a run has this status.
    pub(crate) async fn until(&self, thread: Uuid, run: Uuid, status: &str) {
        let reached = async {
            while self.status(thread, run).await != status {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, reached).await.unwrap_or_else(|_| panic!("the run is not {status}"));
    }

    /// The events of a request.
    pub(crate) async fn events(&self, request: RequestBuilder) -> Events {
        let response = timeout(DEADLINE, request.send()).await.expect("in time");
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().expect("a text").to_owned();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Events { response, rest: String::new(), read: VecDeque::new(), signs_of_life: 0 }
    }

    pub(crate) async fn stream(&self, path: &str, body: Value) -> Events {
        self.events(self.request_to(0, Method::POST, path).json(&body)).await
    }

    pub(crate) async fn stream_run(&self, thread: Uuid, run: Value) -> Events {
        self.stream(&format!("/threads/{thread}/runs/stream"), run).await
    }

    /// The events of a run behind one of them.
    pub(crate) async fn rejoin(&self, path: &str, last: Option<&str>) -> Events {
        let mut request = self.request_to(0, Method::GET, path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        self.events(request).await
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) event: String,
    pub(crate) data: Value,
    pub(crate) id: String,
}

impl Event {
    pub(crate) fn is(&self, event: &str) -> bool {
        self.event == event
    }
}

/// Reads events as they come.
pub(crate) struct Events {
    pub(crate) response: Response,
    rest: String,
    read: VecDeque<Event>,
    pub(crate) signs_of_life: usize,
}

impl Events {
    /// The next event; none when the stream is closed.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        timeout(DEADLINE, self.read_next()).await.expect("an event in time")
    }

    async fn read_next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            let chunk = self.response.chunk().await.expect("no cut")?;
            self.rest.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
            while let Some((frame, rest)) = self.rest.split_once("\r\n\r\n") {
                if frame.starts_with(": heartbeat") {
                    self.signs_of_life += 1;
                } else {
                    self.read.push_back(parse(frame));
                }
                self.rest = rest.to_owned();
            }
        }
    }

    /// All events up to the end.
    pub(crate) async fn all(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }

    /// The next events, up to one.
    pub(crate) async fn up_to(&mut self, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut all = Vec::new();
        loop {
            let event = self.next().await.expect("more events");
            let is_last = is_last(&event);
            all.push(event);
            if is_last {
                return all;
            }
        }
    }
}

fn parse(frame: &str) -> Event {
    let mut event = Event { event: String::new(), data: Value::Null, id: String::new() };
    for line in frame.split("\r\n") {
        match line.split_once(": ").expect("a field") {
            ("event", name) => event.event = name.to_owned(),
            ("data", data) => event.data = serde_json::from_str(data).expect("JSON"),
            ("id", id) => event.id = id.to_owned(),
            (other, _) => panic!("unknown field {other}"),
        }
    }
    event
}

/// Names and data of events.
pub(crate) fn shown(events: &[Event]) -> Vec<(&str, &Value)> {
    events.iter().map(|event| (event.event.as_str(), &event.data)).collect()
}
