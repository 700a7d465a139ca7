//! Which pages may use the API from a browser.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::shared::Shared;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS");
/// What clients send; other headers are allowed as well if a browser asks for them.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, cache-control, content-type, last-event-id, prefer, x-api-key, x-auth-scheme",
);
/// What clients read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "content-location, location, x-pagination-total, x-pagination-next, retry-after",
);
/// How long a browser may remember an answer, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
const YES: HeaderValue = HeaderValue::from_static("true");
const PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// The origins whose pages may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origins {
    All,
    Only(Vec<String>),
}

impl Origins {
    /// `*` is all of them.
    pub(crate) fn named<O: AsRef<str>>(origins: impl IntoIterator<Item = O>) -> Self {
        let list: Vec<_> = origins.into_iter().map(|it| it.as_ref().to_ascii_lowercase()).collect();
        if list.iter().any(|origin| origin == "*") { Self::All } else { Self::Only(list) }
    }

    /// Whether a page of this origin may; one that came from here may in any case.
    fn admit(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Self::Only(list) = self else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let is_own = origin.split_once("://").map(|(_, place)| place) == host;
        is_own || list.contains(&origin.to_ascii_lowercase())
    }
}

/// Answers the questions that browsers ask beforehand, and refuses pages that may not.
///
/// What a page may not read it should not cause either, so its requests are refused, even those
/// that browsers send without asking.
pub(crate) async fn apply(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let origins = &shared.options().cors_origins;
    let headers = request.headers();
    let Some(origin) = headers.get(ORIGIN).cloned() else { return next.run(request).await };
    if !origins.admit(&origin, headers) {
        let detail = "pages of this origin may not use the API (setting `http_cors_origins`)";
        return ApiError::forbidden(detail).into_response();
    }
    let is_question =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_question { preflight(headers) } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    match origins {
        Origins::All => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Origins::Only(_) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
    }
    response
}

fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(HEADERS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
    if asked.contains_key(PRIVATE_NETWORK) {
        headers.insert(ALLOW_PRIVATE_NETWORK, YES);
    }
    response
}
