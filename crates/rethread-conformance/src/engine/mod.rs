//! Engines under test: the same application on different storages and processes.

mod processes;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rethread::memory::MemoryStorage;
use rethread::{Client, DataSync, Embedded, EmbeddedOptions, Storage};
use rethread_redis::{RedisOptions, RedisStorage};
use tempfile::TempDir;

pub(crate) use self::processes::{is_role, main as role_main};

use self::processes::Processes;
use crate::body::World;
use crate::program;

/// Task bodies that run at the same time: more than any case has.
const SLOTS: usize = 64;

/// Where a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EngineKind {
    /// One process, nothing is stored.
    Memory,
    /// One process, stored on disk.
    Embedded,
    /// One process, stored in Redis.
    Redis,
    /// Coordinator and worker are processes of their own, joined by Redis.
    Processes,
}

impl EngineKind {
    /// Whether it needs a Redis.
    pub(crate) fn needs_redis(self) -> bool {
        matches!(self, Self::Redis | Self::Processes)
    }
}

/// An engine that runs the application of one case.
pub(crate) struct Engine {
    running: Running,
    client: Client,
}

enum Running {
    Here(Box<Embedded>, TempDir),
    There(Processes),
}

/// Why an engine cannot be started or stopped.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

impl Engine {
    /// Starts an engine that knows nothing yet.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn start(kind: EngineKind, world: &World, redis: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        if kind == EngineKind::Processes {
            // Before the services: whoever comes first decides on the number of partitions.
            let client = Client::from_storage(connect(redis, &folder).await?);
            let processes = Processes::start(world, redis, folder)?;
            return Ok(Self { client, running: Running::There(processes) });
        }
        let mut options = EmbeddedOptions::default().slots(SLOTS);
        if world.is_evicting {
            options = options.evict_after(Duration::ZERO);
        }
        let app = program::app(world);
        let engine = match kind {
            EngineKind::Embedded => {
                let options = options.data_dir(folder.path()).data_sync(DataSync::Process);
                Embedded::open_with(app, options).await?
            }
            EngineKind::Redis => {
                Embedded::on_storage(app, connect(redis, &folder).await?, options).await?
            }
            _ => Embedded::on_storage(app, Arc::new(MemoryStorage::new(1)), options).await?,
        };
        Ok(Self {
            client: engine.client().clone(),
            running: Running::Here(Box::new(engine), folder),
        })
    }

    /// Starts and watches runs.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What its processes have logged.
    pub(crate) fn logs(&self) -> String {
        match &self.running {
            Running::Here(..) => String::new(),
            Running::There(processes) => processes.logs(),
        }
    }

    /// Stops it; what it stored is gone.
    ///
    /// # Errors
    /// When it cannot be stopped in order.
    pub(crate) async fn stop(self) -> Result<()> {
        match self.running {
            Running::Here(engine, _folder) => engine.shutdown().await?,
            Running::There(processes) => processes.stop(),
        }
        Ok(())
    }
}

async fn connect(redis: &str, folder: &TempDir) -> Result<Arc<dyn Storage>> {
    // On a cluster the nodes are to have something each.
    let partitions = if redis.contains("+cluster://") { 6 } else { 1 };
    let options = RedisOptions::new(redis).namespace(name_of(folder)).partitions(partitions);
    Ok(Arc::new(RedisStorage::connect(options).await?))
}

/// A name that no other engine on the same Redis has.
fn name_of(folder: &TempDir) -> String {
    folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
}
