//! Serving probes and scrapers: a bounded number of connections, each for a bounded time, so that
//! nobody who only holds connections open keeps the others out.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at the same time; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send the head of a request.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// How long a connection is kept for further requests.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How long the last answer on it may take to be read.
const LAST_MAX: Duration = Duration::from_secs(10);
/// Wait after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until the future is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { continue };
        let stream = accept(&listener).await;
        let router = router.clone();
        tokio::spawn(async move {
            serve_one(stream, router).await;
            drop(permit);
        });
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

async fn serve_one(stream: TcpStream, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = sleep(KEPT_FOR) => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_MAX, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection for health and metrics ended early");
    }
}
