//! Runs over HTTP, as any client makes them.

mod connection;
mod readers;
mod runs;
mod served;

use std::error::Error;

use clap::Args;
use serde::{Deserialize, Serialize};

use self::connection::Failure;
use self::served::Served;
use crate::engine::Kind;
use crate::process;
use crate::report::Report;

/// How much is measured.
#[derive(Debug, Clone, Copy, Args, Serialize, Deserialize)]
pub(crate) struct Sizes {
    /// Runs that are made one at a time, of each kind.
    #[arg(long, default_value_t = 500)]
    runs: usize,
    /// Clients that make runs at the same time.
    #[arg(long, default_value_t = 50)]
    clients: usize,
    /// Runs that they make in all.
    #[arg(long, default_value_t = 5_000)]
    load_runs: usize,
    /// Readers of the events of one run.
    #[arg(long, default_value_t = 1_000)]
    readers: usize,
    /// How many of them read nothing until the others are through.
    #[arg(long, default_value_t = 10)]
    stalled: usize,
    /// Events of that run.
    #[arg(long, default_value_t = 2_000)]
    events: u64,
    /// How many of them are written in a second.
    #[arg(long, default_value_t = 50)]
    per_second: u64,
}

impl Sizes {
    /// Sizes that only show that it works.
    pub(crate) fn quick(self) -> Self {
        Self {
            runs: self.runs.min(20),
            clients: self.clients.min(10),
            load_runs: self.load_runs.min(100),
            readers: self.readers.min(50),
            stalled: self.stalled.min(2),
            events: self.events.min(100),
            per_second: self.per_second,
        }
    }
}

/// Measures all of it on an engine.
pub(crate) async fn http(
    report: &mut Report,
    kind: Kind,
    sizes: Sizes,
) -> Result<(), Box<dyn Error>> {
    measure(report, kind, sizes).await.map_err(|error| -> Box<dyn Error> { error })
}

async fn measure(report: &mut Report, kind: Kind, sizes: Sizes) -> Result<(), Failure> {
    // Each reader is a connection.
    process::open_many_files()?;
    let served = Served::start(kind).await?;
    report.add(kind.name(), runs::idle(&served, sizes.runs).await?);
    report.add(kind.name(), runs::load(&served, sizes.clients, sizes.load_runs).await?);
    drop(served);
    // Memory is that of processes which have done nothing else.
    let served = Served::start(kind).await?;
    report.add(kind.name(), readers::readers(&served, sizes).await?);
    Ok(())
}
