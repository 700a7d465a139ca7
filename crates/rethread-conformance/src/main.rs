//! Runs cases of the conformance language on Rethread, through its public API only.
//!
//! A case is a program and a session on it; running it gives a trace of what was observed. The
//! expected traces were recorded from LangGraph.
//!
//! ```text
//! rethread-conformance CASE.json            prints the trace of one case (`-`: standard input)
//! rethread-conformance suite FOLDER..       runs all cases of folders and compares
//! rethread-conformance compare A.json B.json   compares two traces
//! ```

mod body;
mod case;
mod compare;
mod counters;
mod data;
mod engine;
mod errors;
mod eval;
mod expr;
mod graph;
mod operation;
mod program;
mod session;
mod statement;
mod store;
mod suite;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use rethread_redis::testing::RedisServer;

use crate::engine::EngineKind;
use crate::session::Stop;
use crate::suite::Setup;

/// Exit code that says: this case uses something that is not implemented.
const NOT_IMPLEMENTED: u8 = 3;

#[derive(Debug, Parser)]
#[command(about = "Runs cases of the conformance language on Rethread", long_about = None)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    how: How,
    /// The case; `-` reads it from standard input.
    #[arg(required = true)]
    case: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all cases of folders and compare their traces with the recorded ones.
    Suite {
        #[command(flatten)]
        how: How,
        /// Only cases with this text in their name.
        #[arg(long, default_value = "")]
        only: String,
        /// Cases that run at the same time.
        #[arg(long, default_value_t = 4)]
        jobs: usize,
        /// Folders of cases.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
    },
    /// Compare a trace with the expected one, or the `.expected.json` of two folders.
    Compare {
        /// The expected trace, or a folder of them.
        expected: PathBuf,
        /// The other one, or a folder of them.
        candidate: PathBuf,
    },
}

#[derive(Debug, Args)]
struct How {
    /// Where cases run.
    #[arg(long, value_enum, default_value = "memory")]
    engine: EngineKind,
    /// The Redis to use; without it, one is started.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Drop and replay entrypoints whenever they rest.
    #[arg(long)]
    evict: bool,
    /// Run the nodes of graphs in the coordinator that only compute.
    #[arg(long)]
    inline: bool,
}

fn main() -> ExitCode {
    if engine::is_role() {
        return engine::role_main();
    }
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let ran = match (cli.command, cli.case) {
        (Some(Command::Suite { how, only, jobs, folders }), _) => with_setup(how, |setup| {
            let passed = runtime.block_on(suite::run(setup, &folders, &only, jobs));
            passed.map(|passed| if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }),
        (Some(Command::Compare { expected, candidate }), _) => compare(&expected, &candidate),
        (None, Some(case)) => with_setup(cli.how, |setup| {
            let source = source(&case)?;
            match runtime.block_on(setup.trace(&source)) {
                Ok(trace) => {
                    println!("{trace}");
                    Ok(ExitCode::SUCCESS)
                }
                Err(Stop::NotImplemented(what)) => {
                    eprintln!("not implemented: {what}");
                    Ok(ExitCode::from(NOT_IMPLEMENTED))
                }
                Err(Stop::Trouble(text)) => Err(text),
                Err(Stop::Error(error)) => Err(error.to_string()),
            }
        }),
        (None, None) => Err("name a case".into()),
    };
    ran.unwrap_or_else(|error| failed(&error))
}

fn with_setup<T>(how: How, run: impl FnOnce(&Setup) -> Result<T, String>) -> Result<T, String> {
    let needs_server = how.engine.needs_redis() && how.redis.is_none();
    let server = needs_server.then(RedisServer::start);
    let own = || server.as_ref().map(RedisServer::url).unwrap_or_default();
    let redis = how.redis.unwrap_or_else(own);
    run(&Setup { engine: how.engine, redis, is_evicting: how.evict, is_inline: how.inline })
}

fn source(case: &Path) -> Result<String, String> {
    if case == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        return read.map(|_| text).map_err(|error| format!("standard input: {error}"));
    }
    suite::read(case)
}

fn compare(expected: &Path, candidate: &Path) -> Result<ExitCode, String> {
    let differ = if expected.is_dir() {
        suite::compare_folders(expected, candidate)?
    } else {
        let found = suite::compare_files(expected, candidate)?;
        found.iter().for_each(|line| println!("{line}"));
        !found.is_empty()
    };
    Ok(if differ { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn failed(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
