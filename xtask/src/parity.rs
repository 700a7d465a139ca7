//! Differential runs: random programs on the real LangGraph and on Rethread.
//!
//! The Python side lives in `crates/rethread-conformance/oracle`; its packages are pinned and go
//! into a virtual environment below cargo's target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use crate::repo::{Repo, run};
use crate::{Result, redis};

const CONFORMANCE: &str = "crates/rethread-conformance";
/// Recorded cases, in it.
const CASES: &str = "cases";
const GRAPH_CASES: &str = "graph-cases";

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) count: usize,
    pub(crate) engine: String,
    pub(crate) evict: bool,
    /// Programs of the Graph API instead of the Functional one.
    pub(crate) graphs: bool,
    /// Instead of random programs: whether LangGraph still gives the recorded traces.
    pub(crate) recorded: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            count: 100,
            engine: "memory".into(),
            evict: false,
            graphs: false,
            recorded: false,
        }
    }
}

pub(crate) fn parity(repo: &Repo, options: &Options) -> Result<()> {
    let python = python(repo)?;
    let folder = repo.target.join("parity");
    if options.recorded {
        let cases =
            repo.root.join(CONFORMANCE).join(if options.graphs { GRAPH_CASES } else { CASES });
        let again = folder.join("recorded");
        emptied(&again)?;
        let mut oracle = script(repo, &python, "oracle.py");
        run(oracle.arg("--out").arg(&again).arg(&cases))?;
        return run(conformance(repo).arg("compare").args([cases, again]));
    }
    let kind = if options.graphs { "graphs-seed" } else { "seed" };
    let cases = folder.join(format!("{kind}-{}", options.seed));
    emptied(&cases)?;
    println!("==> {} random programs on LangGraph, seed {}", options.count, options.seed);
    generate(repo, &python, options, &cases)?;
    println!("==> the same on Rethread, engine {}", options.engine);
    let mut suite = conformance(repo);
    suite.args(["suite", "--engine", &options.engine]);
    if options.evict {
        suite.arg("--evict");
    }
    if matches!(options.engine.as_str(), "redis" | "processes") {
        suite.env(redis::VARIABLE, redis::find(repo)?);
    }
    run(suite.arg(&cases))
}

fn conformance(repo: &Repo) -> Command {
    let mut command = repo.cargo();
    command.args(["run", "--quiet", "--locked", "-p", "rethread-conformance", "--"]);
    command
}

fn script(repo: &Repo, python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    // No caches of bytecode beside the sources.
    command.arg("-B").arg(repo.root.join(CONFORMANCE).join("oracle").join(name));
    command
}

/// Generates cases, each processor a part of them.
fn generate(repo: &Repo, python: &Path, options: &Options, out: &Path) -> Result<()> {
    let parts = available_parallelism().map_or(1, usize::from).min(options.count.max(1));
    let mut children = Vec::new();
    for part in 0..parts {
        let (first, end) = (options.count * part / parts, options.count * (part + 1) / parts);
        let mut command = script(repo, python, "generate.py");
        command.args(["--seed", &options.seed.to_string(), "--first", &first.to_string()]);
        if options.graphs {
            command.arg("--graphs");
        }
        command.args(["--count", &(end - first).to_string(), "--out"]).arg(out);
        let started = command.stdin(Stdio::null()).spawn();
        children.push(started.map_err(|error| format!("cannot start the generator: {error}"))?);
    }
    let mut failed = 0;
    for mut child in children {
        let status = child.wait().map_err(|error| format!("the generator: {error}"))?;
        failed += usize::from(!status.success());
    }
    if failed == 0 { Ok(()) } else { Err("the generator failed: see its output above".into()) }
}

/// A Python with the pinned packages, set up if it is not there.
fn python(repo: &Repo) -> Result<PathBuf> {
    let environment = repo.target.join("parity").join("python");
    let python = environment.join("bin").join("python");
    let requirements = repo.root.join(CONFORMANCE).join("oracle").join("requirements.txt");
    let wanted = std::fs::read(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let installed = environment.join("installed.txt");
    if std::fs::read(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    println!("==> Python packages, into {}", environment.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .map_err(|error| format!("parity needs Python 3.11 or later with venv: {error}"))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    run(pip.arg(&requirements))?;
    std::fs::write(&installed, wanted)
        .map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok(python)
}

fn emptied(folder: &Path) -> Result<()> {
    let done = match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::create_dir_all(folder),
    };
    done.map_err(|error| format!("{}: {error}", folder.display()))
}
