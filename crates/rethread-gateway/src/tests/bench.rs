//! A gateway with an engine behind it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use rethread_client::{Client, ClientError, Millis, Outcome, RunId, Thread};
use rethread_core::ids::NodeId;
use rethread_runtime::{Node, NodeOptions, PoolOptions};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;
use uuid::Uuid;

use super::programs;
use crate::caller::Tenant;
use crate::records::{ActiveRun, Drawing, EntrypointRecord};
use crate::shared::Shared;
use crate::{Gateway, GatewayOptions, times};

/// Nothing takes as long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    /// None: there is no coordinator.
    _node: Option<Node>,
    pub(crate) client: Client,
    pub(crate) shared: Shared,
    router: Router,
}

/// What the gateway answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null if there is none.
    pub(crate) body: Value,
}

impl Answer {
    /// The body of an answer of this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a text"))
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_with(GatewayOptions::default()).await
    }

    pub(crate) async fn start_with(options: GatewayOptions) -> Self {
        let storage = Arc::new(MemoryStorage::new(2));
        Self::start_on(storage.clone(), storage, options).await
    }

    /// The gateway sees the storage through another.
    pub(crate) async fn start_on(
        storage: Arc<MemoryStorage>,
        seen: Arc<dyn Storage>,
        options: GatewayOptions,
    ) -> Self {
        let id = NodeId::new("test").expect("an id");
        let node = NodeOptions::new(id, storage, Arc::new(programs::registry()))
            .worker(PoolOptions::standard(4));
        let node = Node::start(node).await.expect("starts");
        timeout(DEADLINE, node.wait_ready()).await.expect("in time").expect("ready");
        Self::of_gateway(Some(node), seen, options).await
    }

    /// One where nothing runs.
    pub(crate) async fn without_coordinator(
        storage: Arc<MemoryStorage>,
        options: GatewayOptions,
    ) -> Self {
        Self::of_gateway(None, storage, options).await
    }

    /// Another gateway on the same storage.
    pub(crate) async fn another(&self) -> Self {
        let storage = Arc::clone(self.client.storage());
        Self::of_gateway(None, storage, GatewayOptions::default()).await
    }

    async fn of_gateway(
        node: Option<Node>,
        storage: Arc<dyn Storage>,
        options: GatewayOptions,
    ) -> Self {
        let client = Client::from_storage(storage);
        let gateway = Gateway::new(client.clone(), options);
        let bench =
            Self { _node: node, client, shared: gateway.shared.clone(), router: gateway.router() };
        for name in programs::NAMES {
            let entrypoint = EntrypointRecord {
                name: name.to_owned(),
                input_schema: Some(json!({ "type": "string" })),
                output_schema: None,
                graph: drawing(name),
                published_at: times::now(),
            };
            let table = bench.shared.records().entrypoints();
            table.put(name, &entrypoint).await.expect("written");
        }
        bench
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = timeout(DEADLINE, body.collect()).await.expect("in time");
        let bytes = bytes.expect("a body").to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).expect("JSON"),
        };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn call_as(&self, tenant: &Tenant, method: Method, path: &str, body: String) -> Answer {
        let request = Request::builder().method(method).uri(path).extension(tenant.clone());
        self.send(request.body(Body::from(body)).expect("a request")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call_as(&Tenant::Standard, Method::GET, path, String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call_as(&Tenant::Standard, Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call_as(&Tenant::Standard, Method::PUT, path, body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call_as(&Tenant::Standard, Method::PATCH, path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call_as(&Tenant::Standard, Method::DELETE, path, String::new()).await
    }

    /// A request of another tenant.
    pub(crate) async fn of(&self, tenant: &str, method: Method, path: &str, body: Value) -> Answer {
        let tenant = Tenant::named(tenant).expect("a name");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call_as(&tenant, method, path, body).await
    }

    /// A new thread.
    pub(crate) async fn thread(&self) -> Uuid {
        self.thread_with(json!({})).await
    }

    /// A new thread with metadata.
    pub(crate) async fn thread_with(&self, metadata: Value) -> Uuid {
        let made = self.post("/threads", json!({ "metadata": metadata })).await.expect(200);
        serde_json::from_value(made["thread_id"].clone()).expect("an id")
    }

    pub(crate) fn engine(&self, thread: Uuid) -> Thread {
        self.client.thread(thread.to_string()).expect("an id")
    }

    /// Runs a program on a thread, to its end or its questions.
    pub(crate) async fn run(&self, thread: Uuid, name: &str, input: Value) {
        let request = self.engine(thread).invoke_json(name, &input);
        match timeout(DEADLINE, request.into_future()).await.expect("in time") {
            Ok(Outcome::Done(_) | Outcome::Interrupted(_))
            // Also where the result is of a kind that JSON has no word for.
            | Err(ClientError::RunFailed(_) | ClientError::Payload(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Answers the question of a thread.
    pub(crate) async fn resume(&self, thread: Uuid, answer: Value) {
        let request = self.engine(thread).resume_json(&answer).into_future();
        let _ = timeout(DEADLINE, request).await.expect("in time").expect("an outcome");
    }

    /// Starts a program that does not end, and waits until it is in progress.
    pub(crate) async fn start_endless(&self, thread: Uuid) -> RunId {
        let engine = self.engine(thread);
        let run = engine.invoke_json("endless", &json!({})).start().await.expect("started");
        let begun = async {
            while engine.overview().await.expect("readable").is_none_or(|it| it.run != run.run_id())
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, begun).await.expect("in time");
        run.run_id()
    }

    /// Marks a run as active, as those do that make one.
    pub(crate) async fn mark(&self, thread: Uuid, run: RunId) {
        self.mark_at(thread, run, times::now()).await;
    }

    /// The same of a run that was made at a time.
    pub(crate) async fn mark_at(&self, thread: Uuid, run: RunId, created_at: Millis) {
        let run_id = *run.as_uuid();
        let mark = ActiveRun { tenant: None, thread_id: thread, run_id, created_at };
        let table = self.shared.records().active(&Tenant::Standard, thread);
        table.put(run_id, &mark).await.expect("written");
    }
}

/// What coordinators say of the nodes of a program, if it is a graph.
fn drawing(name: &str) -> Option<Drawing> {
    let described = programs::registry().describe(name, times::now());
    let described = described.expect("known").expect("encodes");
    described.decode::<EntrypointRecord>("description").expect("a description").graph
}
