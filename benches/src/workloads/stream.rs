//! W6: events from a task to readers.

use std::fs::File;
use std::time::Duration;

use futures::StreamExt;
use rethread::{Mode, RunHandle, StreamData};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Failure;
use crate::engine::Engine;
use crate::process::shared_clock_us;
use crate::program::{Tick, Writing, broadcast};
use crate::report::{Sample, spread};

/// Longest time until all readers have joined.
const JOINED_WITHIN: Duration = Duration::from_secs(30);

/// What a reader has read.
struct Seen {
    /// When the first event was written and the last one came, in microseconds.
    first_us: u64,
    last_us: u64,
    /// Time from the write of each event to this reader, in milliseconds.
    times_ms: Vec<f64>,
}

/// One task of a worker writes events of about 150 bytes, at a steady rate or as fast as it can;
/// all readers are clients in this process, which is not that of the worker unless the engine is
/// embedded.
pub(crate) async fn stream(
    engine: &Engine,
    readers: usize,
    events: u64,
    per_second: u64,
) -> Result<Sample, Failure> {
    let directory = TempDir::new()?;
    let gate = directory.path().join("gate");
    let writing = Writing { events, per_second, gate: gate.clone() };
    let run = engine.client().new_thread().invoke(broadcast::def(), writing).start().await?;
    let (joined, mut has_joined) = mpsc::channel(readers);
    let mut reading = JoinSet::new();
    for _ in 0..readers {
        let (run, joined) = (run.clone(), joined.clone());
        reading.spawn(async move { read(run, events, joined).await });
    }
    drop(joined);
    for _ in 0..readers {
        let next = tokio::time::timeout(JOINED_WITHIN, has_joined.recv()).await;
        next.map_err(|_| "not all readers have joined in time")?.ok_or("a reader has ended")?;
    }
    let cpu = engine.cpu_seconds();
    drop(File::create(&gate)?);
    let (mut first_us, mut last_us, mut times_ms) = (u64::MAX, 0, Vec::new());
    while let Some(seen) = reading.join_next().await {
        let seen = seen??;
        first_us = first_us.min(seen.first_us);
        last_us = last_us.max(seen.last_us);
        times_ms.extend(seen.times_ms);
    }
    let cpu_seconds = engine.cpu_seconds() - cpu;
    let seconds = last_us.saturating_sub(first_us) as f64 / 1e6;
    let rate = match per_second {
        0 => "as fast as it goes".to_owned(),
        rate => format!("{rate} a second"),
    };
    let sample = Sample::new("stream", format!("{readers} readers, {events} events, {rate}"));
    let deliveries = (events * readers as u64) as f64;
    let sample = sample
        .with("deliveries_per_second", deliveries / seconds)
        .with("cpu_us_per_delivery", cpu_seconds * 1e6 / deliveries)
        .with("peak_mb", engine.peak_mb());
    Ok(spread(sample, "write_to_reader_ms", &times_ms))
}

/// Reads to the end; says so when the task has begun.
async fn read(run: RunHandle<u64>, events: u64, joined: mpsc::Sender<()>) -> Result<Seen, String> {
    let mut stream = run.stream([Mode::Custom, Mode::Tasks]);
    let mut seen = Seen { first_us: u64::MAX, last_us: 0, times_ms: Vec::new() };
    while let Some(event) = stream.next().await {
        match event.map_err(|error| error.to_string())?.data {
            StreamData::TaskStarted { .. } => {
                // All that is to be known is known by the first.
                let _ = joined.try_send(());
            }
            StreamData::Custom { value, .. } => {
                let now = shared_clock_us();
                let tick: Tick = value.decode().map_err(|error| error.to_string())?;
                seen.first_us = seen.first_us.min(tick.at_us);
                seen.last_us = now;
                seen.times_ms.push(now.saturating_sub(tick.at_us) as f64 / 1_000.0);
            }
            _ => {}
        }
    }
    match seen.times_ms.len() as u64 == events {
        true => Ok(seen),
        false => Err(format!("a reader has seen {} of {events} events", seen.times_ms.len())),
    }
}
