//! The workloads.

use std::error::Error;
use std::time::Instant;

use futures::stream::{self, StreamExt, TryStreamExt};
use rethread::Outcome;

use crate::engine::Engine;
use crate::program::{sequence, timed_sequence};
use crate::report::Sample;

const STEPS: u64 = 10;

/// Threads of 10 sequential tasks, each thread new: steps per second.
pub(crate) async fn steps(
    engine: &Engine,
    in_flight: usize,
    threads: usize,
) -> Result<Sample, Box<dyn Error>> {
    let cpu = engine.cpu_seconds();
    let begin = Instant::now();
    stream::iter(0..threads)
        .map(|_| async {
            let request = engine.client().new_thread().invoke(sequence::def(), STEPS);
            match request.await? {
                Outcome::Done(STEPS) => Ok::<_, Box<dyn Error>>(()),
                other => Err(format!("unexpected outcome {other:?}").into()),
            }
        })
        .buffer_unordered(in_flight)
        .try_collect::<()>()
        .await?;
    let seconds = begin.elapsed().as_secs_f64();
    let steps = threads as f64 * STEPS as f64;
    let cpu_ms = (engine.cpu_seconds() - cpu) * 1_000.0;
    Ok(Sample::new("steps", format!("{in_flight} in flight, {threads} threads"))
        .with("steps_per_second", steps / seconds)
        .with("cpu_seconds_per_1000_steps", cpu_ms / steps))
}

/// Tasks one after the other in one run: time from call to result, as the entrypoint sees it.
pub(crate) async fn latency(engine: &Engine, tasks: usize) -> Result<Sample, Box<dyn Error>> {
    let request = engine.client().new_thread().invoke(timed_sequence::def(), tasks as u64);
    let Outcome::Done(mut times) = request.await? else {
        return Err("the run was interrupted".into());
    };
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64;
    Ok(Sample::new("latency", format!("{tasks} tasks, one at a time"))
        .with("p50_us", at(0.5))
        .with("p99_us", at(0.99)))
}
