//! What is run.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
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

/// Calls `noop` this many times at once.
#[entrypoint]
pub(crate) async fn fan_out(tasks: u64) -> Result<u64> {
    let results = try_join_all((0..tasks).map(|task| noop(format!("{task:0>96}")))).await?;
    Ok(results.len() as u64)
}

/// A run with a past.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Past {
    /// Results that are recorded before the first question.
    pub(crate) calls: u64,
    /// Questions after that, one after the other.
    pub(crate) questions: u64,
}

/// Calls `noop`, a hundred at a time, and then asks. Each answer comes to a body that has to be
/// given all results again.
#[entrypoint]
pub(crate) async fn remember(past: Past) -> Result<u64> {
    const AT_ONCE: u64 = 100;
    let mut called = 0;
    while called < past.calls {
        let end = past.calls.min(called + AT_ONCE);
        try_join_all((called..end).map(|call| noop(format!("{call:0>96}")))).await?;
        called = end;
    }
    for question in 0..past.questions {
        interrupt::<bool>(question).await?;
    }
    Ok(called)
}

/// What is carried through tasks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Carrying {
    /// How many tasks, one after the other.
    pub(crate) steps: u64,
    /// Bytes of what each is given and gives back.
    pub(crate) bytes: usize,
}

/// Calls `noop` with large texts.
#[entrypoint]
pub(crate) async fn carry(carrying: Carrying) -> Result<u64> {
    for step in 0..carrying.steps {
        noop(format!("{step}{}", "0".repeat(carrying.bytes))).await?;
    }
    Ok(carrying.steps)
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
    /// At which rate; zero: as fast as it can.
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
    /// Events that are written without a pause.
    const BURST: u64 = 100;
    let mut pace = (writing.per_second > 0)
        .then(|| tokio::time::interval(Duration::from_secs(1).div_f64(writing.per_second as f64)));
    for number in 0..writing.events {
        match &mut pace {
            Some(pace) => drop(pace.tick().await),
            // What is written leaves when the body awaits something.
            None if number % BURST == 0 => tokio::task::yield_now().await,
            None => {}
        }
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
        .entrypoint(fan_out::def())
        .entrypoint(remember::def())
        .entrypoint(carry::def())
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
