//! Many runs, so many at a time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rethread::Client;
use tokio::task::JoinSet;

use super::Failure;
use crate::engine::Engine;

/// Most runs of a measurement.
const RUNS_MAX: usize = 1_000_000;

/// What runs took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) runs: usize,
    pub(crate) seconds: f64,
    /// Of all processes of the engine, this one included.
    pub(crate) cpu_seconds: f64,
}

/// Makes as many runs as take about this long, so many at a time, each the next as soon as one
/// has ended. From the first start to the last end.
pub(crate) async fn lasting<F, Fut>(
    engine: &Engine,
    in_flight: usize,
    duration: Duration,
    run: F,
) -> Result<Took, Failure>
where
    F: Fn(Client) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), String>> + Send + 'static,
{
    // The first ones find cold caches; the second batch says how many to make.
    batch(engine, in_flight, in_flight, run.clone()).await?;
    let tried = batch(engine, in_flight, in_flight, run.clone()).await?;
    let batches = (duration.as_secs_f64() / tried.seconds.max(1e-6)).ceil().max(1.0);
    let runs = (batches as usize).saturating_mul(in_flight).min(RUNS_MAX);
    batch(engine, in_flight, runs, run).await
}

async fn batch<F, Fut>(
    engine: &Engine,
    in_flight: usize,
    runs: usize,
    run: F,
) -> Result<Took, Failure>
where
    F: Fn(Client) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), String>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let cpu = engine.cpu_seconds();
    let begun = Instant::now();
    let mut working = JoinSet::new();
    for _ in 0..in_flight {
        let (client, next, run) = (engine.client().clone(), Arc::clone(&next), run.clone());
        working.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < runs {
                run(client.clone()).await?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(ended) = working.join_next().await {
        ended??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Took { runs, seconds, cpu_seconds: engine.cpu_seconds() - cpu })
}
