//! One coordinator or worker: a process that is killed, stopped and started again.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
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

    /// How many run at first.
    pub(super) fn usual(self) -> usize {
        match self {
            Self::Coordinator => 3,
            Self::Worker => 4,
        }
    }

    /// How many are left at least when processes leave.
    pub(super) fn least(self) -> usize {
        2
    }

    /// How many there are at most when processes join.
    pub(super) fn most(self) -> usize {
        match self {
            Self::Coordinator => 4,
            Self::Worker => 6,
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

/// The process of a node; none while the node has left. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Option<Child>,
}

impl Node {
    /// A node whose process has not joined yet.
    pub(crate) fn new(
        role: Role,
        number: usize,
        proxy: Proxy,
        files: &Files,
        history: Arc<History>,
    ) -> Self {
        let name = format!("{}-{number}", role.name());
        let (log, ledger) = (files.log(&name), files.ledger());
        let process = Arc::new(Mutex::new(Process { child: None }));
        Self { role, name, proxy, log, ledger, history, process }
    }

    /// Starts its process.
    pub(crate) async fn start(&self) -> io::Result<()> {
        let mut process = self.process.lock().await;
        self.respawn(&mut process).await
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

    /// The file that its processes log to.
    pub(super) fn log(&self) -> &Path {
        &self.log
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

    /// Whether it has a process, or a fault is at work on it.
    pub(super) fn is_present(&self) -> bool {
        self.try_hold().is_none_or(|process| process.is_present())
    }

    /// The process id, while no fault is at work on the process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.try_hold()?.pid()
    }

    /// Starts it again if it ended by itself. Leaves it alone while a fault has it.
    pub(crate) async fn revive(&self) -> io::Result<()> {
        let Some(mut process) = self.try_hold() else { return Ok(()) };
        let Some(child) = &mut process.child else { return Ok(()) };
        let pid = child.id().unwrap_or_default();
        let Some(status) = child.try_wait()? else { return Ok(()) };
        // A process that could not begin, since the server was down just then, is no event.
        let is_wanted = !self.was_ready();
        self.say_exited(pid, status, is_wanted);
        self.respawn(&mut process).await
    }

    /// Whether it got ready since it was started last.
    pub(super) fn was_ready(&self) -> bool {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.rsplit(STARTED).next().unwrap_or_default();
        last.contains(" ready")
    }

    /// Starts it again after it was ended.
    pub(crate) async fn respawn(&self, process: &mut Process) -> io::Result<()> {
        process.child = Some(spawn(self.role, &self.proxy, &self.log, &self.ledger)?);
        let pid = process.pid().unwrap_or_default();
        self.history.say(Kind::Info, Fact::Spawn { name: self.name.clone(), pid });
        Ok(())
    }

    /// Kills its process, if it has one, and starts it again.
    pub(super) async fn kill_and_restart(&self) -> io::Result<()> {
        let mut process = self.process.lock().await;
        if !process.is_present() {
            return Ok(());
        }
        process.signal(Signal::KILL)?;
        self.wait_ended(&mut process).await?;
        self.respawn(&mut process).await
    }

    /// Waits for the end of the process, which was asked for, and notes it.
    pub(crate) async fn wait_ended(&self, process: &mut Process) -> io::Result<()> {
        let Some(child) = &mut process.child else { return Ok(()) };
        let pid = child.id().unwrap_or_default();
        let status = child.wait().await?;
        process.child = None;
        self.say_exited(pid, status, true);
        Ok(())
    }

    fn say_exited(&self, pid: u32, status: ExitStatus, is_wanted: bool) {
        let (name, status) = (self.name.clone(), status.to_string());
        self.history.say(Kind::Info, Fact::Exit { name, pid, status, is_wanted });
    }
}

impl Process {
    /// Whether there is one.
    pub(super) fn is_present(&self) -> bool {
        self.child.is_some()
    }

    /// Its process id; none once its end was noticed.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
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
