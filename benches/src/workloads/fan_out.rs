//! W2: many tasks of one run at once.

use std::time::Instant;

use rethread::Outcome;

use super::Failure;
use crate::engine::Engine;
use crate::program;
use crate::report::Sample;

/// One run that calls so many tasks at once and waits for all: from its start to its result.
pub(crate) async fn fan_out(engine: &Engine, tasks: u64) -> Result<Sample, Failure> {
    // Connections and code are warm.
    run(engine, tasks.min(100)).await?;
    let cpu = engine.cpu_seconds();
    let begun = Instant::now();
    run(engine, tasks).await?;
    let ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let cpu_seconds = engine.cpu_seconds() - cpu;
    Ok(Sample::new("fan-out", format!("{tasks} tasks of one run"))
        .with("ms", ms)
        .with("us_per_task", ms * 1_000.0 / tasks as f64)
        .with("cpu_seconds_per_1000_steps", cpu_seconds * 1_000.0 / tasks as f64)
        .with("peak_mb", engine.peak_mb()))
}

async fn run(engine: &Engine, tasks: u64) -> Result<(), Failure> {
    match engine.client().new_thread().invoke(program::fan_out::def(), tasks).await? {
        Outcome::Done(done) if done == tasks => Ok(()),
        other => Err(format!("unexpected outcome {other:?}").into()),
    }
}
