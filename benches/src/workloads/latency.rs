//! W3: one task at a time.

use std::time::Instant;

use rethread::Outcome;

use super::Failure;
use crate::engine::Engine;
use crate::program::{sequence, timed_sequence};
use crate::report::{Sample, spread};

/// Tasks one after the other in one run, from call to result as the entrypoint sees it; and runs
/// of one task one after the other, from start to result as the client sees it.
pub(crate) async fn latency(engine: &Engine, tasks: u64) -> Result<Sample, Failure> {
    /// Runs for each so many tasks.
    const TASKS_PER_RUN: u64 = 4;
    let request = engine.client().new_thread().invoke(timed_sequence::def(), tasks);
    let Outcome::Done(times) = request.await? else {
        return Err("the run was interrupted".into());
    };
    let times: Vec<f64> = times.into_iter().map(|time| time as f64).collect();
    let mut runs = Vec::new();
    for _ in 0..tasks / TASKS_PER_RUN {
        let begun = Instant::now();
        engine.client().new_thread().invoke(sequence::def(), 1).await?.done();
        runs.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let sample = Sample::new("latency", "one at a time".into());
    let sample = spread(spread(sample, "task_us", &times), "run_of_one_task_us", &runs);
    Ok(sample.with("peak_mb", engine.peak_mb()))
}
