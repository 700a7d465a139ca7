//! The roles of a service: coordinator, worker, both, or gateway.

use std::sync::Arc;
use std::{fmt, io};

use rethread_client::ClientError;
use rethread_core::ids::IdError;
use rethread_gateway::GatewayError;
use rethread_runtime::{Node, NodeError};
use rethread_sdk::RegistryError;
use rethread_storage::{Durability, Storage, StorageError};

use crate::app::App;
use crate::embedded::{node_options, with_workers};
use crate::http::{HttpListener, HttpService};
use crate::operations::{AdminServer, MeasuredStorage, Meters, Service};
use crate::queues;
use crate::settings::{Settings, SettingsError};
use crate::storage;

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Drives threads.
    Coordinator,
    /// Runs tasks.
    Worker,
    /// Both, in one process; and a gateway, where the settings say so.
    Dev,
    /// Serves the HTTP API.
    Gateway,
}

impl Role {
    /// The word for it on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Worker => "worker",
            Self::Dev => "dev",
            Self::Gateway => "gateway",
        }
    }
}

/// Why an engine or service could not be started or stopped in order.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The code cannot be registered.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The storage cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The node cannot be started or stopped.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A request failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A name cannot be used.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A role that works with others needs a storage that processes can share.
    #[error(
        "a {role} shares its work with other processes: name a Redis with --redis or \
         RETHREAD_REDIS_URL, or use `dev`, which does everything in one process"
    )]
    NeedsRedis {
        /// The role.
        role: &'static str,
    },
    /// The HTTP API cannot be served.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The text for people, since that is what a `main` shows that returns the error.
impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Runs a role until the process is told to stop, then drains.
pub(crate) async fn serve(app: App, role: Role, settings: &Settings) -> Result<(), ServiceError> {
    if settings.redis_url.is_none() && role != Role::Dev {
        return Err(ServiceError::NeedsRedis { role: role.name() });
    }
    let mut stop = StopSignal::new()?;
    let admin = settings.admin_listen.map(AdminServer::start).transpose()?;
    let http = HttpListener::bind(role, settings).await?;
    let storage = storage::open(settings).await?;
    let durability = storage.durability();
    let meters = Arc::new(Meters::default());
    let storage: Arc<dyn Storage> = match &admin {
        Some(_) => Arc::new(MeasuredStorage::new(storage, Arc::clone(&meters))),
        None => storage,
    };
    let index = app.index();
    let mut options = node_options(app, Arc::clone(&storage), settings)?;
    options.coordinator = matches!(role, Role::Coordinator | Role::Dev);
    if matches!(role, Role::Worker | Role::Dev) {
        options = with_workers(options, settings)?;
    }
    if role == Role::Dev {
        queues::warn_of_unserved(&options);
    }
    let mut facts = Service {
        role: role.name(),
        durability: name_of(durability),
        node: options.node.clone(),
        coordinates: options.coordinator,
        works: !options.workers.is_empty(),
        lease_ttl: options.lease_ttl,
        dead_after: options.dead_after,
        gateway: None,
    };
    if let Some(admin) = &admin {
        tracing::info!(address = %admin.address(), "serving health and metrics");
        admin.starting("starting the node");
    }
    let node = Node::start(options).await?;
    let id = facts.node.clone();
    let http = match http {
        Some(listener) => Some(listener.serve(&storage, index, settings).await?),
        None => None,
    };
    facts.gateway = http.as_ref().map(HttpService::meters);
    if let Some(admin) = &admin {
        admin.watch(facts, node.probe(), Arc::clone(&storage), meters).await?;
    }
    // The node has handles of its own; what is left of this one ends with the listener.
    drop(storage);
    let ready = async {
        node.wait_ready().await?;
        tracing::info!(?role, node = %id, ?durability, namespace = %settings.namespace, "ready");
        std::future::pending().await
    };
    // It may be told to stop before it is ready, as where the storage went away meanwhile.
    let told: Result<_, ServiceError> = tokio::select! {
        signal = stop.wait() => Ok(signal),
        failed = ready => failed,
    };
    let signal = told?;
    if let Some(admin) = &admin {
        admin.begin_drain();
    }
    tracing::info!(signal, timeout_ms = settings.drain_timeout_ms, "draining");
    let drained = async {
        // What is asked over HTTP is answered by those that drain after it.
        if let Some(http) = http {
            http.drain().await;
        }
        node.drain().await
    };
    tokio::select! {
        drained = drained => drained?,
        signal = stop.wait() => tracing::warn!(signal, "stopping without waiting any longer"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// What an acknowledged write survives, as metrics say it.
fn name_of(durability: Durability) -> &'static str {
    match durability {
        Durability::Volatile => "volatile",
        Durability::Process => "process",
        Durability::Disk => "disk",
        _ => "replicated",
    }
}

/// Ctrl-C and, on Unix, SIGTERM.
struct StopSignal {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal and names it.
    #[cfg(unix)]
    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) -> &'static str {
        // An error means that there is no way to be told; then only a kill stops the service.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_their_text_where_main_returns_them() {
        let locked = StorageError::Locked { path: "data".into() };
        let text = locked.to_string();
        assert!(text.starts_with("data is in use by another process, or by an engine"), "{text}");
        assert_eq!(format!("{:?}", ServiceError::from(locked.clone())), text);
        assert_eq!(format!("{:?}", ClientError::from(locked)), text);
        let error = RegistryError::DuplicateTask { name: "ask".into() };
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}
