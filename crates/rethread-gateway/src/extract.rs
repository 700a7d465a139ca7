//! What handlers take out of a request, and the refusals of what does not fit.

use axum::RequestPartsExt;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;
use crate::json::Several;
use crate::limits;

/// The JSON body of a request. A member that is null is not given, whatever the content type
/// says.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// Members that a null is a value of.
const NULLABLE: [&str; 1] = ["values"];

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = limits::read(request).await?;
        parse(&bytes).map(Self)
    }
}

/// The JSON body of a request that may do without one, which is like `{}`.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = limits::read(request).await?;
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        parse(&bytes).map(Self)
    }
}

/// A JSON list ([`Several`]) as the body of a request, whose elements are like a [`Body`] each.
#[derive(Debug)]
pub(crate) struct BatchBody<T>(pub(crate) Vec<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for BatchBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = limits::read(request).await?;
        let Several(list): Several<Value> = fit(json(&bytes)?)?;
        Ok(Self(list.into_iter().map(members).collect::<Result<_, _>>()?))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    members(json(bytes)?)
}

fn json(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|_| ApiError::invalid("Invalid JSON in request body"))
}

/// Reads an object. Serde would take a list of its members as well.
fn members<T: DeserializeOwned>(mut value: Value) -> Result<T, ApiError> {
    let Some(members) = value.as_object_mut() else {
        return Err(ApiError::invalid("the body of the request must be a JSON object"));
    };
    drop_nulls(members);
    fit(value)
}

fn fit<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(value).map_err(|error| misfit(&error))
}

fn drop_nulls(members: &mut serde_json::Map<String, Value>) {
    members.retain(|name, value| !value.is_null() || NULLABLE.contains(&name.as_str()));
}

fn misfit<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> ApiError {
    let path = error.path().to_string();
    match path.as_str() {
        "." => ApiError::invalid(error.inner()),
        path => ApiError::invalid(format_args!("{path}: {}", error.inner())),
    }
}

/// Parameters that are lists: given once for each member, or once with the members as a JSON list
/// or with commas between them.
const LISTS: [&str; 3] = ["stream_mode", "stream_modes", "select"];

/// The query string of a request. A parameter without a value is not given.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let misfit = |error| ApiError::invalid(format_args!("query: {error}"));
    let given: Vec<(String, String)> = serde_html_form::from_str(text).map_err(misfit)?;
    let given: Vec<_> = given
        .into_iter()
        .flat_map(|(name, value)| {
            let values = if LISTS.contains(&name.as_str()) { listed(value) } else { vec![value] };
            values.into_iter().map(move |value| (name.clone(), value))
        })
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let text = serde_html_form::to_string(given).map_err(ApiError::internal)?;
    serde_html_form::from_str(&text).map_err(misfit)
}

fn listed(value: String) -> Vec<String> {
    match serde_json::from_str(&value) {
        Ok(members) => members,
        Err(_) => value.split(',').map(|member| member.trim().to_owned()).collect(),
    }
}

/// What the path of a request names: UUIDs and texts, as a tuple if there are several.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let path = parts.extract::<axum::extract::Path<T>>().await;
        path.map(|axum::extract::Path(named)| Self(named)).map_err(|it| unfit_path(&it))
    }
}

/// None where the path names nothing.
impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> OptionalFromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, ApiError> {
        let path = parts.extract::<Option<axum::extract::Path<T>>>().await;
        let named = path.map_err(|it| unfit_path(&it))?;
        Ok(named.map(|axum::extract::Path(named)| Self(named)))
    }
}

fn unfit_path(rejection: &PathRejection) -> ApiError {
    ApiError::invalid(format_args!("path: {}", rejection.body_text()))
}
