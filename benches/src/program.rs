//! What is run.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rethread::App;
use rethread::prelude::*;
use serde::{Deserialize, Serialize};

use crate::process::shared_clock_us;

/// Names the file to which the task `noted` appends.
pub(crate) const LEDGER_ENV: &str = "BENCH_LEDGER";

/// About 100 bytes in, about 100 bytes out.
#[task]
pub(crate) async fn noop(text: String) -> Result<String> {
    Ok(text)
}

/// Calls `noop` this many times, one after the other.
#[entrypoint]
pub(crate) async fn sequence(steps: u64) -> Result<u64> {
    for step in 0..steps {
        noop(format!("{step:0>96}")).await?;
    }
    Ok(steps)
}

/// The same, and gives the time that each call took, in microseconds. A replay would measure
/// nothing, which does not matter here.
#[entrypoint]
pub(crate) async fn timed_sequence(steps: u64) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    for step in 0..steps {
        let begin = Instant::now();
        noop(format!("{step:0>96}")).await?;
        times.push(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(times)
}

/// Steps of a kind, one after the other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Work {
    /// How many.
    pub(crate) steps: u64,
    /// How long each lasts.
    pub(crate) ms: u64,
    /// Whether it computes all the time instead of sleeping.
    pub(crate) is_busy: bool,
}

#[task]
async fn nap(step: (u64, u64)) -> Result<u64> {
    tokio::time::sleep(Duration::from_millis(step.1)).await;
    Ok(step.0)
}

/// Computes for this long on a processor of its own: a fixed amount of work, so that it takes
/// longer where it has to share.
#[task]
async fn compute(step: (u64, u64)) -> Result<u64> {
    /// Rounds in a millisecond, on a machine of 2024.
    const ROUNDS: u64 = 500_000;
    let mut value = step.0;
    for round in 0..ROUNDS * step.1 {
        value = std::hint::black_box(value.rotate_left(5) ^ round);
    }
    Ok(value)
}

/// Does this work.
#[entrypoint]
pub(crate) async fn labour(work: Work) -> Result<u64> {
    for step in 0..work.steps {
        let step = (step, work.ms);
        let _ = if work.is_busy { compute(step).await? } else { nap(step).await? };
    }
    Ok(work.steps)
}

/// Sleeps, and appends one byte to the ledger.
#[task]
async fn noted(ms: u64) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    let path = std::env::var_os(LEDGER_ENV);
    let path = path.ok_or_else(|| Error::msg(format_args!("{LEDGER_ENV} is not set")))?;
    OpenOptions::new().create(true).append(true).open(path)?.write_all(b".")?;
    Ok(())
}

/// One step that is noted.
#[entrypoint]
pub(crate) async fn counted(ms: u64) -> Result<()> {
    noted(ms).await
}

/// Waits for a person.
#[entrypoint]
pub(crate) async fn question(text: String) -> Result<String> {
    interrupt(text).await
}

/// Events to be written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Writing {
    /// How many.
    pub(crate) events: u64,
    /// At which rate.
    pub(crate) per_second: u64,
    /// They are begun once this file is there.
    pub(crate) gate: PathBuf,
}

/// One event of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tick {
    number: u64,
    /// When it was written, by the clock that all processes share, in microseconds.
    pub(crate) at_us: u64,
    /// Makes it as large as a few words.
    text: String,
}

/// Writes events at a steady rate.
#[task]
async fn write_events(writing: Writing) -> Result<u64> {
    while !writing.gate.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pace = Duration::from_secs(1).div_f64(writing.per_second.max(1) as f64);
    let mut pace = tokio::time::interval(pace);
    for number in 0..writing.events {
        pace.tick().await;
        let text = format!("{number:0>96}");
        emit(Tick { number, at_us: shared_clock_us(), text })?;
    }
    Ok(writing.events)
}

/// One task that writes events.
#[entrypoint]
pub(crate) async fn broadcast(writing: Writing) -> Result<u64> {
    write_events(writing).await
}

pub(crate) fn app() -> App {
    App::new()
        .entrypoint(sequence::def())
        .entrypoint(timed_sequence::def())
        .entrypoint(labour::def())
        .entrypoint(counted::def())
        .entrypoint(question::def())
        .entrypoint(broadcast::def())
        .task(noop::def())
        .task(nap::def())
        .task(compute::def())
        .task(noted::def())
        .task(write_events::def())
}
