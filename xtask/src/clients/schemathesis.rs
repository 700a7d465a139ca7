//! Requests that the OpenAPI document allows, and such that it does not, against the example: none
//! may be answered with 5xx.

use std::path::PathBuf;
use std::process::Command;

use super::form::{Form, Running};
use super::{build, python};
use crate::Result;
use crate::repo::{Repo, run};

/// The package that makes the requests.
const PACKAGE: &str = "schemathesis==4.32.5";

/// Where the names of what is there get into the requests.
const HOOKS: &str = "tests/clients/schemathesis/hooks.py";

/// How much is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Requests for each operation, at most.
    pub(crate) examples: u64,
    /// Which requests.
    pub(crate) seed: u64,
    /// A server that runs already, instead of the example.
    pub(crate) url: Option<String>,
    /// Starts an optimised build of the example.
    pub(crate) release: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { examples: 50, seed: 1, url: None, release: false }
    }
}

pub(crate) fn schemathesis(repo: &Repo, options: &Options) -> Result<()> {
    let home = repo.target.join("clients");
    let program = set_up(&home.join("schemathesis"))?;
    let running = match &options.url {
        Some(url) => Running { url: url.clone(), processes: Vec::new() },
        None => Form::Dev.start(repo, &build(repo, options.release)?, &home)?,
    };
    let mut command = Command::new(program);
    command.env("SCHEMATHESIS_HOOKS", repo.root.join(HOOKS)).current_dir(&home);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("run").arg(format!("{}/openapi.json", running.url));
    command.args(["--checks", "not_a_server_error", "--max-examples"]);
    command.arg(options.examples.to_string()).arg("--seed").arg(options.seed.to_string());
    command.args(STREAMS.iter().flat_map(|id| ["--exclude-operation-id", id]));
    command.args(["--request-timeout", "20", "--no-color"]);
    run(&mut command)
}

/// Operations whose answers have no end of their own.
const STREAMS: [&str; 2] = ["stream_thread", "stream_thread_events"];

fn set_up(folder: &std::path::Path) -> Result<PathBuf> {
    let installed = folder.join("installed.txt");
    let program = folder.join("bin").join("schemathesis");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == PACKAGE) {
        return Ok(program);
    }
    println!("==> schemathesis, into {}", folder.display());
    python::environment(folder, &[PACKAGE])?;
    std::fs::write(&installed, PACKAGE)
        .map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok(program)
}
