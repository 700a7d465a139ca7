//! Benchmarks of Rethread, through its public API.
//!
//! ```sh
//! cargo xtask bench                  # W1 to W9 and an idle installation, in 15 minutes
//! cargo xtask bench steps            # W1: threads of 10 sequential tasks
//! cargo xtask bench fanout           # W2: one run that calls many tasks at once
//! cargo xtask bench latency          # W3: one task, one at a time
//! cargo xtask bench resume           # W4: an answer to a thread that waits for it
//! cargo xtask bench replay           # W5: the same with many recorded results
//! cargo xtask bench stream           # W6: events from a task to readers
//! cargo xtask bench parked           # W7: a million threads that wait for a person
//! cargo xtask bench takeover         # W8: what it costs to lose a worker or a coordinator
//! cargo xtask bench payloads         # W9: large values
//! cargo xtask bench idle             # an installation without work
//! cargo xtask bench scale-out        # steps per second with more workers and coordinators
//! cargo xtask bench overload         # five times the peak
//! cargo xtask bench http             # runs over HTTP, and a thousand readers of one run
//! ```
//!
//! Each prints one JSON line per engine and repetition, then a table of medians. `--engine`
//! chooses `embedded`, `buffered` (embedded, without a sync per group), `redis` (append-only
//! file, synced every second) or `redis-always`; Redis runs a coordinator, two workers and the
//! client as separate processes against a private server. Over HTTP, the embedded store is served
//! by one process besides this one, and Redis has a gateway in addition. `--quick` makes one
//! repetition with small sizes.
//!
//! ```text
//!   arguments ──► session ──► case, a process each ──► workloads, on an engine or a cluster
//!                    ▲                                     │
//!                    └──────────── JSON lines ─────────────┘
//! ```

mod arguments;
mod case;
mod cluster;
mod engine;
mod http;
mod process;
mod program;
mod report;
mod server;
mod session;
mod workloads;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::workloads::Failure;

/// What an application with many small values does well to use: about a fifth of the time of a
/// coordinator goes into memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Services of a Redis engine are this program again.
    if std::env::var_os(engine::SERVICE_ENV).is_some() {
        return program::app().main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    // So is each measurement.
    if let Ok(case) = std::env::var(session::CASE_ENV) {
        let case: case::Case = serde_json::from_str(&case)?;
        return runtime.block_on(case.run());
    }
    let (cases, limit) = Arguments::parse().plan();
    runtime.block_on(session::measure(&cases, limit))
}
