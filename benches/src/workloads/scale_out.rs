//! Steps per second as workers and coordinators are added.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::endless::Endless;
use crate::cluster::{Cluster, Role};
use crate::program::Work;
use crate::report::{Report, Sample};

/// Slots of each worker.
const SLOTS: usize = 8;
/// Steps of each run.
const STEPS: u64 = 10;
/// How long a load works before it is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Steps per second with 1, 2 and 4 workers of 8 slots, and 1 and 2 coordinators: steps that sleep
/// for 50 ms, and steps that compute for 5 ms.
pub(crate) async fn throughput(report: &mut Report, seconds: u64) -> Result<(), Box<dyn Error>> {
    for (is_busy, ms) in [(false, 50), (true, 5)] {
        for coordinators in [1, 2] {
            let mut one_worker = None;
            for workers in [1, 2, 4] {
                let settings = [("RETHREAD_WORKER_SLOTS", SLOTS.to_string())];
                let mut cluster = Cluster::new(&settings)?;
                cluster.start(Role::Coordinator, coordinators).await?;
                cluster.start(Role::Worker, workers).await?;
                let work = Work { steps: STEPS, ms, is_busy };
                let in_flight = SLOTS * workers * 2;
                let load = Endless::start(&cluster.client().await?, work, in_flight);
                sleep(WARM_UP).await;
                let (before, begun) = (load.done(), Instant::now());
                sleep(Duration::from_secs(seconds)).await;
                let steps = (load.done() - before) * STEPS;
                let rate = steps as f64 / begun.elapsed().as_secs_f64();
                load.stop().await?;
                let kind = if is_busy { "computing" } else { "sleeping" };
                let base = *one_worker.get_or_insert(rate);
                let sample = Sample::new(
                    "scale-out",
                    format!("{kind} {ms} ms, {coordinators} coordinators, {workers} workers"),
                );
                let limit = (SLOTS * workers) as f64 * 1_000.0 / ms as f64;
                report.add(
                    "redis",
                    sample
                        .with("steps_per_second", rate)
                        .with("times_one_worker", rate / base)
                        .with("share_of_slots", rate / limit),
                );
            }
        }
    }
    Ok(())
}
