//! Redis, coordinators and workers as processes, each with a proxy of its own.

mod fault;
mod faults;
mod kinds;
mod logs;
mod node;
mod proxy;
mod server;
mod watcher;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rethread_redis::testing::RedisServer;
use tokio::task::spawn_blocking;

use crate::history::{Fact, History, Kind};
pub(crate) use faults::Faults;
pub(crate) use kinds::FaultKind;
pub(crate) use logs::ROLLED_BACK;
pub(crate) use node::{Node, Role};
pub(crate) use proxy::{Mode, Proxy};
pub(crate) use server::Server;

/// Time without renewal after which a partition is taken over.
pub(crate) const LEASE: Duration = Duration::from_secs(1);
/// Time without a heartbeat after which a worker counts as dead.
pub(crate) const WORKER_DEAD_AFTER: Duration = Duration::from_millis(1_200);

/// All processes.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) redis: Arc<RedisServer>,
    pub(crate) nodes: Vec<Arc<Node>>,
    /// The link of the driver's client.
    pub(crate) driver_link: Proxy,
    pub(crate) history: Arc<History>,
    faults: AtomicU64,
}

/// Files that the processes share.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The directory of all of them.
    pub(crate) directory: PathBuf,
}

impl Files {
    pub(crate) fn history(&self) -> PathBuf {
        self.directory.join("history.jsonl")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.directory.join("ledger.jsonl")
    }

    pub(crate) fn dump(&self) -> PathBuf {
        self.directory.join("dump.jsonl")
    }

    pub(crate) fn log(&self, process: &str) -> PathBuf {
        self.directory.join("logs").join(process)
    }

    /// Makes the directory, without what an earlier run left there.
    pub(crate) fn prepare(directory: &Path) -> io::Result<Self> {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir_all(directory.join("logs"))?,
        }
        Ok(Self { directory: directory.to_owned() })
    }
}

impl Cluster {
    /// Starts everything; the processes get ready by themselves.
    pub(crate) async fn start(files: &Files, history: Arc<History>) -> io::Result<Self> {
        let redis = spawn_blocking(RedisServer::start).await.map_err(io::Error::other)?;
        let upstream = SocketAddr::from(([127, 0, 0, 1], redis.port()));
        let mut nodes = Vec::new();
        for role in [Role::Coordinator, Role::Worker] {
            for number in 1..=role.most() {
                let proxy = Proxy::start(upstream).await?;
                let node = Node::new(role, number, proxy, files, Arc::clone(&history));
                if number <= role.usual() {
                    node.start().await?;
                }
                nodes.push(Arc::new(node));
            }
        }
        let driver_link = Proxy::start(upstream).await?;
        let faults = AtomicU64::new(0);
        Ok(Self { redis: Arc::new(redis), nodes, driver_link, history, faults })
    }

    /// The number of the next fault.
    fn next_fault(&self) -> u64 {
        self.faults.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Starts again what has ended by itself, which is noted. Runs for ever.
    pub(crate) async fn supervise(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for node in &self.nodes {
                if let Err(error) = node.revive().await {
                    eprintln!("cannot start {} again: {error}", node.name());
                }
            }
        }
    }

    /// Kills all coordinators and starts them again.
    pub(crate) async fn restart_coordinators(&self) -> io::Result<()> {
        for node in self.nodes.iter().filter(|node| node.role() == Role::Coordinator) {
            node.kill_and_restart().await?;
        }
        Ok(())
    }

    /// Takes away what disturbs: links pass, and what runs is awake.
    pub(crate) fn heal(&self) {
        for node in &self.nodes {
            node.proxy().set(Mode::Pass);
        }
        self.driver_link.set(Mode::Pass);
        self.history.say(Kind::Info, Fact::Healed);
    }
}
