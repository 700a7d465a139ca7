//! W1: threads of sequential tasks.

use std::time::Duration;

use rethread::Outcome;

use super::{Failure, load};
use crate::engine::Engine;
use crate::program::sequence;
use crate::report::Sample;

/// Tasks of each thread.
const STEPS: u64 = 10;

/// Threads of 10 sequential tasks, each thread new, so many at a time: steps per second.
pub(crate) async fn steps(
    engine: &Engine,
    in_flight: usize,
    duration: Duration,
) -> Result<Sample, Failure> {
    let took = load::lasting(engine, in_flight, duration, |client| async move {
        match client.new_thread().invoke(sequence::def(), STEPS).await {
            Ok(Outcome::Done(STEPS)) => Ok(()),
            other => Err(format!("unexpected outcome {other:?}")),
        }
    });
    let took = took.await?;
    let steps = took.runs as f64 * STEPS as f64;
    Ok(Sample::new("steps", format!("{in_flight} threads in flight"))
        .with("steps_per_second", steps / took.seconds)
        .with("cpu_seconds_per_1000_steps", took.cpu_seconds * 1_000.0 / steps)
        .with("peak_mb", engine.peak_mb()))
}
