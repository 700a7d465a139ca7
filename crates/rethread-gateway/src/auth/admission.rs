//! What stands before every operation.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Auth;
use super::known::{Bearer, Grant};
use super::scope::Scope;
use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};
use crate::limits::{self, Kind, Owner};
use crate::shared::Shared;

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The name of the operation.
    pub(crate) operation: &'static str,
    /// None: it is open to everybody.
    pub(crate) scope: Option<Scope>,
    /// What it takes up while it is answered.
    pub(crate) kind: Kind,
}

/// A request that has passed [`authenticate`].
#[derive(Debug, Clone)]
struct Visitor {
    shared: Shared,
    bearer: ApiResult<Option<Bearer>>,
}

/// Finds out whose token a request has.
pub(crate) async fn authenticate(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let bearer = match shared.options().auth {
        Auth::Off => Ok(None),
        Auth::Tokens => shared.known().bearer(request.headers()).await.map(Some),
    };
    request.extensions_mut().insert(Visitor { shared, bearer });
    next.run(request).await
}

/// Lets a request through to its operation, if it may pass and there is room for it.
pub(crate) async fn admit(needs: Needs, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let Some(Visitor { shared, bearer }) = request.extensions_mut().remove::<Visitor>() else {
        return ApiError::internal("a request came past its authentication").into_response();
    };
    let response = match enter(&shared, &needs, bearer, &mut request) {
        Ok(permit) => {
            let response = next.run(request).await;
            limits::hold(response, permit, shared.draining())
        }
        Err(refusal) => refusal.into_response(),
    };
    shared.meters().answered(needs.operation, response.status(), began.elapsed());
    response
}

fn enter(
    shared: &Shared,
    needs: &Needs,
    bearer: ApiResult<Option<Bearer>>,
    request: &mut Request,
) -> ApiResult<limits::Permit> {
    let grant = check(scope_of(needs, request.uri()), bearer)?;
    if let Some(grant) = &grant {
        request.extensions_mut().insert(grant.tenant.clone());
    }
    request.extensions_mut().insert(shared.options().body_limits());
    let tenant = request.extensions().get::<Tenant>().cloned().unwrap_or_default();
    let token = grant.map(|grant| Arc::clone(&grant.token));
    shared.in_flight().enter(Owner { tenant, token }, needs.kind)
}

/// The scope that a request needs: to stop a run by going away is no reading.
fn scope_of(needs: &Needs, uri: &Uri) -> Option<Scope> {
    let members = serde_html_form::from_str::<Vec<(String, String)>>(uri.query().unwrap_or(""));
    let stops = |(name, value): &(String, String)| {
        name == "cancel_on_disconnect" && !matches!(&*value.to_ascii_lowercase(), "0" | "false")
    };
    match needs.scope {
        // What cannot be read is refused as such later.
        Some(Scope::Read) if members.is_ok_and(|it| it.iter().any(stops)) => Some(Scope::Write),
        scope => scope,
    }
}

/// What the token of a request allows; none where no token is needed.
fn check(scope: Option<Scope>, bearer: ApiResult<Option<Bearer>>) -> ApiResult<Option<Arc<Grant>>> {
    let Some(scope) = scope else { return Ok(None) };
    match bearer? {
        None => Ok(None),
        Some(Bearer::Nobody) => Err(ApiError::unauthorized(
            "a token is needed: send it as `x-api-key: TOKEN` or `authorization: Bearer TOKEN`",
        )),
        Some(Bearer::Unknown) => {
            Err(ApiError::unauthorized("the token is unknown, was revoked or has expired"))
        }
        Some(Bearer::Known(grant)) if scope.is_met_by(&grant.scopes) => Ok(Some(grant)),
        Some(Bearer::Known(_)) => Err(ApiError::forbidden(format_args!(
            "the token lacks the scope `{scope}`, which this needs"
        ))),
    }
}
