//! An engine with a gateway, started from nothing.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rethread_redis::testing::RedisServer;
use serde_json::json;
use tempfile::TempDir;

use super::connection::{Buffers, Connection, Failure};
use crate::cluster::until;
use crate::engine::{Kind, SERVICE_ENV};
use crate::process::{self, Service};

/// Longest time until the first run is done.
const PATIENCE: Duration = Duration::from_secs(60);
/// Task bodies that run at the same time: no run waits for a place.
const SLOTS: &str = "128";

/// Processes of which one serves the API. They end when it is dropped.
pub(super) struct Served {
    /// The one with the gateway is the last.
    services: Vec<Service>,
    server: Option<RedisServer>,
    directory: TempDir,
    address: SocketAddr,
}

impl Served {
    /// The embedded store and its gateway are one process; on Redis the gateway is one, besides
    /// a coordinator and two workers.
    pub(super) async fn start(kind: Kind) -> Result<Self, Failure> {
        let directory = TempDir::new()?;
        let log = directory.path().join("gateway.log");
        let server = kind.fsync().map(|fsync| RedisServer::start_with(&["--appendfsync", fsync]));
        let mut services = Vec::new();
        match &server {
            Some(server) => {
                for role in ["coordinator", "worker", "worker"] {
                    let mut command = service(role)?;
                    command.args(["--redis", &server.url(), "--log", "warn"]);
                    command.args(if role == "worker" { &["--slots", SLOTS][..] } else { &[] });
                    services.push(Service(command.spawn()?));
                }
                let mut gateway = service("gateway")?;
                gateway.args(["--redis", &server.url(), "--http", "127.0.0.1:0"]);
                services.push(Service(gateway.stderr(File::create(&log)?).spawn()?));
            }
            None => {
                let data_sync = if kind == Kind::Buffered { "process" } else { "disk" };
                let mut dev = service("dev")?;
                dev.arg("--data").arg(directory.path().join("data"));
                dev.args(["--slots", SLOTS, "--http", "127.0.0.1:0"]);
                dev.env("RETHREAD_DATA_SYNC", data_sync);
                services.push(Service(dev.stderr(File::create(&log)?).spawn()?));
            }
        }
        let listens = until("the gateway listens", || address(&log).is_some());
        listens.await.map_err(|error| error.to_string())?;
        let address = address(&log).ok_or("the gateway does not say where it listens")?;
        let served = Self { services, server, directory, address };
        served.first_run().await?;
        Ok(served)
    }

    /// A run, as soon as coordinator and workers are there.
    async fn first_run(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let mut connection = self.connect().await?;
            match connection.post("/runs/wait", &trivial()).await {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                // Its program is not known yet.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address, Buffers::Standard).await
    }

    /// A file that is not there yet.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The process that serves the API.
    pub(super) fn gateway(&self) -> u32 {
        self.services.last().map_or_else(std::process::id, |service| service.0.id())
    }

    /// CPU time that all its processes have used so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let server = self.server.as_ref().and_then(RedisServer::pid);
        let services = self.services.iter().map(|service| service.0.id());
        services.chain(server).filter_map(process::cpu_seconds).sum()
    }
}

/// The request of a run with one task.
pub(super) fn trivial() -> serde_json::Value {
    json!({ "assistant_id": "sequence", "input": 1 })
}

fn service(role: &str) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role).env(SERVICE_ENV, "1").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}

/// Where the gateway listens, as its log says.
fn address(log: &Path) -> Option<SocketAddr> {
    let log = std::fs::read_to_string(log).ok()?;
    let line = log.lines().find(|line| line.contains("serving the HTTP API"))?;
    line.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
}
