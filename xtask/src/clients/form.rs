//! The ways in which the example is started.

use std::path::Path;

use super::processes::{Balancer, Process, free_address, redis_server, until_up};
use crate::Result;
use crate::repo::Repo;

/// A way to start the example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One process on the embedded store.
    Dev,
    /// One process on Redis.
    Redis,
    /// Two gateways behind a balancer, two coordinators and two workers on Redis.
    Processes,
}

/// A form of the example that serves; it ends when the processes are dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) url: String,
    pub(super) processes: Vec<Process>,
}

impl Form {
    pub(super) const ALL: [Self; 3] = [Self::Dev, Self::Redis, Self::Processes];

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|form| form.name() == name);
        found.ok_or_else(|| format!("there is no form `{name}`: dev, redis or processes"))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Redis => "redis",
            Self::Processes => "processes",
        }
    }

    pub(super) fn start(self, repo: &Repo, program: &Path, home: &Path) -> Result<Running> {
        let logs = home.join("logs");
        let data = home.join(format!("data-{}", self.name()));
        // Each run of the suites begins with an empty store.
        match std::fs::remove_dir_all(&data) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", data.display()));
            }
            _ => std::fs::create_dir_all(&data)
                .map_err(|error| format!("{}: {error}", data.display()))?,
        }
        let address = free_address()?;
        let mut processes = Vec::new();
        let mut start = |name: &str, args: &[&str]| -> Result<()> {
            let log = logs.join(format!("{}-{name}.log", self.name()));
            processes.push(Process::start(program, &log, args)?);
            Ok(())
        };
        if self == Self::Dev {
            let data = data.display().to_string();
            start("dev", &["dev", "--http", &address, "--data", &data])?;
            until_up(&address, &mut processes)?;
            return Ok(Running { url: format!("http://{address}"), processes });
        }
        let (redis, server) = redis_server(repo, &data)?;
        let mut url = format!("http://{address}");
        if self == Self::Redis {
            start("dev", &["dev", "--http", &address, "--redis", &redis])?;
            until_up(&address, &mut processes)?;
        } else {
            let gateways = [address, free_address()?];
            for number in ["1", "2"] {
                start(&format!("coordinator-{number}"), &["coordinator", "--redis", &redis])?;
                start(&format!("worker-{number}"), &["worker", "--redis", &redis])?;
            }
            for (number, address) in gateways.iter().enumerate() {
                let name = format!("gateway-{}", number + 1);
                start(&name, &["gateway", "--http", address, "--redis", &redis])?;
            }
            for address in &gateways {
                until_up(address, &mut processes)?;
            }
            url = format!("http://{}", Balancer::start(gateways.to_vec())?);
        }
        // Dropped last: the others say good-bye to it.
        processes.push(server);
        Ok(Running { url, processes })
    }
}
