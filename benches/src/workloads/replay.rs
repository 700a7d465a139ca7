//! W5: how soon a run with a long past goes on, and what its past takes.

use std::time::Instant;

use rethread::Outcome;

use super::Failure;
use crate::engine::Engine;
use crate::program::{Past, remember};
use crate::report::{Sample, spread};

/// How often it is resumed.
const RESUMES: u64 = 5;

/// A run with so many recorded results is answered, on an engine that has to load and replay it
/// each time: from the answer to the next question, as the client sees it.
pub(crate) async fn replay(engine: &Engine, calls: u64) -> Result<Sample, Failure> {
    let before = engine.stored_bytes().await?;
    let thread = engine.client().new_thread();
    let past = Past { calls, questions: RESUMES };
    let outcome = thread.invoke(remember::def(), past).await?;
    if outcome.interrupts().len() != 1 {
        return Err(format!("unexpected outcome {outcome:?}").into());
    }
    let stored = engine.stored_bytes().await? - before;
    let mut times = Vec::new();
    for number in 1..=RESUMES {
        let begun = Instant::now();
        let outcome = thread.resume(true).typed::<u64>().await?;
        let ms = begun.elapsed().as_secs_f64() * 1_000.0;
        match outcome {
            Outcome::Interrupted(_) if number < RESUMES => {}
            Outcome::Done(done) if number == RESUMES && done == calls => {}
            other => return Err(format!("unexpected outcome {other:?}").into()),
        }
        times.push(ms);
    }
    let sample = Sample::new("replay", format!("{calls} recorded results"));
    let sample = spread(sample, "resume_ms", &times);
    Ok(sample
        .with("stored_bytes_per_result", stored / calls as f64)
        .with("peak_mb", engine.peak_mb()))
}
