//! One measurement: a workload on an engine, in a process of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, KEEP, Kind};
use crate::http::{self, Sizes};
use crate::report::Report;
use crate::workloads::{
    Failure, fan_out, idle, latency, overload, parked, payloads, replay, resume, scale_out, steps,
    stream, takeover,
};

/// What is measured once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) workload: Workload,
    pub(crate) engine: Kind,
    /// How often.
    pub(crate) rounds: usize,
}

/// A workload with its sizes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Workload {
    Steps { in_flight: usize, seconds: f64 },
    FanOut { tasks: u64 },
    Latency { tasks: u64 },
    Resume { threads: usize, is_evicted: bool },
    Replay { calls: u64 },
    Stream { readers: usize, events: u64, per_second: u64 },
    Payloads { bytes: usize, in_flight: usize, seconds: f64 },
    Idle { seconds: f64 },
    Parked { threads: u64, resumes: u64 },
    Takeover { times: usize, lease_ms: u64, workers_only: bool },
    ScaleOut { seconds: u64 },
    Overload { seconds: u64 },
    Http(Sizes),
}

/// A fan-out of so many tasks lasts long.
const LARGE: u64 = 100_000;

impl Workload {
    /// Whether there is such a measurement on an engine: some are about several processes, and
    /// how Redis syncs is no part of others.
    pub(crate) fn is_for(self, engine: Kind) -> bool {
        match self {
            Self::Takeover { .. } | Self::ScaleOut { .. } | Self::Overload { .. } => {
                engine == Kind::Redis
            }
            Self::Parked { .. } | Self::Stream { .. } | Self::Idle { .. } => {
                matches!(engine, Kind::Embedded | Kind::Redis)
            }
            _ => true,
        }
    }

    /// Whether the run of all measures it on an engine: some differ by what is synced and what is
    /// not as others do that are measured on each.
    pub(crate) fn is_in_all(self, engine: Kind) -> bool {
        match self {
            Self::Replay { .. } | Self::Payloads { .. } => {
                matches!(engine, Kind::Embedded | Kind::Redis)
            }
            _ => true,
        }
    }

    /// Whether it measures many times by itself.
    pub(crate) fn is_once(self) -> bool {
        matches!(
            self,
            Self::Parked { .. }
                | Self::Takeover { .. }
                | Self::ScaleOut { .. }
                | Self::Overload { .. }
        )
    }

    /// Whether the run of all measures it once, since it lasts long.
    pub(crate) fn is_once_in_all(self) -> bool {
        match self {
            Self::FanOut { tasks } => tasks >= LARGE,
            _ => matches!(self, Self::Idle { .. }),
        }
    }

    /// The same with sizes that only show that it works.
    pub(crate) fn quick(self) -> Self {
        const SECONDS: f64 = 0.3;
        match self {
            Self::Steps { in_flight, .. } => Self::Steps { in_flight, seconds: SECONDS },
            Self::FanOut { tasks } => Self::FanOut { tasks: tasks.min(1_000) },
            Self::Latency { .. } => Self::Latency { tasks: 100 },
            Self::Resume { is_evicted, .. } => Self::Resume { threads: 20, is_evicted },
            Self::Replay { calls } => Self::Replay { calls: calls.min(1_000) },
            Self::Stream { readers, events, per_second } => {
                Self::Stream { readers: readers.min(50), events: events.min(200), per_second }
            }
            Self::Payloads { bytes, .. } => {
                Self::Payloads { bytes, in_flight: 4, seconds: SECONDS }
            }
            Self::Idle { .. } => Self::Idle { seconds: 2.0 },
            Self::Parked { .. } => Self::Parked { threads: 500, resumes: 10 },
            Self::Takeover { lease_ms, workers_only, .. } => {
                Self::Takeover { times: 1, lease_ms, workers_only }
            }
            Self::ScaleOut { .. } => Self::ScaleOut { seconds: 1 },
            Self::Overload { .. } => Self::Overload { seconds: 2 },
            Self::Http(sizes) => Self::Http(sizes.quick()),
        }
    }

    /// The longest that it may take before it is given up.
    pub(crate) fn limit(self) -> Duration {
        const SHORT: Duration = Duration::from_secs(60);
        match self {
            Self::Parked { threads, .. } => SHORT + Duration::from_millis(threads * 4),
            Self::Takeover { times, .. } => SHORT + Duration::from_secs(times as u64 * 80),
            Self::ScaleOut { seconds } => Duration::from_secs((seconds + 10) * 12),
            Self::Overload { seconds } => SHORT * 2 + Duration::from_secs(seconds * 2),
            Self::Http(_) => SHORT * 5,
            _ => SHORT,
        }
    }
}

impl Case {
    /// Measures, and prints what was found.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut report = Report::default();
        match self.workload {
            Workload::Takeover { times, lease_ms, workers_only } => {
                return takeover::takeover(&mut report, times, lease_ms, workers_only).await;
            }
            Workload::ScaleOut { seconds } => {
                return scale_out::throughput(&mut report, seconds).await;
            }
            Workload::Overload { seconds } => {
                return overload::overload(&mut report, seconds).await;
            }
            Workload::Parked { threads, resumes } if self.engine == Kind::Redis => {
                return parked::parked(&mut report, threads, resumes).await;
            }
            Workload::Http(sizes) => return http::http(&mut report, self.engine, sizes).await,
            _ => {}
        }
        let keep = match self.workload {
            Workload::Resume { is_evicted: true, .. }
            | Workload::Replay { .. }
            | Workload::Parked { .. } => Duration::ZERO,
            _ => KEEP,
        };
        let engine = Engine::start(self.engine, keep).await?;
        let duration = Duration::from_secs_f64;
        let sample = match self.workload {
            Workload::Steps { in_flight, seconds } => {
                steps::steps(&engine, in_flight, duration(seconds)).await?
            }
            Workload::FanOut { tasks } => fan_out::fan_out(&engine, tasks).await?,
            Workload::Latency { tasks } => latency::latency(&engine, tasks).await?,
            Workload::Resume { threads, is_evicted } => {
                resume::resume(&engine, threads, is_evicted).await?
            }
            Workload::Replay { calls } => replay::replay(&engine, calls).await?,
            Workload::Stream { readers, events, per_second } => {
                stream::stream(&engine, readers, events, per_second).await?
            }
            Workload::Payloads { bytes, in_flight, seconds } => {
                payloads::payloads(&engine, bytes, in_flight, duration(seconds)).await?
            }
            Workload::Idle { seconds } => idle::idle(&engine, duration(seconds)).await?,
            Workload::Parked { threads, .. } => parked::embedded(&engine, threads).await?,
            // These have an installation of their own.
            Workload::Takeover { .. }
            | Workload::ScaleOut { .. }
            | Workload::Overload { .. }
            | Workload::Http(_) => return Ok(()),
        };
        report.add(self.engine.name(), sample);
        engine.stop().await
    }
}
