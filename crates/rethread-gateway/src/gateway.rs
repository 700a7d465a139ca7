use std::future::Future;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use rethread_client::Client;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::ApiError;
use crate::listener::{self, Pace};
use crate::meters::GatewayMeters;
use crate::operation::Routes;
use crate::options::GatewayOptions;
use crate::shared::Shared;
use crate::{auth, cors, hosts, notices, openapi, routes, runs, threads};

/// Serves the HTTP API on a storage.
///
/// ```no_run
/// # async fn example(client: rethread_client::Client) -> std::io::Result<()> {
/// use rethread_gateway::{Gateway, GatewayOptions};
/// use tokio::net::TcpListener;
///
/// let gateway = Gateway::new(client, GatewayOptions::default());
/// let listener = TcpListener::bind("127.0.0.1:8123").await?;
/// gateway.serve(listener, std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gateway {
    pub(crate) shared: Shared,
}

impl Gateway {
    /// A gateway to what the client speaks to.
    pub fn new(client: Client, options: GatewayOptions) -> Self {
        let Routes { operations, .. } = routes::all();
        let document = openapi::document(&operations).to_string().into();
        let ids = operations.iter().map(|operation| operation.id);
        Self { shared: Shared::new(client, options, ids, document) }
    }

    /// Its operations, to be served or to be put into another router.
    pub fn router(&self) -> Router {
        let Routes { router, .. } = routes::all();
        router
            .fallback(async || ApiError::not_found("Not Found"))
            .method_not_allowed_fallback(async || {
                ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
            })
            .layer(from_fn_with_state(self.shared.clone(), auth::authenticate))
            .layer(from_fn_with_state(self.shared.clone(), cors::apply))
            .layer(from_fn_with_state(self.shared.clone(), hosts::check))
            .layer(from_fn(secure))
            .with_state(self.shared.clone())
    }

    /// What it has answered, for metrics.
    pub fn meters(&self) -> GatewayMeters {
        self.shared.meters().clone()
    }

    /// Serves connections until `shutdown` ends. Then it takes no further ones, cuts streams,
    /// which clients join again elsewhere, and answers the requests in progress. Meanwhile it
    /// removes threads that have expired, begins runs that were put off, notes the ends of runs that
    /// nobody reads, and hears of what other gateways do.
    ///
    /// # Cancel safety
    /// Dropping the future ends all connections; runs go on.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        // Ends with the future.
        let mut background = JoinSet::new();
        background.spawn(threads::sweep(self.shared.clone()));
        background.spawn(runs::sweep(self.shared.clone()));
        background.spawn(runs::sweep_passed(self.shared.clone()));
        background.spawn(runs::sweep_ended(self.shared.clone()));
        background.spawn(notices::read_mail(self.shared.clone()));
        let options = self.shared.options();
        let pace = Pace {
            connections_max: options.connections_max,
            head_time: options.head_time,
            kept_for: None,
        };
        let (open, draining) = (self.shared.meters().connections(), self.shared.draining());
        let drain = || self.shared.begin_drain();
        listener::serve(listener, self.router(), pace, open, draining, shutdown, drain).await;
    }
}

/// Answers are what they say they are, and nobody keeps them.
async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
