use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rethread_client::Client;
use rethread_core::ids::NodeId;
use rethread_gateway::{Gateway, GatewayOptions};
use rethread_runtime::{Node, NodeOptions, PoolOptions};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::store::StoreIndex;
use uuid::Uuid;

use crate::app::App;
use crate::queues;
use crate::service::ServiceError;
use crate::settings::{DataSync, Settings};
use crate::storage;

/// The whole engine in this process, with no server: coordinator, workers and storage.
///
/// Opening it takes up every run that a former process left in progress. Task bodies run on the
/// tokio runtime that opened it.
#[derive(Debug)]
pub struct Embedded {
    node: Node,
    client: Client,
}

/// Settings of an [`Embedded`] engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbeddedOptions {
    /// Directory of the store. Default `.rethread`.
    pub data_dir: PathBuf,
    /// What a write survives before it is acknowledged. Default power loss.
    pub data_sync: DataSync,
    /// Queues whose tasks run here. Default `default`.
    pub queues: Vec<String>,
    /// Task bodies that run at the same time per queue. Default 16.
    pub slots: usize,
    /// Idle time after which a thread leaves memory. Zero: no longer than something is being
    /// written. Default 60 s.
    pub evict_after: Duration,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            data_dir: settings.data_dir,
            data_sync: settings.data_sync,
            queues: settings.worker_queues,
            slots: settings.worker_slots,
            evict_after: Duration::from_millis(settings.evict_after_ms),
        }
    }
}

impl EmbeddedOptions {
    /// Sets the directory of the store.
    #[must_use]
    pub fn data_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.data_dir = directory.as_ref().to_owned();
        self
    }

    /// Sets what a write survives before it is acknowledged.
    #[must_use]
    pub fn data_sync(mut self, sync: DataSync) -> Self {
        self.data_sync = sync;
        self
    }

    /// Sets the queues whose tasks run here.
    #[must_use]
    pub fn queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.queues = queues.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how many task bodies run at the same time per queue.
    #[must_use]
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// Sets the idle time after which a thread leaves memory.
    #[must_use]
    pub fn evict_after(mut self, idle: Duration) -> Self {
        self.evict_after = idle;
        self
    }

    fn settings(&self) -> Settings {
        let evict_after_ms = u64::try_from(self.evict_after.as_millis()).unwrap_or(u64::MAX);
        Settings {
            evict_after_ms,
            data_dir: self.data_dir.clone(),
            data_sync: self.data_sync,
            worker_queues: self.queues.clone(),
            worker_slots: self.slots,
            ..Settings::default()
        }
    }
}

impl Embedded {
    /// Opens the store in a directory and starts the engine on it.
    ///
    /// A directory belongs to one engine at a time, until that engine and all its clients,
    /// threads and run handles are gone. One that is being given up, as right after an engine was
    /// dropped, is waited for, up to two seconds.
    ///
    /// # Errors
    /// [`ServiceError::Storage`] with [`rethread_storage::StorageError::Locked`] when another
    /// process, or another engine or client of this one, has the directory open, and other
    /// reasons why it cannot be used;
    /// [`ServiceError::Registry`] when the code cannot be registered.
    pub async fn open(app: App, directory: impl AsRef<Path>) -> Result<Self, ServiceError> {
        Self::open_with(app, EmbeddedOptions::default().data_dir(directory)).await
    }

