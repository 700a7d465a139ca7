//! The command line: which workloads, in which sizes, on which engines.

use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::case::{Case, Workload};
use crate::engine::Kind;
use crate::http::Sizes;

/// Minutes that the run of all may take.
const ALL_MINUTES: f64 = 14.0;
/// More than anything takes, in minutes.
const A_DAY: f64 = 24.0 * 60.0;

#[derive(Debug, Parser)]
#[command(about = "Benchmarks of Rethread")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    workload: Option<Asked>,
    /// Engines to measure; all by default.
    #[arg(long = "engine", global = true, value_enum, value_delimiter = ',')]
    engines: Vec<Kind>,
    /// Repetitions, of which the median counts.
    #[arg(long, global = true, default_value_t = 5)]
    repeat: usize,
    /// Ends after this time, and shows what was measured until then. By default 14 for the run of
    /// all, and as long as it takes for one workload.
    #[arg(long, global = true)]
    minutes: Option<f64>,
    /// One repetition with small sizes, to see that everything works.
    #[arg(long, global = true)]
    quick: bool,
}

/// Several values of an option are measured one after the other.
#[derive(Debug, Clone, Subcommand)]
enum Asked {
    /// W1: threads of 10 sequential tasks: steps per second.
    Steps {
        /// Threads that are run at the same time.
        #[arg(long, value_delimiter = ',', default_values_t = [64, 256, 1_000])]
        in_flight: Vec<usize>,
        /// About how long each repetition lasts.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// W2: one run that calls many tasks at once.
    #[command(alias = "fan-out")]
    Fanout {
        /// How many.
        #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
        tasks: Vec<u64>,
    },
    /// W3: one task at a time: from its call to its result, and runs of one task.
    Latency {
        /// Tasks to measure.
        #[arg(long, default_value_t = 2_000)]
        tasks: u64,
    },
    /// W4: threads that wait for an answer, in memory and not: from the answer to the result.
    Resume {
        /// Threads to answer.
        #[arg(long, default_value_t = 500)]
        threads: usize,
    },
    /// W5: a run with many recorded results is answered, and replayed before that.
    Replay {
        /// Recorded results.
        #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 5_000, 10_000])]
        calls: Vec<u64>,
    },
    /// W6: events of a task that reach readers in another process.
    Stream {
        /// Events that are written as fast as it goes, to one reader.
        #[arg(long, default_value_t = 100_000)]
        events: u64,
        /// Readers at the same time, of 50 events a second.
        #[arg(long, default_value_t = 1_000)]
        readers: usize,
    },
    /// W7: threads that wait for a person: what they take; on Redis a restart and answers, too.
    Parked {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        threads: u64,
        /// How many are answered.
        #[arg(long, default_value_t = 2_000)]
        resumes: u64,
    },
    /// W8: how long work stands still when a worker or a coordinator ends. On Redis.
    Takeover {
        /// How often each is ended.
        #[arg(long, default_value_t = 10)]
        times: usize,
        /// The time to live of leases.
        #[arg(long, default_value_t = 10_000)]
        lease_ms: u64,
        /// Only workers, and only by SIGKILL.
        #[arg(long)]
        workers_only: bool,
    },
    /// W9: tasks with large values.
    Payloads {
        /// Bytes that each is given, and gives.
        #[arg(long, value_delimiter = ',', default_values_t = [1 << 10, 64 << 10, 1 << 20])]
        bytes: Vec<usize>,
        /// About how long each repetition lasts.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// What an installation without threads takes, and the size of a program.
    Idle {
        /// How long it is watched.
        #[arg(long, default_value_t = 20.0)]
        seconds: f64,
    },
    /// Steps per second with 1, 2 and 4 workers, and 1 and 2 coordinators. On Redis.
    ScaleOut {
        /// How long each is measured.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// Five times the peak. On Redis.
    Overload {
        /// For how long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Over HTTP: an idle run, runs per second, and readers of the events of one run.
    Http(Sizes),
}

/// Threads in flight with values of this size: what is in flight fits into memory several times.
fn in_flight(bytes: usize) -> usize {
    const BYTES: usize = 16 << 20;
    (BYTES / bytes).clamp(8, 64)
}

impl Asked {
    fn workloads(self) -> Vec<Workload> {
        match self {
            Self::Steps { in_flight, seconds } => {
                let each = in_flight.into_iter();
                each.map(|in_flight| Workload::Steps { in_flight, seconds }).collect()
            }
            Self::Fanout { tasks } => {
                tasks.into_iter().map(|tasks| Workload::FanOut { tasks }).collect()
            }
            Self::Latency { tasks } => vec![Workload::Latency { tasks }],
            Self::Resume { threads } => {
                let each = [false, true].into_iter();
                each.map(|is_evicted| Workload::Resume { threads, is_evicted }).collect()
            }
            Self::Replay { calls } => {
                calls.into_iter().map(|calls| Workload::Replay { calls }).collect()
            }
            Self::Stream { events, readers } => vec![
                Workload::Stream { readers: 1, events, per_second: 0 },
                Workload::Stream { readers: 1, events: 2_000, per_second: 1_000 },
                Workload::Stream { readers, events: 100, per_second: 50 },
            ],
            Self::Parked { threads, resumes } => vec![Workload::Parked { threads, resumes }],
            Self::Takeover { times, lease_ms, workers_only } => {
                vec![Workload::Takeover { times, lease_ms, workers_only }]
            }
            Self::Payloads { bytes, seconds } => {
                let each = bytes.into_iter();
                each.map(|bytes| Workload::Payloads { bytes, in_flight: in_flight(bytes), seconds })
                    .collect()
            }
            Self::Idle { seconds } => vec![Workload::Idle { seconds }],
            Self::ScaleOut { seconds } => vec![Workload::ScaleOut { seconds }],
            Self::Overload { seconds } => vec![Workload::Overload { seconds }],
            Self::Http(sizes) => vec![Workload::Http(sizes)],
        }
    }

    /// W1 to W9 and an idle installation, in sizes of which five repetitions fit into a quarter of
    /// an hour.
    fn all() -> Vec<Workload> {
        [
            Self::Steps { in_flight: vec![64, 256, 1_000], seconds: 1.0 },
            Self::Fanout { tasks: vec![1_000, 10_000, 100_000] },
            Self::Latency { tasks: 1_000 },
            Self::Resume { threads: 300 },
            Self::Replay { calls: vec![10, 100, 1_000, 5_000, 10_000] },
            Self::Stream { events: 100_000, readers: 1_000 },
            Self::Payloads { bytes: vec![1 << 10, 64 << 10, 1 << 20], seconds: 0.5 },
            Self::Takeover { times: 5, lease_ms: 10_000, workers_only: true },
            Self::Parked { threads: 20_000, resumes: 200 },
            Self::Idle { seconds: 8.0 },
        ]
        .into_iter()
        .flat_map(Self::workloads)
        .collect()
    }
}

impl Arguments {
    /// What is to be measured, and for how long at most.
    pub(crate) fn plan(self) -> (Vec<Case>, Duration) {
        let is_all = self.workload.is_none();
        let workloads = self.workload.map_or_else(Asked::all, Asked::workloads);
        let engines = if self.engines.is_empty() { Kind::ALL.to_vec() } else { self.engines };
        let mut cases = Vec::new();
        for workload in workloads {
            let workload = if self.quick { workload.quick() } else { workload };
            let is_once = self.quick || workload.is_once() || (is_all && workload.is_once_in_all());
            let rounds = if is_once { 1 } else { self.repeat };
            let is_wanted =
                |engine: Kind| workload.is_for(engine) && (!is_all || workload.is_in_all(engine));
            let engines = engines.iter().copied().filter(|engine| is_wanted(*engine));
            cases.extend(engines.map(|engine| Case { workload, engine, rounds }));
        }
        let minutes = self.minutes.unwrap_or(if is_all { ALL_MINUTES } else { A_DAY });
        (cases, Duration::from_secs_f64(minutes.clamp(0.0, A_DAY) * 60.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Vec<Case> {
        let arguments = Arguments::try_parse_from(line.split_whitespace()).expect("parses");
        arguments.plan().0
    }

    #[test]
    fn values_and_engines_multiply() {
        let cases = plan("bench steps --in-flight 1,2 --engine redis,embedded");
        assert_eq!((cases.len(), cases[0].rounds), (4, 5));
        let cases = plan("bench takeover");
        assert_eq!((cases.len(), cases[0].rounds), (1, 1));
        assert_eq!(plan("bench fan-out --tasks 5 --engine redis --quick")[0].rounds, 1);
    }

    #[test]
    fn a_case_survives_its_way_to_a_process() {
        for case in plan("bench") {
            let text = serde_json::to_string(&case).expect("encodes");
            let read: Case = serde_json::from_str(&text).expect("decodes");
            assert_eq!(format!("{read:?}"), format!("{case:?}"));
        }
    }
}
