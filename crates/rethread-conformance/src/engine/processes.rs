//! Coordinator and worker as processes of their own: this program in other roles.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::Result;
use crate::body::World;
use crate::case::Case;
use crate::counters::Counters;
use crate::program;

/// Where a role finds the case.
const CASE: &str = "RETHREAD_TEST_CASE";
/// Where a role finds the counters.
const COUNTERS: &str = "RETHREAD_TEST_COUNTERS";
/// Says that entrypoints are replayed within a run.
const EVICTING: &str = "RETHREAD_TEST_EVICTING";

/// Set for services whose nodes run in coordinators.
const INLINE: &str = "RETHREAD_TEST_INLINE";
/// The first arguments that make this program a service.
const ROLES: [&str; 2] = ["coordinator", "worker"];

/// The services of one case; killed when dropped.
pub(super) struct Processes {
    folder: TempDir,
    children: Vec<Child>,
}

impl Processes {
    /// Starts a coordinator and a worker, in the namespace that is named after the folder.
    pub(super) fn start(world: &World, redis: &str, folder: TempDir) -> Result<Self> {
        let namespace = super::name_of(&folder);
        let mut processes = Self { folder, children: Vec::new() };
        let case = processes.folder.path().join("case.json");
        fs::write(&case, &*world.source)?;
        let counters = world.counters.serve()?;
        let program = std::env::current_exe()?;
        for role in ROLES {
            let log = File::create(processes.log(role))?;
            let mut command = Command::new(&program);
            if world.is_inline {
                command.env(INLINE, "yes");
            }
            if world.is_evicting {
                command.env(EVICTING, "yes").env("RETHREAD_EVICT_AFTER_MS", "0");
            }
            let child = command
                .args([role, "--redis", redis, "--namespace", &namespace])
                .args(["--slots", &super::SLOTS.to_string()])
                .env(CASE, &case)
                .env(COUNTERS, &counters)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()?;
            processes.children.push(child);
        }
        Ok(processes)
    }

    fn log(&self, role: &str) -> PathBuf {
        self.folder.path().join(role)
    }

    /// What the services have logged.
    pub(super) fn logs(&self) -> String {
        let logs = ROLES.map(|role| fs::read_to_string(self.log(role)).unwrap_or_default());
        logs.concat()
    }

    /// Kills them.
    pub(super) fn stop(self) {}
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether this process was started as a service.
pub(crate) fn is_role() -> bool {
    let role = std::env::args().nth(1);
    std::env::var_os(CASE).is_some() && role.is_some_and(|role| ROLES.contains(&role.as_str()))
}

/// Runs as a service.
pub(crate) fn main() -> ExitCode {
    match world() {
        Ok(world) => program::app(&world).main(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn world() -> Result<World> {
    let source: Arc<str> = fs::read_to_string(std::env::var(CASE)?)?.into();
    let case = Arc::new(Case::read(&source)?);
    let counters = Counters::connect(&std::env::var(COUNTERS)?)?;
    let is_set = |name| std::env::var_os(name).is_some();
    let (is_evicting, is_inline) = (is_set(EVICTING), is_set(INLINE));
    Ok(World { case, source, counters, is_evicting, is_inline })
}
