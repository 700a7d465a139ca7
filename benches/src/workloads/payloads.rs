//! W9: large values.

use std::time::Duration;

use rethread::Outcome;

use super::{Failure, load};
use crate::engine::Engine;
use crate::program::{Carrying, carry};
use crate::report::Sample;

/// Tasks of each thread.
const STEPS: u64 = 10;

/// Threads of 10 sequential tasks that are given and give back so many bytes.
pub(crate) async fn payloads(
    engine: &Engine,
    bytes: usize,
    in_flight: usize,
    duration: Duration,
) -> Result<Sample, Failure> {
    let carrying = Carrying { steps: STEPS, bytes };
    let took = load::lasting(engine, in_flight, duration, move |client| async move {
        match client.new_thread().invoke(carry::def(), carrying).await {
            Ok(Outcome::Done(STEPS)) => Ok(()),
            other => Err(format!("unexpected outcome {other:?}")),
        }
    });
    let took = took.await?;
    let steps = took.runs as f64 * STEPS as f64;
    let rate = steps / took.seconds;
    let parameters = format!("{} KiB in and out, {in_flight} in flight", bytes as f64 / 1024.0);
    Ok(Sample::new("payloads", parameters)
        .with("steps_per_second", rate)
        .with("result_mb_per_second", rate * bytes as f64 / 1e6)
        .with("cpu_seconds_per_1000_steps", took.cpu_seconds * 1_000.0 / steps)
        .with("peak_mb", engine.peak_mb()))
}
