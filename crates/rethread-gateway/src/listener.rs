//! Serving connections: a bounded number of them, each held to a pace, so that nobody who only holds
//! connections open keeps the others out.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::limits::{Draining, told};

/// Most bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Wait after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long the last answer may take to be read on a connection that is not kept.
const LAST_MAX: Duration = Duration::from_secs(10);

/// What the connections of a listener are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Most at a time; further ones wait to be accepted.
    pub connections_max: usize,
    /// How long a client may take to send the head of a request, and how long a connection is
    /// kept without one.
    pub head_time: Duration,
    /// How long a connection is kept for further requests. None: for as long as there are some.
    pub kept_for: Option<Duration>,
}

/// Serves a router until the future is dropped.
///
/// # Cancel safety
/// Dropping the future ends all connections.
pub async fn serve_router(listener: TcpListener, router: Router, pace: Pace) -> Infallible {
    // Never told to stop.
    let (_sender, draining) = watch::channel(false);
    let (open, stop) = (Arc::default(), std::future::pending());
    serve(listener, router, pace, &open, draining, stop, || {}).await;
    std::future::pending().await
}

/// Serves until `stop` ends, then until the connections have ended; `drain` is called between.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    pace: Pace,
    open: &Arc<AtomicUsize>,
    draining: Draining,
    stop: impl Future<Output = ()>,
    drain: impl FnOnce(),
) {
    let permits = Arc::new(Semaphore::new(pace.connections_max));
    // Ends with the future.
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            (permit, stream) = next(&permits, &listener) => {
                let (router, draining) = (router.clone(), draining.clone());
                let counted = Counted::new(Arc::clone(open), permit);
                connections.spawn(async move {
                    serve_one(stream, router, pace, draining).await;
                    drop(counted);
                });
            }
        }
    }
    drop(listener);
    drain();
    while connections.join_next().await.is_some() {}
}

/// A connection that is open.
struct Counted {
    open: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

impl Counted {
    fn new(open: Arc<AtomicUsize>, permit: OwnedSemaphorePermit) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self { open, _permit: permit }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn next(
    permits: &Arc<Semaphore>,
    listener: &TcpListener,
) -> (OwnedSemaphorePermit, TcpStream) {
    loop {
        // Never closed.
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else { continue };
        return (permit, accept(listener).await);
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client went away before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection, trying again");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn serve_one(stream: TcpStream, router: Router, pace: Pace, mut draining: Draining) {
    // An event should not wait for the next one to fill a packet.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it was served");
        return;
    }
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    http.header_read_timeout(pace.head_time).max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended: Result<(), hyper::Error> = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = over(pace.kept_for) => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_MAX, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends when the time is over, if it ends.
async fn over(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}
