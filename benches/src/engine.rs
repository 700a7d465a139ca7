//! The engines that are measured, started from nothing each time.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use rethread::{Client, DataSync, Embedded, EmbeddedOptions};
use rethread_redis::testing::RedisServer;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::process::{Service, cpu_seconds, disk_bytes, most_resident_mb, resident_mb};
use crate::program;
use crate::server::Server;

/// Set for processes that are services of an engine.
pub(crate) const SERVICE_ENV: &str = "BENCH_SERVICE";

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Embedded store, each group of writes synced to disk.
    Embedded,
    /// Embedded store, writes left to the operating system.
    Buffered,
    /// Separate processes on Redis, append-only file synced every second.
    Redis,
    /// The same, synced before each answer.
    RedisAlways,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Embedded, Self::Buffered, Self::Redis, Self::RedisAlways];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Buffered => "buffered",
            Self::Redis => "redis",
            Self::RedisAlways => "redis-always",
        }
    }

    /// How Redis syncs its append-only file; none for the embedded store.
    pub(crate) fn fsync(self) -> Option<&'static str> {
        match self {
            Self::Embedded | Self::Buffered => None,
            Self::Redis => Some("everysec"),
            Self::RedisAlways => Some("always"),
        }
    }
}

/// How long an idle thread stays in memory by default.
pub(crate) const KEEP: Duration = Duration::from_secs(60);
/// Task bodies that run at the same time: no call waits for a place.
const SLOTS: usize = 256;

/// A running engine. Its processes end when it is dropped.
pub(crate) struct Engine {
    client: Client,
    parts: Parts,
}

enum Parts {
    Embedded { engine: Embedded, directory: TempDir },
    Redis { services: Vec<Service>, server: RedisServer },
}

impl Engine {
    /// An engine whose idle threads leave memory after this time.
    pub(crate) async fn start(kind: Kind, evict_after: Duration) -> Result<Self, Box<dyn Error>> {
        let engine = match kind.fsync() {
            Some(fsync) => Self::redis(fsync, evict_after).await?,
            None if kind == Kind::Buffered => {
                Self::embedded(DataSync::Process, evict_after).await?
            }
            None => Self::embedded(DataSync::Disk, evict_after).await?,
        };
        // The first run waits for coordinator and workers.
        engine.client.new_thread().invoke(program::sequence::def(), 1).await?.done();
        Ok(engine)
    }

    async fn embedded(sync: DataSync, evict_after: Duration) -> Result<Self, Box<dyn Error>> {
        let directory = TempDir::new()?;
        let options = EmbeddedOptions::default()
            .data_dir(directory.path().join("data"))
            .data_sync(sync)
            .evict_after(evict_after)
            .slots(SLOTS);
        let engine = Embedded::open_with(program::app(), options).await?;
        let client = engine.client().clone();
        Ok(Self { client, parts: Parts::Embedded { engine, directory } })
    }

    async fn redis(fsync: &str, evict_after: Duration) -> Result<Self, Box<dyn Error>> {
        let server = RedisServer::start_with(&["--appendfsync", fsync]);
        let roles = ["coordinator", "worker", "worker"];
        let services = roles
            .iter()
            .map(|role| service(role, &server.url(), evict_after))
            .collect::<Result<_, _>>()?;
        let client = Client::connect(server.url()).await?;
        Ok(Self { client, parts: Parts::Redis { services, server } })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// CPU time that all processes of the engine have used so far, in seconds; this one's too.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.processes().into_iter().chain([std::process::id()]).filter_map(cpu_seconds).sum()
    }

    /// The most memory that was resident, in MiB, of all its processes together; this one's too.
    pub(crate) fn peak_mb(&self) -> f64 {
        let processes = self.processes().into_iter().chain([std::process::id()]);
        processes.filter_map(most_resident_mb).sum()
    }

    /// Memory of each of its processes besides this one that is resident now, in MiB.
    pub(crate) fn resident_mb(&self) -> Vec<(&'static str, f64)> {
        let names = ["coordinator", "worker_1", "worker_2", "redis"];
        let sizes = self.processes().into_iter().filter_map(resident_mb);
        names.into_iter().zip(sizes).collect()
    }

    /// Its processes besides this one; the Redis server is the last.
    pub(crate) fn processes(&self) -> Vec<u32> {
        match &self.parts {
            Parts::Embedded { .. } => Vec::new(),
            Parts::Redis { services, server } => {
                services.iter().map(|service| service.0.id()).chain(server.pid()).collect()
            }
        }
    }

    /// Bytes that it has stored: memory of the Redis server, or what the files of the embedded
    /// store take on the disk.
    pub(crate) async fn stored_bytes(&self) -> Result<f64, Box<dyn Error>> {
        match &self.parts {
            Parts::Embedded { directory, .. } => Ok(disk_bytes(directory.path()) as f64),
            Parts::Redis { server, .. } => {
                Server::connect(&server.url()).await?.used_memory().await
            }
        }
    }

    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        match self.parts {
            Parts::Embedded { engine, .. } => Ok(engine.shutdown().await?),
            Parts::Redis { .. } => Ok(()),
        }
    }
}

fn service(role: &str, url: &str, evict_after: Duration) -> std::io::Result<Service> {
    let child = Command::new(std::env::current_exe()?)
        .args([role, "--redis", url, "--log", "warn"])
        .args(if role == "worker" { &["--slots", "128"][..] } else { &[] })
        .env("RETHREAD_EVICT_AFTER_MS", evict_after.as_millis().to_string())
        .env(SERVICE_ENV, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Service(child))
}
