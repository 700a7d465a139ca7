use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::time::timeout;

use super::nesting::{DEPTH_MAX, Excess, excess};
use crate::error::{ApiError, ApiResult};

/// What is taken of the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BodyLimits {
    pub(crate) bytes_max: usize,
    /// Elements and members, at all levels.
    pub(crate) items_max: usize,
    /// How long it may take to come.
    pub(crate) time: Duration,
}

/// The body of a request, all of it.
///
/// # Errors
/// 413, 408 and 422 for one that is too large, too slow, or too deep or has too many items.
pub(crate) async fn read(request: Request) -> ApiResult<Bytes> {
    let (parts, body) = request.into_parts();
    let Some(limits) = parts.extensions.get::<BodyLimits>() else {
        return Err(ApiError::internal("the limits of a body are not known"));
    };
    let taken = timeout(limits.time, take(body, limits.bytes_max)).await.map_err(|_| {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body of the request did not come in time")
    })?;
    let bytes = taken?;
    match excess(&bytes, limits.items_max) {
        None => Ok(bytes),
        Some(Excess::Depth) => Err(ApiError::invalid(format_args!(
            "the body is nested deeper than {DEPTH_MAX} levels"
        ))),
        Some(Excess::Items) => Err(ApiError::invalid(format_args!(
            "the body has more than {} elements and members",
            limits.items_max
        ))),
    }
}

async fn take(body: Body, bytes_max: usize) -> ApiResult<Bytes> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut taken = BytesMut::with_capacity(announced.min(bytes_max));
    let mut size = 0_usize;
    let mut chunks = body.into_data_stream();
    if announced <= bytes_max {
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk
                .map_err(|_| ApiError::bad_request("the body of the request could not be read"))?;
            size = size.saturating_add(chunk.len());
            if size > bytes_max {
                break;
            }
            taken.extend_from_slice(&chunk);
        }
        if size <= bytes_max {
            return Ok(taken.freeze());
        }
    }
    drop(taken);
    // A client that still sends does not read: what is not much too large is let come, and
    // thrown away, so that it hears why.
    while size <= bytes_max.saturating_mul(4) {
        let Some(Ok(chunk)) = chunks.next().await else { break };
        size = size.saturating_add(chunk.len());
    }
    let detail = format_args!("the body is larger than {bytes_max} bytes");
    Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
}
