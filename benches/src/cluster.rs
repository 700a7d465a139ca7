//! Services of an installation on a private Redis, each a process that can be ended and started.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rethread::{Client, ClientOptions};
use rethread_redis::testing::RedisServer;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::engine::SERVICE_ENV;
use crate::process::resident_mb;
use crate::program::LEDGER_ENV;
use crate::server::Server;

/// Longest time for a service to get ready or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Coordinator,
    Worker,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Worker => "worker",
        }
    }
}

/// An installation. Everything ends when it is dropped.
pub(crate) struct Cluster {
    pub(crate) server: RedisServer,
    services: Vec<Service>,
    settings: Vec<(&'static str, String)>,
    directory: TempDir,
    started: usize,
}

/// One process.
pub(crate) struct Service {
    role: Role,
    child: Child,
    number: usize,
}

impl Cluster {
    /// A server without services. Settings are given to each service, by their names in the
    /// environment.
    pub(crate) fn new(settings: &[(&'static str, String)]) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            server: RedisServer::start(),
            services: Vec::new(),
            settings: settings.to_vec(),
            directory: TempDir::new()?,
            started: 0,
        })
    }

    /// Starts services and waits until each is ready.
    pub(crate) async fn start(&mut self, role: Role, count: usize) -> Result<(), Box<dyn Error>> {
        let first = self.services.len();
        for _ in 0..count {
            self.started += 1;
            let number = self.started;
            let child = Command::new(std::env::current_exe()?)
                .arg(role.name())
                .env("RETHREAD_REDIS_URL", self.server.url())
                .envs(self.settings.iter().map(|(name, value)| (name, value)))
                .env("NO_COLOR", "1")
                .env(SERVICE_ENV, "1")
                .env(LEDGER_ENV, self.ledger())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(self.log(number))?)
                .spawn()?;
            self.services.push(Service { role, child, number });
        }
        for service in &self.services[first..] {
            let log = self.log(service.number);
            until("a service is ready", || {
                std::fs::read_to_string(&log).is_ok_and(|text| text.contains(" ready"))
            })
            .await?;
        }
        Ok(())
    }

    /// Ends the oldest service of a role and gives the moment of the signal.
    pub(crate) fn end_oldest(
        &mut self,
        role: Role,
        signal: Signal,
    ) -> Result<Instant, Box<dyn Error>> {
        let place = self.services.iter().position(|service| service.role == role);
        let mut service = self.services.remove(place.ok_or("no service of this role runs")?);
        let pid = i32::try_from(service.child.id())?;
        kill_process(Pid::from_raw(pid).ok_or("a process id is not zero")?, signal)?;
        let at = Instant::now();
        // It is waited for beside what is measured.
        std::thread::spawn(move || service.child.wait().map(drop));
        Ok(at)
    }

    /// Ends the oldest service of a role in order and waits for its end.
    pub(crate) async fn stop_oldest(&mut self, role: Role) -> Result<(), Box<dyn Error>> {
        let place = self.services.iter().position(|service| service.role == role);
        let mut service = self.services.remove(place.ok_or("no service of this role runs")?);
        let pid = i32::try_from(service.child.id())?;
        kill_process(Pid::from_raw(pid).ok_or("a process id is not zero")?, Signal::TERM)?;
        until("a service ends", || service.child.try_wait().is_ok_and(|status| status.is_some()))
            .await
    }

    /// A client with connections of its own.
    pub(crate) async fn client(&self) -> Result<Client, Box<dyn Error>> {
        let options = ClientOptions::default().poll_interval(Duration::from_secs(5));
        Ok(Client::connect_with(self.server.url(), options).await?)
    }

    /// A connection to the server itself.
    pub(crate) async fn server(&self) -> Result<Server, Box<dyn Error>> {
        Server::connect(&self.server.url()).await
    }

    /// Memory of the services of a role that is resident, in MiB, each.
    pub(crate) fn rss_mb(&self, role: Role) -> Vec<f64> {
        let services = self.services.iter().filter(|service| service.role == role);
        services.filter_map(|service| resident_mb(service.child.id())).collect()
    }

    /// Where bodies note that they ran.
    pub(crate) fn ledger(&self) -> std::path::PathBuf {
        self.directory.path().join("ledger")
    }

    fn log(&self, number: usize) -> std::path::PathBuf {
        self.directory.path().join(format!("{number}.log"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition.
pub(crate) async fn until(
    what: &str,
    mut condition: impl FnMut() -> bool,
) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("waited {PATIENCE:?} in vain until {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Length of a file; zero if it is not there.
pub(crate) fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
