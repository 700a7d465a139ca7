//! Benchmarks of Rethread, through its public API.
//!
//! ```sh
//! cargo xtask bench steps            # W1: threads of 10 sequential tasks, 64 in flight
//! cargo xtask bench latency          # W3: one task, one at a time
//! cargo xtask bench                  # both
//! ```
//!
//! Each prints one JSON line per engine and repetition, then a table of medians. `--engine`
//! chooses `embedded`, `buffered` (embedded, without a sync per group), `redis` (append-only
//! file, synced every second) or `redis-always`; Redis runs a coordinator, two workers and the
//! client as separate processes against a private server.

mod engine;
mod measure;
mod program;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::engine::{Engine, Kind};
use crate::report::Report;

#[derive(Debug, Parser)]
#[command(about = "Benchmarks of Rethread")]
struct Arguments {
    #[command(subcommand)]
    workload: Option<Workload>,
    /// Engines to measure; all by default.
    #[arg(long = "engine", global = true, value_enum)]
    engines: Vec<Kind>,
    /// Repetitions, of which the median counts.
    #[arg(long, global = true, default_value_t = 5)]
    repeat: usize,
}

#[derive(Debug, Clone, Subcommand)]
enum Workload {
    /// Threads of 10 sequential tasks: steps per second.
    Steps {
        /// Threads that are run at the same time.
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
        /// Threads in all.
        #[arg(long, default_value_t = 2_000)]
        threads: usize,
    },
    /// One task in a run, one run at a time: time from a task's call to its result.
    Latency {
        /// Tasks to measure.
        #[arg(long, default_value_t = 2_000)]
        tasks: usize,
    },
}

fn main() -> ExitCode {
    // Services of a Redis engine are this program again.
    if std::env::var_os(engine::SERVICE_ENV).is_some() {
        return program::app().main();
    }
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let workloads = match arguments.workload {
        Some(workload) => vec![workload],
        None => vec![
            Workload::Steps { in_flight: 64, threads: 2_000 },
            Workload::Latency { tasks: 2_000 },
        ],
    };
    let engines = match arguments.engines.is_empty() {
        true => Kind::ALL.to_vec(),
        false => arguments.engines,
    };
    let mut report = Report::default();
    for workload in workloads {
        for kind in &engines {
            for _ in 0..arguments.repeat {
                let engine = Engine::start(*kind).await?;
                let sample = match workload {
                    Workload::Steps { in_flight, threads } => {
                        measure::steps(&engine, in_flight, threads).await?
                    }
                    Workload::Latency { tasks } => measure::latency(&engine, tasks).await?,
                };
                report.add(*kind, sample);
                engine.stop().await?;
            }
        }
    }
    report.print_table();
    Ok(())
}
