//! The suites: what `cargo xtask test` runs, in order of what fails fastest.

use std::path::PathBuf;
use std::process::Command;

use crate::repo::{Repo, run, stdout_of};
use crate::steps::Steps;
use crate::{Result, clients, redis, tidy};

/// A step that is one cargo command.
#[derive(Debug)]
struct CargoStep {
    name: &'static str,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
}

/// The program that compares with LangGraph, and its cases. In memory and on Redis they are part
/// of the tests.
const CONFORMANCE: &str = "rethread-conformance";
const CASES: &str = "crates/rethread-conformance/cases";
const GRAPHS: &str = "crates/rethread-conformance/graph-cases";

/// The program that disturbs real processes.
const CHAOS: &str = "rethread-chaos";

/// What every change must pass, besides formatting and tidy.
const SHORT: &[CargoStep] = &[
    CargoStep {
        name: "clippy",
        args: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
        env: &[],
    },
    CargoStep {
        name: "doc",
        args: &["doc", "--workspace", "--all-features", "--no-deps", "--locked"],
        env: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    // Builds every example before the first test runs: the process tests start them.
    CargoStep {
        name: "tests",
        args: &["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"],
        env: &[],
    },
    CargoStep {
        name: "simulator, 10,000 seeds",
        args: &[
            "test",
            "--locked",
            "--release",
            "-p",
            "rethread-sim",
            "--test",
            "sim",
            "--",
            "--seeds=10000",
        ],
        env: &[],
    },
    CargoStep {
        name: "chaos, one minute",
        args: &["run", "--locked", "-p", CHAOS, "--bin", CHAOS, "--", "--out", "target/chaos"],
        env: &[],
    },
];

/// What `--all` adds. A suite that takes minutes goes here.
const LONG: &[CargoStep] = &[
    CargoStep {
        name: "storage without the disk adapter",
        args: &["check", "-p", "rethread-storage", "--no-default-features", "--locked"],
        env: &[],
    },
    CargoStep {
        name: "fuzz targets compile",
        args: &["check", "--manifest-path", "fuzz/Cargo.toml", "--bins", "--locked"],
        env: &[],
    },
    CargoStep {
        name: "conformance, stored on disk",
        args: &["run", "--locked", "-p", CONFORMANCE, "--", "suite", "--engine=embedded", CASES],
        env: &[],
    },
    CargoStep {
        name: "conformance, several processes",
        args: &["run", "--locked", "-p", CONFORMANCE, "--", "suite", "--engine=processes", CASES],
        env: &[],
    },
    CargoStep {
        name: "conformance of graphs, stored on disk",
        args: &["run", "--locked", "-p", CONFORMANCE, "--", "suite", "--engine=embedded", GRAPHS],
        env: &[],
    },
    CargoStep {
        name: "conformance of graphs, several processes",
        args: &["run", "--locked", "-p", CONFORMANCE, "--", "suite", "--engine=processes", GRAPHS],
        env: &[],
    },
    CargoStep {
        name: "conformance, entrypoints replayed at each rest",
        args: &["run", "--locked", "-p", CONFORMANCE, "--", "suite", "--evict", CASES],
        env: &[],
    },
    CargoStep {
        name: "chaos, five minutes",
        args: &[
            "run",
            "--locked",
            "--release",
            "-p",
            CHAOS,
            "--bin",
            CHAOS,
            "--",
            "--profile=ci",
            "--out=target/chaos",
        ],
        env: &[],
    },
    CargoStep {
        name: "a million records are checked",
        args: &[
            "run",
            "--locked",
            "--release",
            "-p",
            CHAOS,
            "--bin",
            "rethread-check",
            "--",
            "--synthetic=1000000",
        ],
        env: &[],
    },
    CargoStep {
        name: "tests, optimised",
        args: &["test", "--workspace", "--all-features", "--locked", "--release"],
        env: &[],
    },
];

pub(crate) fn test(repo: &Repo, all: bool, keep_going: bool) -> Result<()> {
    let mut steps = Steps::new(keep_going);
    let mut redis_server: Option<PathBuf> = None;
    steps.run("toolchain", || toolchain(repo))?;
    steps.run("fmt", || run(repo.cargo().args(["fmt", "--all", "--check"])))?;
    steps.run("tidy", || tidy::run(repo))?;
    steps.run("redis-server", || {
        let path = redis::find(repo)?;
        println!("    {}", path.display());
        redis_server = Some(path);
        Ok(())
    })?;
    let long = if all { LONG } else { &[] };
    for step in SHORT.iter().chain(long) {
        steps.run(step.name, || {
            let mut command = repo.cargo();
            command.args(step.args).envs(step.env.iter().copied());
            if let Some(path) = &redis_server {
                command.env(redis::VARIABLE, path);
            }
            run(&mut command)
        })?;
    }
    if all {
        steps.run("stock clients", || clients::clients(repo, &clients::Options::default()))?;
    }
    steps.finish()
}

/// The program whose size the benchmarks tell.
const SIZED: &str = "essay";

pub(crate) fn bench(repo: &Repo, args: &[String]) -> Result<()> {
    let workload = args.iter().find(|arg| !arg.starts_with('-'));
    let mut command = repo.cargo();
    command.args(["run", "--release", "--locked", "-p", "rethread-benches", "--"]).args(args);
    if workload.is_none_or(|workload| workload == "idle") {
        let mut build = repo.cargo();
        build.args(["build", "--release", "--locked", "-p", "rethread-examples", "--example"]);
        run(build.arg(SIZED))?;
        command.env("BENCH_PROGRAM", repo.target.join("release/examples").join(SIZED));
    }
    run(with_redis(repo, &mut command))
}

/// The benchmarks of small parts.
pub(crate) fn micro_bench(repo: &Repo, args: &[String]) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["bench", "--locked", "-p", "rethread-benches", "--benches", "--"]).args(args);
    run(with_redis(repo, &mut command))
}

fn with_redis<'c>(repo: &Repo, command: &'c mut Command) -> &'c mut Command {
    match redis::find(repo) {
        Ok(path) => command.env(redis::VARIABLE, path),
        // Most benchmarks need no server; those that do say so themselves.
        Err(message) => {
            eprintln!("warning: {message}");
            command
        }
    }
}

/// Shows or writes what the step `tests` compares: it is the same program of the same build, since
/// other features allocate otherwise.
pub(crate) fn counts(repo: &Repo, args: &[String]) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["test", "--quiet", "--workspace", "--all-features", "--locked"]);
    command.args(["--test", "counts", "--"]);
    let has_mode = args.iter().any(|arg| arg.starts_with("--"));
    command.args((!has_mode).then_some("--show")).args(args);
    run(command.env(redis::VARIABLE, redis::find(repo)?))
}

pub(crate) fn fix(repo: &Repo) -> Result<()> {
    run(repo.cargo().args(["fmt", "--all"]))
}

/// Adds rustfmt and clippy where a minimal toolchain lacks them.
fn toolchain(repo: &Repo) -> Result<()> {
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(tool, _)| stdout_of(repo.cargo().args([tool, "--version"])).is_err())
        .map(|(_, component)| component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(&repo.root).args(["component", "add"]).args(&missing);
    run(&mut rustup).map_err(|error| {
        format!("the Rust toolchain lacks {}: install it ({error})", missing.join(" and "))
    })
}
