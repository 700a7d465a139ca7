//! A gateway behind a real listener.

use std::net::SocketAddr;

use reqwest::{Client as Http, RequestBuilder};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::bench::{Bench, DEADLINE};
use crate::{Auth, Gateway, GatewayOptions, Scope, TokenRequest, Tokens};

pub(crate) struct Served {
    pub(crate) bench: Bench,
    pub(crate) address: SocketAddr,
    pub(crate) http: Http,
    pub(crate) gateway: Gateway,
    pub(crate) tokens: Tokens,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(options: GatewayOptions) -> Self {
        let bench = Bench::start().await;
        let gateway = Gateway::new(bench.client.clone(), options);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = gateway.clone();
        let served = tokio::spawn(async move {
            serving.serve(listener, async { drop(stopped.await) }).await;
        });
        let tokens = Tokens::new(&bench.client);
        let http = Http::builder().no_proxy().timeout(DEADLINE).build().expect("a client");
        Self { bench, address, http, gateway, tokens, stop, served }
    }

    /// One that asks for tokens.
    pub(crate) async fn guarded() -> Self {
        let fresh = std::time::Duration::from_millis(200);
        Self::start(GatewayOptions::default().auth(Auth::Tokens).tokens_fresh(fresh)).await
    }

    pub(crate) async fn token(&self, tenant: Option<&str>, scopes: &[Scope]) -> String {
        let mut request = TokenRequest::new(scopes.iter().copied());
        request.tenant = tenant.map(str::to_owned);
        self.tokens.create(request).await.expect("made").reveal().to_owned()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    /// Tells it to stop.
    pub(crate) fn stop(self) -> Stopping {
        // An error says that it has ended.
        let _ = self.stop.send(());
        Stopping { _bench: self.bench, served: self.served }
    }
}

/// A gateway that was told to stop.
pub(crate) struct Stopping {
    _bench: Bench,
    served: JoinHandle<()>,
}

impl Stopping {
    /// Waits until it has.
    pub(crate) async fn ended(self) {
        timeout(DEADLINE, self.served).await.expect("in time").expect("no panic");
    }
}