    /// Opens the store and starts the engine on it.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub async fn open_with(app: App, options: EmbeddedOptions) -> Result<Self, ServiceError> {
        let settings = options.settings();
        let storage = storage::open(&settings).await?;
        Self::start(app, storage, &settings).await
    }

    /// Starts the engine on a store in memory, which is gone with it: for tests.
    ///
    /// # Errors
    /// [`ServiceError::Registry`] when the code cannot be registered.
    pub async fn in_memory(app: App) -> Result<Self, ServiceError> {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
        Self::start(app, storage, &Settings::default()).await
    }

    /// Starts the engine on a store that is open already, such as one in Redis.
    ///
    /// Of the options, those that choose a store have no effect.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub async fn on_storage(
        app: App,
        storage: Arc<dyn Storage>,
        options: EmbeddedOptions,
    ) -> Result<Self, ServiceError> {
        Self::start(app, storage, &options.settings()).await
    }

    pub(crate) async fn start(
        app: App,
        storage: Arc<dyn Storage>,
        settings: &Settings,
    ) -> Result<Self, ServiceError> {
        let index = app.index();
        let options = node_options(app, Arc::clone(&storage), settings)?;
        let options = with_workers(options, settings)?;
        queues::warn_of_unserved(&options);
        Self::run(options, index, storage, settings).await
    }

    /// Starts an engine that drives threads and runs no tasks.
    pub(crate) async fn coordinating(
        app: App,
        storage: Arc<dyn Storage>,
        settings: &Settings,
    ) -> Result<Self, ServiceError> {
        let index = app.index();
        let options = node_options(app, Arc::clone(&storage), settings)?;
        Self::run(options, index, storage, settings).await
    }

    async fn run(
        options: NodeOptions,
        index: Option<StoreIndex>,
        storage: Arc<dyn Storage>,
        settings: &Settings,
    ) -> Result<Self, ServiceError> {
        let node = Node::start(options).await?;
        node.wait_ready().await?;
        let client = Client::from_storage_with(storage, settings.client_options());
        let client = match index {
            Some(index) => client.with_store_index(index),
            None => client,
        };
        Ok(Self { node, client })
    }

    /// Starts, resumes and watches runs of this engine.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A gateway that serves the HTTP API of this engine, once it is given a listener.
    pub fn gateway(&self, options: GatewayOptions) -> Gateway {
        Gateway::new(self.client.clone(), options)
    }

    /// Stops the engine: running bodies may end, what they report is recorded, and everything
    /// else goes on when the store is opened again.
    ///
    /// Dropping the engine stops it without waiting, as a crash does: nothing recorded is lost.
    ///
    /// # Errors
    /// When the engine could not be stopped in order.
    pub async fn shutdown(self) -> Result<(), ServiceError> {
        Ok(self.node.drain().await?)
    }
}

/// Options of a node that coordinates.
pub(crate) fn node_options(
    app: App,
    storage: Arc<dyn Storage>,
    settings: &Settings,
) -> Result<NodeOptions, ServiceError> {
    let store_index = app.index();
    let registry = Arc::new(app.registry()?);
    let node = NodeId::new(Uuid::now_v7().to_string())?;
    let mut options = NodeOptions::new(node, storage, registry);
    options.lease_ttl = Duration::from_millis(settings.lease_ttl_ms);
    options.dead_after = Duration::from_millis(settings.worker_dead_after_ms);
    options.emit_batch = Duration::from_millis(settings.emit_batch_ms);
    options.evict_after = Duration::from_millis(settings.evict_after_ms);
    options.drain_timeout = settings.drain_timeout();
    options.store_index = store_index;
    options.limits = settings.limits();
    Ok(options)
}

/// The same node, running tasks of the queues in the settings.
pub(crate) fn with_workers(
    mut options: NodeOptions,
    settings: &Settings,
) -> Result<NodeOptions, ServiceError> {
    for queue in &settings.worker_queues {
        let queue = rethread_core::ids::QueueName::new(queue)?;
        options = options.worker(PoolOptions { queue, slots: settings.worker_slots });
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_can_be_opened_again_right_after_its_engine_is_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        for _ in 0..3 {
            let engine = Embedded::open(App::new(), directory.path()).await.expect("opens");
            drop(engine);
        }
        let engine = Embedded::open(App::new(), directory.path()).await.expect("opens");
        engine.shutdown().await.expect("shuts down");
        let engine = Embedded::open(App::new(), directory.path()).await.expect("opens");
        let thread = engine.client().new_thread();
        engine.shutdown().await.expect("shuts down");
        let (opened, ()) = tokio::join!(Embedded::open(App::new(), directory.path()), async {
            tokio::task::yield_now().await;
            drop(thread);
        });
        opened.expect("opens when the last handle is dropped").shutdown().await.expect("stops");
    }
}
