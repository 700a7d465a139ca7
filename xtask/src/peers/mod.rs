//! Rethread beside LangGraph, Restate, BullMQ and apalis: the same workloads in turn, in one run.
//!
//! ```text
//!   target/peers/  python/   virtual environment: LangGraph with its stores
//!                  bullmq/   BullMQ and its driver
//!                  restate/  the server of Restate
//!                  cargo/    drivers in Rust
//!                  data/     of the servers, while they run
//! ```
//!
//! The drivers live in `benches/peers`; each prints the JSON lines that the benchmarks print.

mod engine;
mod install;
mod measure;
mod postgres;
mod table;

use std::time::{Duration, Instant};

use crate::Result;
use crate::repo::Repo;
use engine::Engine;
use install::Programs;
use table::Table;

/// What is run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Repetitions, of which the median counts.
    pub(crate) rounds: usize,
    /// Begins nothing more after so many minutes, counted from when all is installed.
    pub(crate) minutes: u64,
    /// Small sizes, once.
    pub(crate) quick: bool,
    /// Engines whose names contain one of these; all if there are none.
    pub(crate) only: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 3, minutes: 14, quick: false, only: Vec::new() }
    }
}

/// A workload with its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Workload {
    name: &'static str,
    size: u64,
    /// Measured once on engines that take long for it.
    is_long: bool,
}

const fn workload(name: &'static str, size: u64, is_long: bool) -> Workload {
    Workload { name, size, is_long }
}

const WORKLOADS: &[Workload] = &[
    workload("steps", 64, false),
    workload("fan-out", 1_000, false),
    workload("fan-out", 10_000, true),
    workload("latency", 300, false),
    workload("resume", 100, false),
    workload("replay", 1_000, false),
    workload("replay", 5_000, true),
];

const QUICK: &[Workload] = &[
    workload("steps", 8, false),
    workload("fan-out", 100, false),
    workload("latency", 20, false),
    workload("resume", 5, false),
    workload("replay", 50, false),
];

pub(crate) fn peers(repo: &Repo, options: &Options) -> Result<()> {
    let home = repo.target.join("peers");
    let is_wanted = |engine: &Engine| {
        options.only.is_empty() || options.only.iter().any(|only| engine.name().contains(only))
    };
    let engines: Vec<Engine> = Engine::ALL.into_iter().filter(is_wanted).collect();
    let programs = Programs::install(repo, &home, &engines)?;
    let engines = programs.engines();
    let (workloads, rounds) = if options.quick { (QUICK, 1) } else { (WORKLOADS, options.rounds) };
    let limit = Duration::from_secs(options.minutes * 60);
    let begun = Instant::now();
    let mut table = Table::default();
    let mut failures = programs.missing().to_vec();
    'rounds: for round in 1..=rounds {
        for workload in workloads {
            for engine in engines.iter().filter(|engine| engine.has(workload.name)) {
                if round > 1 && workload.is_long && engine.is_slow() {
                    continue;
                }
                let left = limit.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    println!("the time is up in round {round} of {rounds}");
                    break 'rounds;
                }
                let (name, Workload { name: kind, size, .. }) = (engine.name(), workload);
                let at = begun.elapsed().as_secs();
                println!("==> {at:4} s, round {round} of {rounds}: {kind} {size} on {name}");
                match measure::measure(repo, &programs, *engine, *workload, left) {
                    Ok(lines) => lines.iter().for_each(|line| table.add(line)),
                    Err(error) => {
                        println!("error: {error}");
                        failures.push(format!("{kind} {size} on {name}: {error}"));
                    }
                }
            }
        }
        if round < rounds {
            // What there is so far.
            println!("\n{table}");
        }
    }
    println!("\n{table}");
    for version in programs.versions() {
        println!("{version}");
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!("not all was measured:\n  {}", failures.join("\n  "))),
    }
}
