//! Why a request was refused, as clients read it: `{"detail": "text"}`.

use std::fmt;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rethread_client::{ClientError, Refusal, StorageError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a handler gives.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// A request that was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: String,
    retry_after_s: Option<u64>,
}

/// The body of every answer that is no success.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorBody {
    /// What is wrong and, where that helps, what to do.
    pub(crate) detail: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, detail: impl fmt::Display) -> Self {
        Self { status, detail: detail.to_string(), retry_after_s: None }
    }

    /// 400: it cannot be done in this state of things.
    pub(crate) fn bad_request(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing, or it is not the caller's.
    pub(crate) fn not_found(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: something else stands in the way.
    pub(crate) fn conflict(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: the request is not of the form it should have.
    pub(crate) fn invalid(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 401: it is not known who asks.
    pub(crate) fn unauthorized(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// 403: who asks may not do this.
    pub(crate) fn forbidden(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// It may be done later: after so many seconds it is worth another try.
    pub(crate) fn busy(status: StatusCode, detail: impl fmt::Display, retry_after_s: u64) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(status, detail) }
    }

    fn unavailable(detail: impl fmt::Display, retry_after_s: u64) -> Self {
        Self::busy(StatusCode::SERVICE_UNAVAILABLE, detail, retry_after_s)
    }

    /// What went wrong is not the caller's business, but the operator's.
    pub(crate) fn internal(error: impl fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error: the gateway's log tells more")
    }

    /// 507: nothing can be stored until the operator has made room.
    fn full(error: impl fmt::Display) -> Self {
        tracing::error!(%error, "a request could not be stored");
        let detail = "the storage is full: nothing was stored; try again when there is room";
        Self::busy(StatusCode::INSUFFICIENT_STORAGE, detail, 5)
    }

    fn storage(error: &StorageError) -> Self {
        match error {
            StorageError::Full { .. } => Self::full(error),
            StorageError::Unavailable { .. }
            | StorageError::Unknown { .. }
            | StorageError::Overloaded { .. }
            | StorageError::RolledBack { .. } => {
                tracing::warn!(%error, "a request could not be served");
                Self::unavailable("storage cannot take the request now; try again later", 1)
            }
            StorageError::TooLong { .. } => Self::invalid(error),
            _ => Self::internal(error),
        }
    }

    fn refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Busy { .. } | Refusal::ThreadExists | Refusal::TooManyWaiting { .. } => {
                Self::conflict(refusal)
            }
            Refusal::NotRunning { .. } => Self::not_found(refusal),
            Refusal::InvalidInput { .. } | Refusal::UnknownEntrypoint { .. } => {
                Self::invalid(refusal)
            }
            Refusal::Corrupt { .. } => Self::internal(refusal),
            _ => Self::bad_request(refusal),
        }
    }
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused(refusal) => Self::refusal(refusal),
            ClientError::CheckpointNotFound { .. } => Self::not_found("Checkpoint not found"),
            ClientError::Overloaded { retry_after, .. } => {
                Self::unavailable(&error, retry_after.as_secs().max(1))
            }
            ClientError::PayloadTooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, &error),
            ClientError::Storage(error) | ClientError::Unconfirmed { source: error, .. } => {
                Self::storage(error)
            }
            ClientError::Changing { .. } => Self::conflict(&error),
            ClientError::Store(failure) if tells_of_room(&failure.message) => {
                Self::full(&failure.message)
            }
            ClientError::Store(failure) if failure.retryable == Some(false) => {
                Self::invalid(&failure.message)
            }
            ClientError::Store(failure) => {
                tracing::warn!(error = %failure.message, "the store could not serve a request");
                Self::unavailable("the store cannot take the request now; try again later", 1)
            }
            ClientError::Payload(_) | ClientError::InvalidId(_) | ClientError::ZeroLimit { .. } => {
                Self::invalid(&error)
            }
            _ => Self::internal(&error),
        }
    }
}

/// Whether a failure of the store is that the storage has no room: it tells so in the words of the
/// error of the storage.
fn tells_of_room(message: &str) -> bool {
    message.starts_with(&StorageError::Full { reason: String::new() }.to_string())
}

/// An answer that JSON cannot say.
impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, detail, retry_after_s } = self;
        let mut response = (status, Json(ErrorBody { detail })).into_response();
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
