use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

use super::in_flight::Permit;

/// Becomes true when the gateway is told to stop.
pub(crate) type Draining = watch::Receiver<bool>;

/// An answer that is not whole: the gateway stops, and the client is to come again, which leads
/// it to another.
#[derive(Debug, thiserror::Error)]
#[error("the gateway stops; ask again, or join the stream again with the id of the last event")]
struct Stopped;

type Chunk = Result<Bytes, axum::BoxError>;

/// An answer that gives its place back when all of it has been taken. One that takes its time is
/// cut when the gateway is told to stop: the connection breaks, which tells clients that there is
/// more to come.
pub(crate) fn hold(response: Response, permit: Permit, draining: Draining) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        let chunks = body.into_data_stream().map(|chunk| chunk.map_err(Into::into)).boxed();
        Body::from_stream(held(chunks, permit, draining))
    })
}

fn held(
    chunks: BoxStream<'static, Chunk>,
    permit: Permit,
    draining: Draining,
) -> impl futures::Stream<Item = Chunk> + Send + 'static {
    stream::unfold(Some((chunks, permit, draining)), async |state| {
        let (mut chunks, permit, mut draining) = state?;
        let chunk = tokio::select! {
            biased;
            chunk = chunks.next() => chunk?,
            () = told(&mut draining) => return Some((Err(Stopped.into()), None)),
        };
        Some((chunk, Some((chunks, permit, draining))))
    })
}

/// Ends when the gateway is told to stop.
pub(crate) async fn told(draining: &mut Draining) {
    if draining.wait_for(|is_draining| *is_draining).await.is_err() {
        // Nobody is left who could tell.
        std::future::pending::<()>().await;
    }
}
