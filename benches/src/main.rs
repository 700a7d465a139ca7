//! Benchmarks of Rethread, through its public API.
//!
//! ```sh
//! cargo xtask bench steps            # W1: threads of 10 sequential tasks, 64 in flight
//! cargo xtask bench latency          # W3: one task, one at a time
//! cargo xtask bench                  # both
//! cargo xtask bench scale-out        # steps per second with more workers and coordinators
//! cargo xtask bench takeover         # what it costs to lose one
//! cargo xtask bench parked           # a million threads that wait for a person
//! cargo xtask bench overload         # five times the peak
//! cargo xtask bench http             # runs over HTTP, and a thousand readers of one run
//! ```
//!
//! Each prints one JSON line per engine and repetition, then a table of medians. `--engine`
//! chooses `embedded`, `buffered` (embedded, without a sync per group), `redis` (append-only
//! file, synced every second) or `redis-always`; Redis runs a coordinator, two workers and the
//! client as separate processes against a private server. Over HTTP, the embedded store is served
//! by one process besides this one, and Redis has a gateway in addition.

mod cluster;
mod engine;
mod http;
mod measure;
mod overload;
mod parked;
mod process;
mod program;
mod report;
mod scale_out;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::engine::{Engine, Kind};
use crate::report::Report;

/// What an application with many small values does well to use: about a fifth of the time of a
/// coordinator goes into memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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

impl Arguments {
    fn engines_or_all(&self) -> Vec<Kind> {
        match self.engines.is_empty() {
            true => Kind::ALL.to_vec(),
            false => self.engines.clone(),
        }
    }
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
    /// Steps per second with 1, 2 and 4 workers, and 1 and 2 coordinators. On Redis.
    ScaleOut {
        /// How long each is measured.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// How long work stands still when a worker or a coordinator ends. On Redis.
    Takeover {
        /// How often each is ended.
        #[arg(long, default_value_t = 10)]
        times: usize,
        /// The time to live of leases.
        #[arg(long, default_value_t = 10_000)]
        lease_ms: u64,
    },
    /// Threads that wait for a person: their memory, a restart, and answers to some. On Redis.
    Parked {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        threads: u64,
        /// How many are answered.
        #[arg(long, default_value_t = 2_000)]
        resumes: u64,
    },
    /// Five times the peak. On Redis.
    Overload {
        /// For how long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Over HTTP: an idle run, runs per second, and readers of the events of one run.
    Http(http::Sizes),
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
    let mut report = Report::default();
    match arguments.workload {
        Some(Workload::ScaleOut { seconds }) => {
            scale_out::throughput(&mut report, seconds).await?;
        }
        Some(Workload::Takeover { times, lease_ms }) => {
            scale_out::takeover(&mut report, times, lease_ms).await?;
        }
        Some(Workload::Parked { threads, resumes }) => {
            parked::parked(&mut report, threads, resumes).await?;
        }
        Some(Workload::Overload { seconds }) => overload::overload(&mut report, seconds).await?,
        Some(Workload::Http(sizes)) => {
            for kind in arguments.engines_or_all() {
                for _ in 0..arguments.repeat {
                    http::http(&mut report, kind, sizes).await?;
                }
            }
        }
        _ => on_each_engine(arguments, &mut report).await?,
    }
    report.print_table();
    Ok(())
}

async fn on_each_engine(
    arguments: Arguments,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let engines = arguments.engines_or_all();
    let workloads = match arguments.workload {
        Some(workload) => vec![workload],
        None => vec![
            Workload::Steps { in_flight: 64, threads: 2_000 },
            Workload::Latency { tasks: 2_000 },
        ],
    };
    for workload in workloads {
        for kind in &engines {
            for _ in 0..arguments.repeat {
                let engine = Engine::start(*kind).await?;
                let sample = match workload {
                    Workload::Steps { in_flight, threads } => {
                        measure::steps(&engine, in_flight, threads).await?
                    }
                    Workload::Latency { tasks } => measure::latency(&engine, tasks).await?,
                    // These have an installation of their own.
                    _ => continue,
                };
                report.add(kind.name(), sample);
                engine.stop().await?;
            }
        }
    }
    Ok(())
}
