//! How long, how much and how rough.

use std::time::Duration;

use clap::ValueEnum;

/// Which profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// One minute, in each CI run.
    Smoke,
    /// Five minutes, when core, storage or services changed.
    Ci,
    /// 45 minutes, before a release.
    Nightly,
}

/// What a profile asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Profile {
    /// Its name.
    pub(crate) name: &'static str,
    /// How long programs are started and faults made.
    pub(crate) time: Duration,
    /// Least number of runs that end.
    pub(crate) runs: u64,
    /// Least number of results of tasks.
    pub(crate) tasks: u64,
    /// Threads begun per second.
    pub(crate) threads_per_second: f64,
    /// Faults per minute.
    pub(crate) faults_per_minute: u64,
}

impl Name {
    pub(crate) fn profile(self) -> Profile {
        match self {
            Self::Smoke => Profile {
                name: "smoke",
                time: Duration::from_secs(60),
                runs: 1_000,
                tasks: 5_000,
                threads_per_second: 9.0,
                faults_per_minute: 12,
            },
            Self::Ci => Profile {
                name: "ci",
                time: Duration::from_secs(5 * 60),
                runs: 10_000,
                tasks: 50_000,
                threads_per_second: 12.0,
                faults_per_minute: 20,
            },
            Self::Nightly => Profile {
                name: "nightly",
                time: Duration::from_secs(45 * 60),
                runs: 100_000,
                tasks: 500_000,
                threads_per_second: 13.0,
                faults_per_minute: 20,
            },
        }
    }
}
