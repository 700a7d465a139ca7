//! The HTTP API as a part of a service.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rethread_client::Client;
use rethread_gateway::{Auth, Gateway, GatewayMeters, GatewayOptions, WebhookRules};
use rethread_storage::Storage;
use rethread_storage::store::StoreIndex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::service::{Role, ServiceError};
use crate::settings::Settings;

/// Where a gateway listens that is not told.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8123);
/// How long requests in progress may take to be answered when the service stops.
const LAST_MAX: Duration = Duration::from_secs(10);

/// An address that is ours already, for as long as there is nothing to serve on it.
#[derive(Debug)]
pub(crate) struct HttpListener {
    listener: TcpListener,
    address: SocketAddr,
}

/// A gateway that serves until it drains or is dropped.
#[derive(Debug)]
pub(crate) struct HttpService {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    meters: GatewayMeters,
}

impl HttpListener {
    /// Listens, if this role serves the API.
    ///
    /// # Errors
    /// When the address is taken or not ours, with the address in the text.
    pub(crate) async fn bind(role: Role, settings: &Settings) -> io::Result<Option<Self>> {
        let address = match role {
            Role::Gateway => settings.http_listen.unwrap_or(ADDRESS),
            Role::Dev => match settings.http_listen {
                Some(address) => address,
                None => return Ok(None),
            },
            Role::Coordinator | Role::Worker => return Ok(None),
        };
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("http_listen {address}: {error}"))
        };
        let listener = TcpListener::bind(address).await.map_err(named)?;
        let address = listener.local_addr()?;
        Ok(Some(Self { listener, address }))
    }

    /// Serves the API on this storage.
    ///
    /// # Errors
    /// When others could use it without a token, or the storage cannot be asked.
    pub(crate) async fn serve(
        self,
        storage: &Arc<dyn Storage>,
        index: Option<StoreIndex>,
        settings: &Settings,
    ) -> Result<HttpService, ServiceError> {
        let Self { listener, address } = self;
        let client = Client::from_storage_with(storage.attach().await?, settings.client_options());
        let client = match index {
            Some(index) => client.with_store_index(index),
            None => client,
        };
        let auth = Auth::of_listener(&client, address, settings.http_insecure).await?;
        // Whoever serves everybody also serves every name.
        let is_local = address.ip().is_loopback() && auth == Auth::Off && !settings.http_insecure;
        let options = options(settings).auth(auth).only_local_names(is_local);
        let gateway = Gateway::new(client, options);
        let meters = gateway.meters();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            // An error says that the sender is gone, which is the signal as well.
            let stopped = async { drop(stopped.await) };
            gateway.serve(listener, stopped).await;
        });
        tracing::info!(%address, ?auth, "serving the HTTP API");
        Ok(HttpService { stop, served, meters })
    }
}

impl HttpService {
    /// What it has answered.
    pub(crate) fn meters(&self) -> GatewayMeters {
        self.meters.clone()
    }

    /// Takes no further connections, cuts streams, which their readers join elsewhere, and
    /// answers the requests in progress.
    pub(crate) async fn drain(self) {
        let Self { stop, mut served, .. } = self;
        // An error says that it has ended by itself.
        let _ = stop.send(());
        if timeout(LAST_MAX, &mut served).await.is_err() {
            tracing::warn!("requests over HTTP are left without an answer");
            served.abort();
        }
    }
}

fn options(settings: &Settings) -> GatewayOptions {
    let options = GatewayOptions::default()
        .body_bytes_max(settings.http_body_bytes_max)
        .connections_max(settings.http_connections_max)
        .requests_max(settings.http_requests_max)
        .streams_max(settings.http_streams_max)
        .token_streams_max(settings.http_token_streams_max)
        .body_items_max(settings.http_body_items_max)
        .answer_bytes_max(settings.http_answer_bytes_max)
        .coordinator_time(Duration::from_millis(settings.http_coordinator_ms))
        .cors_origins(&settings.http_cors_origins)
        .heartbeat(Duration::from_millis(settings.http_heartbeat_ms));
    // The settings were checked: what is told is signed.
    let secret = settings.http_webhook_secret.as_ref().and_then(|it| it.reveal().parse().ok());
    match secret {
        Some(secret) if !settings.http_webhook_hosts.is_empty() => {
            let rules = WebhookRules::to_hosts(settings.http_webhook_hosts.iter().cloned());
            options.webhooks(rules.signed_with(secret))
        }
        _ => options,
    }
}
