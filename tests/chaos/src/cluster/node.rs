//! One coordinator or worker: a process that is killed, stopped and started again.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Files, LEASE, Proxy, WORKER_DEAD_AFTER};
use crate::app::LEDGER_ENV;
use crate::history::{Fact, History, Kind};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Drives threads.
    Coordinator,
    /// Runs bodies of tasks.
    Worker,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Worker => "worker",
        }
    }
}

/// A process and what is needed to start it again.
#[derive(Debug)]
pub(crate) struct Node {
    role: Role,
    name: String,
    proxy: Proxy,
    log: PathBuf,
    ledger: PathBuf,
    history: Arc<History>,
    /// Locked while a fault is at work on the process.
    process: Arc<Mutex<Process>>,
}

/// The process of a node. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Node {
    pub(crate) async fn start(
        role: Role,
        number: usize,
        proxy: Proxy,
        files: &Files,
        history: Arc<History>,
    ) -> io::Result<Self> {
        let name = format!("{}-{number}", role.name());
        let (log, ledger) = (files.log(&name), files.ledger());
        let child = spawn(role, &proxy, &log, &ledger)?;
        let process = Arc::new(Mutex::new(Process { child }));
        let node = Self { role, name, proxy, log, ledger, history, process };
        node.say_spawned(&*node.process.lock().await);
        Ok(node)
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The last time that it took over partitions, as its log tells; empty if never.
    pub(crate) fn took_over_at(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines = log.lines().filter(|line| line.contains("partitions taken over"));
        lines
            .next_back()
            .and_then(|line| line.split_whitespace().next())
            .unwrap_or_default()
            .to_owned()
    }

    /// The process, for one fault at a time; none while another fault has it.
    pub(crate) fn try_hold(&self) -> Option<OwnedMutexGuard<Process>> {
        Arc::clone(&self.process).try_lock_owned().ok()
    }

    /// Starts it again if it ended by itself. Leaves it alone while a fault has it.
    pub(crate) async fn revive(&self) -> io::Result<()> {
        let Some(mut process) = self.try_hold() else { return Ok(()) };
        let Some(status) = process.child.try_wait()? else { return Ok(()) };
        // A process that could not begin, since the server was down just then, is no event.
        let is_wanted = !self.was_ready();
        self.say_exited(&process, status, is_wanted);
        self.respawn(&mut process).await
    }

    /// Whether it got ready since it was started last.
    fn was_ready(&self) -> bool {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.rsplit(STARTED).next().unwrap_or_default();
        last.contains(" ready")
    }

    /// Starts it again after it was ended.
    pub(crate) async fn respawn(&self, process: &mut Process) -> io::Result<()> {
        process.child = spawn(self.role, &self.proxy, &self.log, &self.ledger)?;
        self.say_spawned(process);
        Ok(())
    }

    /// Waits for the end of the process, which was asked for, and notes it.
    pub(crate) async fn wait_ended(&self, process: &mut Process) -> io::Result<ExitStatus> {
        let status = process.child.wait().await?;
        self.say_exited(process, status, true);
        Ok(status)
    }

    fn say_spawned(&self, process: &Process) {
        let pid = process.pid().unwrap_or_default();
        self.history.say(Kind::Info, Fact::Spawn { name: self.name.clone(), pid });
    }

    fn say_exited(&self, process: &Process, status: ExitStatus, is_wanted: bool) {
        let pid = process.pid().unwrap_or_default();
        let (name, status) = (self.name.clone(), status.to_string());
        self.history.say(Kind::Info, Fact::Exit { name, pid, status, is_wanted });
    }
}

impl Process {
    /// Its process id; none once its end was noticed.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a signal. No effect when it has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        match pid {
            Some(pid) => Ok(kill_process(pid, signal)?),
            None => Ok(()),
        }
    }
}

/// Stands in the log between two lives of a process.
const STARTED: &str = "=== started ===";

fn spawn(role: Role, proxy: &Proxy, log: &PathBuf, ledger: &PathBuf) -> io::Result<Child> {
    use std::io::Write;
    let mut file = OpenOptions::new().create(true).append(true).open(log)?;
    writeln!(file, "{STARTED}")?;
    Command::new(std::env::current_exe()?)
        .arg(role.name())
        .env("RETHREAD_REDIS_URL", proxy.url())
        .env("RETHREAD_LEASE_TTL_MS", LEASE.as_millis().to_string())
        .env("RETHREAD_WORKER_DEAD_AFTER_MS", WORKER_DEAD_AFTER.as_millis().to_string())
        .env("RETHREAD_EVICT_AFTER_MS", "2000")
        .env("RETHREAD_DRAIN_TIMEOUT_MS", "10000")
        .env("NO_COLOR", "1")
        .env(LEDGER_ENV, ledger)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .kill_on_drop(true)
        .spawn()
}
