//! What is needed, and where it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::engine::Engine;
use super::measure::first_line;
use super::postgres;
use crate::clients::{Node, requirements};
use crate::repo::{Repo, run};
use crate::{Result, redis};

const SOURCES: &str = "benches/peers";

/// Everything that is run.
#[derive(Debug)]
pub(super) struct Programs {
    home: PathBuf,
    bench: PathBuf,
    redis: PathBuf,
    node: Option<Node>,
    engines: Vec<Engine>,
    missing: Vec<String>,
}

/// Where Node.js is put on a machine that has none.
fn node_home(repo: &Repo) -> PathBuf {
    repo.target.join("clients")
}

impl Programs {
    /// Installs and builds what the engines need; what is there already is kept. An engine that
    /// cannot be installed is left out, with the reason.
    ///
    /// # Errors
    /// When Rethread itself cannot be built.
    pub(super) fn install(repo: &Repo, home: &Path, wanted: &[Engine]) -> Result<Self> {
        let mut build = repo.cargo();
        run(build.args(["build", "--release", "--locked", "-p", "rethread-benches"]))?;
        let mut programs = Self {
            home: home.to_owned(),
            bench: repo.target.join("release/rethread-benches"),
            redis: redis::find(repo)?,
            node: None,
            engines: Vec::new(),
            missing: Vec::new(),
        };
        for engine in wanted.iter().copied() {
            match programs.add(repo, engine) {
                Ok(()) => programs.engines.push(engine),
                Err(error) => {
                    println!("error: {}: {error}", engine.name());
                    programs.missing.push(format!("{} is not installed: {error}", engine.name()));
                }
            }
        }
        Ok(programs)
    }

    fn add(&mut self, repo: &Repo, engine: Engine) -> Result<()> {
        let sources = repo.root.join(SOURCES);
        match engine {
            Engine::Embedded | Engine::Redis => Ok(()),
            Engine::LangGraphSqlite | Engine::LangGraphPostgres => {
                let packages = sources.join("langgraph/requirements.txt");
                requirements(&packages, &self.home.join("python"))?;
                if engine == Engine::LangGraphPostgres {
                    postgres::programs()?;
                }
                Ok(())
            }
            Engine::Restate | Engine::RestateTuned => {
                let server = sources.join("restate/server");
                Node::find(&node_home(repo))?.install(&server, &self.home.join("restate"))?;
                self.build(repo, "restate")
            }
            Engine::BullMq => {
                let node = Node::find(&node_home(repo))?;
                node.install(&sources.join("bullmq"), &self.home.join("bullmq"))?;
                self.node = Some(node);
                Ok(())
            }
            Engine::Apalis => self.build(repo, "apalis"),
        }
    }

    /// Builds a driver, which is no part of the workspace.
    fn build(&self, repo: &Repo, name: &str) -> Result<()> {
        let mut build = repo.cargo();
        build.args(["build", "--release", "--locked", "--manifest-path"]);
        build.arg(repo.root.join(SOURCES).join(name).join("Cargo.toml"));
        run(build.arg("--target-dir").arg(self.home.join("cargo")))
    }

    /// Those that can be measured.
    pub(super) fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// Why the others cannot.
    pub(super) fn missing(&self) -> &[String] {
        &self.missing
    }

    pub(super) fn bench(&self) -> &Path {
        &self.bench
    }

    pub(super) fn langgraph(&self, repo: &Repo) -> Command {
        let mut command = Command::new(self.python());
        // No caches of bytecode beside the sources.
        command.arg("-B").arg(repo.root.join(SOURCES).join("langgraph/driver.py"));
        command
    }

    fn python(&self) -> PathBuf {
        self.home.join("python/bin/python")
    }

    pub(super) fn bullmq(&self) -> Command {
        let driver = self.home.join("bullmq/driver.mjs");
        match &self.node {
            Some(node) => node.program(&driver),
            None => Command::new(driver),
        }
    }

    pub(super) fn restate(&self) -> PathBuf {
        self.home.join("cargo/release/rethread-peer-restate")
    }

    /// The program itself, not the script that npm starts it with.
    pub(super) fn restate_server(&self) -> PathBuf {
        let packages = self.home.join("restate/node_modules/@restatedev");
        let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        packages.join(format!("restate-server-{system}-{machine}")).join("bin/restate-server")
    }

    pub(super) fn apalis(&self) -> PathBuf {
        self.home.join("cargo/release/rethread-peer-apalis")
    }

    /// What was compared, as it names itself.
    pub(super) fn versions(&self) -> Vec<String> {
        let mut versions = vec![first_line(&self.redis, &["--version"])];
        versions.push(first_line(Path::new("rustc"), &["--version"]));
        let has = |is: fn(Engine) -> bool| self.engines.iter().copied().any(is);
        if has(Engine::is_langgraph) {
            let script = "from importlib.metadata import version as v; import sys; \
                          print('langgraph', v('langgraph'), 'sqlite', \
                          v('langgraph-checkpoint-sqlite'), 'postgres', \
                          v('langgraph-checkpoint-postgres'), 'Python', sys.version.split()[0])";
            versions.push(first_line(&self.python(), &["-c", script]));
        }
        if self.engines.contains(&Engine::LangGraphPostgres)
            && let Ok(folder) = postgres::programs()
        {
            versions.push(first_line(&folder.join("postgres"), &["--version"]));
        }
        if has(Engine::is_restate) {
            versions.push(first_line(&self.restate_server(), &["--version"]));
            versions.push("restate-sdk 0.13.0".into());
        }
        if self.engines.contains(&Engine::BullMq) {
            versions.push("bullmq 6.7.0, ioredis 6.0.0".into());
            versions.push(format!("Node.js {}", first_line(Path::new("node"), &["--version"])));
        }
        if self.engines.contains(&Engine::Apalis) {
            versions.push("apalis 1.0.0, apalis-redis 1.0.0".into());
        }
        versions
    }
}
