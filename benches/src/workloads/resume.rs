//! W4: how soon a thread that waits for a person goes on.

use std::time::Instant;

use rethread::Outcome;
use tokio::task::JoinSet;

use super::Failure;
use crate::engine::Engine;
use crate::program::question;
use crate::report::{Sample, spread};

/// Threads that are parked, and then answered one at a time: from the answer to the result, as
/// the client sees it. The engine either still has them in memory or has to load them.
pub(crate) async fn resume(
    engine: &Engine,
    threads: usize,
    is_evicted: bool,
) -> Result<Sample, Failure> {
    park(engine, threads).await?;
    let mut times = Vec::new();
    for number in 0..threads {
        let thread = engine.client().thread(name(number))?;
        let begun = Instant::now();
        match thread.resume("yes").typed::<String>().await? {
            Outcome::Done(answer) if answer == "yes" => {}
            other => return Err(format!("unexpected outcome {other:?}").into()),
        }
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    let state = if is_evicted { "evicted" } else { "warm" };
    let sample = Sample::new("resume", format!("one at a time, {state}"));
    Ok(spread(sample, "resume_us", &times).with("peak_mb", engine.peak_mb()))
}

async fn park(engine: &Engine, threads: usize) -> Result<(), Failure> {
    /// Threads that are made at the same time.
    const AT_ONCE: usize = 64;
    let mut parking = JoinSet::new();
    for first in 0..AT_ONCE {
        let client = engine.client().clone();
        parking.spawn(async move {
            for number in (first..threads).step_by(AT_ONCE) {
                let thread = client.thread(name(number)).map_err(|error| error.to_string())?;
                match thread.invoke(question::def(), format!("approve number {number}?")).await {
                    Ok(Outcome::Interrupted(_)) => {}
                    other => return Err(format!("unexpected outcome {other:?}")),
                }
            }
            Ok(())
        });
    }
    while let Some(ended) = parking.join_next().await {
        ended??;
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("order-{number:08}")
}
