//! The engines that are measured, started from nothing each time.

use std::error::Error;
use std::process::{Child, Command, Stdio};

use clap::ValueEnum;
use rethread::{Client, DataSync, Embedded, EmbeddedOptions};
use rethread_redis::testing::RedisServer;
use tempfile::TempDir;

use crate::process::cpu_seconds;
use crate::program;

/// Set for processes that are services of an engine.
pub(crate) const SERVICE_ENV: &str = "BENCH_SERVICE";

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
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

/// A running engine.
pub(crate) struct Engine {
    client: Client,
    parts: Parts,
}

enum Parts {
    Embedded { engine: Embedded, _directory: TempDir },
    Redis { services: Vec<Child>, server: RedisServer },
}

impl Engine {
    pub(crate) async fn start(kind: Kind) -> Result<Self, Box<dyn Error>> {
        match kind.fsync() {
            Some(fsync) => Self::redis(fsync).await,
            None if kind == Kind::Buffered => Self::embedded(DataSync::Process).await,
            None => Self::embedded(DataSync::Disk).await,
        }
    }

    async fn embedded(sync: DataSync) -> Result<Self, Box<dyn Error>> {
        let directory = TempDir::new()?;
        let options = EmbeddedOptions::default()
            .data_dir(directory.path().join("data"))
            .data_sync(sync)
            .slots(256);
        let engine = Embedded::open_with(program::app(), options).await?;
        let client = engine.client().clone();
        Ok(Self { client, parts: Parts::Embedded { engine, _directory: directory } })
    }

    async fn redis(fsync: &str) -> Result<Self, Box<dyn Error>> {
        let server = RedisServer::start_with(&["--appendfsync", fsync]);
        let roles = ["coordinator", "worker", "worker"];
        let services =
            roles.iter().map(|role| service(role, &server.url())).collect::<Result<_, _>>()?;
        let client = Client::connect(server.url()).await?;
        let engine = Self { client, parts: Parts::Redis { services, server } };
        // The first run waits for coordinator and workers.
        engine.client.new_thread().invoke(program::sequence::def(), 1).await?.done();
        Ok(engine)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// CPU time that all processes of the engine have used so far, in seconds; this one's too.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let others = match &self.parts {
            Parts::Embedded { .. } => Vec::new(),
            Parts::Redis { services, server } => {
                services.iter().map(Child::id).chain(server.pid()).collect()
            }
        };
        others.into_iter().chain([std::process::id()]).filter_map(cpu_seconds).sum()
    }

    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        match self.parts {
            Parts::Embedded { engine, .. } => engine.shutdown().await?,
            Parts::Redis { mut services, .. } => {
                for service in &mut services {
                    service.kill()?;
                    service.wait()?;
                }
            }
        }
        Ok(())
    }
}

fn service(role: &str, url: &str) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args([role, "--redis", url, "--log", "warn"])
        .args(if role == "worker" { &["--slots", "128"][..] } else { &[] })
        .env(SERVICE_ENV, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
}
