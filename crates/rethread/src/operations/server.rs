use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rethread_core::ids::NodeId;
use rethread_gateway::{GatewayMeters, Pace, serve_router};
use rethread_runtime::NodeProbe;
use rethread_storage::Storage;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::exposition;
use super::health::{self, Health};
use super::meters::Meters;
use super::metrics;
use super::sample::Sampler;

/// What probes and scrapers are held to.
const PACE: Pace = Pace {
    connections_max: 64,
    head_time: Duration::from_secs(5),
    kept_for: Some(Duration::from_secs(60)),
};

/// Serves health and metrics until it is dropped.
#[derive(Debug)]
pub(crate) struct AdminServer {
    shared: Arc<Shared>,
    runtime: Handle,
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

/// What the answers are about.
#[derive(Debug)]
pub(super) struct Shared {
    stage: Mutex<Stage>,
    is_draining: AtomicBool,
}

/// How far the service has come.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// There is no node yet; what is being done.
    Starting(&'static str),
    /// There is a node.
    Running(Arc<Watched>),
}

/// A node, and what its health is judged by.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) service: Service,
    pub(super) probe: NodeProbe,
    /// A handle of the listener's own.
    pub(super) storage: Arc<dyn Storage>,
    pub(super) meters: Arc<Meters>,
    pub(super) sampler: Sampler,
}

/// Facts about a service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) role: &'static str,
    pub(crate) durability: &'static str,
    pub(crate) node: NodeId,
    pub(crate) coordinates: bool,
    pub(crate) works: bool,
    pub(crate) lease_ttl: Duration,
    pub(crate) dead_after: Duration,
    /// What it answers over HTTP, if it does.
    pub(crate) gateway: Option<GatewayMeters>,
}

impl Shared {
    pub(super) fn starting(what: &'static str) -> Self {
        Self { stage: Mutex::new(Stage::Starting(what)), is_draining: AtomicBool::new(false) }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    pub(super) fn begin_drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }
}

impl AdminServer {
    /// Listens, and answers that the service starts.
    ///
    /// # Errors
    /// When the address is taken or not ours, with the address in the text.
    pub(crate) fn start(address: SocketAddr) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("admin_listen {address}: {error}"))
        };
        let listener = TcpListener::bind(address).map_err(named)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let shared = Arc::new(Shared::starting("opening the storage"));
        let (stop, stopped) = oneshot::channel::<()>();
        let router = router(Arc::clone(&shared));
        thread::Builder::new().name("rethread-admin".into()).spawn(move || {
            runtime.block_on(async move {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, "cannot serve health and metrics"),
                };
                tokio::select! {
                    never = serve_router(listener, router, PACE) => match never {},
                    // An error says that the sender is gone, which is the signal.
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { shared, runtime: handle, address, _stop: stop })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what is being done before there is a node.
    pub(crate) fn starting(&self, what: &'static str) {
        self.shared.set(Stage::Starting(what));
    }

    /// Answers for a node from now on.
    ///
    /// # Errors
    /// When the storage gives no further connection.
    pub(crate) async fn watch(
        &self,
        service: Service,
        probe: NodeProbe,
        storage: Arc<dyn Storage>,
        meters: Arc<Meters>,
    ) -> rethread_storage::Result<()> {
        let attached = self.runtime.spawn(async move { storage.attach().await }).await;
        let unavailable = |_| rethread_storage::StorageError::Unavailable {
            reason: "the listener for health and metrics has ended".into(),
        };
        let storage = attached.map_err(unavailable)??;
        let sampler = Sampler::default();
        let watched = Watched { service, probe, storage, meters, sampler };
        self.shared.set(Stage::Running(Arc::new(watched)));
        Ok(())
    }

    /// Says that the service was told to stop, so that nothing more is sent to it.
    pub(crate) fn begin_drain(&self) {
        self.shared.begin_drain();
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/livez",
            get(|State(shared): At| async move { answer(health::live(&shared).await) }),
        )
        .route(
            "/startupz",
            get(|State(shared): At| async move { answer(health::started(&shared)) }),
        )
        .route(
            "/readyz",
            get(|State(shared): At| async move { answer(health::ready(&shared).await) }),
        )
        .route("/metrics", get(serve_metrics))
        .with_state(shared)
}

type At = State<Arc<Shared>>;

fn answer(health: Health) -> Response {
    let status = if health.is_ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&health).expect("invariant: texts and booleans are JSON");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn serve_metrics(State(shared): At) -> Response {
    let Stage::Running(watched) = shared.stage() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response();
    };
    let text = metrics::render(&watched, shared.is_draining()).await;
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response()
}
