//! Bodies of answers that take their time.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use serde_json::Value;
use tokio::time::timeout;

use super::Frame;

/// The stream cannot go on here; the client is to come again, which it does when the connection
/// breaks.
#[derive(Debug, thiserror::Error)]
#[error("the stream was cut; join it again with the id of the last event")]
pub(crate) struct Cut;

/// An answer with events: what comes, and a sign of life when nothing comes.
pub(crate) fn events(
    heartbeat: Duration,
    frames: impl Stream<Item = Result<Frame, Cut>> + Send + 'static,
) -> Response {
    let frames = frames.map(|frame| frame.map(|frame| frame.encode())).boxed();
    let body = with_signs_of_life(frames, heartbeat, Bytes::from_static(b": heartbeat\r\n\r\n"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, HttpBody::from_stream(body)).into_response()
}

/// An answer with one value, that is waited for: until it comes, line breaks keep the connection
/// open, which readers of JSON pass over.
pub(crate) fn waiting(heartbeat: Duration, value: BoxFuture<'static, Value>) -> Response {
    let value = stream::once(async move { Ok::<_, Infallible>(value.await.to_string().into()) });
    let body = with_signs_of_life(value.boxed(), heartbeat, Bytes::from_static(b"\n"));
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (headers, HttpBody::from_stream(body)).into_response()
}

fn with_signs_of_life<E: Send + 'static>(
    items: BoxStream<'static, Result<Bytes, E>>,
    every: Duration,
    sign: Bytes,
) -> impl Stream<Item = Result<Bytes, E>> + Send + 'static {
    stream::unfold(items, move |mut items| {
        let sign = sign.clone();
        async move {
            match timeout(every, items.next()).await {
                Ok(item) => item.map(|item| (item, items)),
                Err(_) => Some((Ok(sign), items)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_between_signs_of_life() {
        let slow = stream::iter(1..=3).then(async |n: u8| {
            tokio::time::sleep(Duration::from_secs(7)).await;
            Ok::<_, Infallible>(Bytes::from(vec![b'0' + n]))
        });
        let sign = Bytes::from_static(b".");
        let body = with_signs_of_life(slow.boxed(), Duration::from_secs(5), sign);
        let sent: Vec<_> = body.map(|item| item.unwrap_or_default()).collect().await;
        assert_eq!(sent.concat(), b".1.2.3");
    }
}
