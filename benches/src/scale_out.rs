//! Steps per second as workers and coordinators are added, and what it costs to lose one.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use rethread::{Client, Outcome};
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cluster::{Cluster, Role};
use crate::program::{Work, labour};
use crate::report::{Report, Sample, spread};

/// Slots of each worker.
const SLOTS: usize = 8;
/// Steps of each run.
const STEPS: u64 = 10;
/// How long a load works before it is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long a load works after something was ended before the next is: everything is taken over
/// and shared out by then.
const CALM: Duration = Duration::from_secs(3);
/// Longest time until what was lost goes on.
const LOST_MAX: Duration = Duration::from_secs(60);
/// Runs in flight while something is ended.
const IN_FLIGHT: usize = 64;

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
                let load = Load::start(&cluster.client().await?, work, in_flight);
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

/// Ends workers and coordinators under load, so often each, and measures how long what they had
/// in their hands stood still.
pub(crate) async fn takeover(
    report: &mut Report,
    repetitions: usize,
    lease_ms: u64,
) -> Result<(), Box<dyn Error>> {
    let settings = [
        ("RETHREAD_WORKER_SLOTS", "32".to_owned()),
        ("RETHREAD_LEASE_TTL_MS", lease_ms.to_string()),
    ];
    for (name, role, signal) in [
        ("worker SIGKILL", Role::Worker, Signal::KILL),
        ("worker SIGTERM", Role::Worker, Signal::TERM),
        ("coordinator SIGKILL", Role::Coordinator, Signal::KILL),
        ("coordinator SIGTERM", Role::Coordinator, Signal::TERM),
    ] {
        let mut cluster = Cluster::new(&settings)?;
        cluster.start(Role::Coordinator, 2).await?;
        cluster.start(Role::Worker, 3).await?;
        let client = cluster.client().await?;
        let work = Work { steps: 1, ms: 20, is_busy: false };
        let load = Load::start(&client, work, IN_FLIGHT);
        let (mut longest, mut all) = (Vec::new(), Vec::new());
        for _ in 0..repetitions {
            sleep(CALM).await;
            let ended = cluster.end_oldest(role, signal)?;
            let waits = load.waits_since(ended).await?;
            longest.extend(waits.iter().copied().reduce(f64::max));
            all.extend(waits);
            cluster.start(role, 1).await?;
        }
        load.stop().await?;
        let sample = Sample::new("takeover", format!("{name}, lease {lease_ms} ms"));
        report.add("redis", spread(spread(sample, "longest_ms", &longest), "in_flight_ms", &all));
    }
    Ok(())
}

/// Runs that follow each other, so many at a time.
struct Load {
    shared: Arc<Shared>,
    runs: JoinSet<Result<(), String>>,
}

struct Shared {
    done: AtomicU64,
    is_over: AtomicBool,
    /// For each place, when its run began, and when the one before it ended.
    places: Vec<tokio::sync::watch::Sender<(Instant, u64)>>,
}

impl Load {
    fn start(client: &Client, work: Work, in_flight: usize) -> Self {
        let begun = Instant::now();
        let places = (0..in_flight).map(|_| tokio::sync::watch::Sender::new((begun, 0)));
        let shared = Arc::new(Shared {
            done: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            places: places.collect(),
        });
        let mut runs = JoinSet::new();
        for place in 0..in_flight {
            let (client, shared) = (client.clone(), Arc::clone(&shared));
            runs.spawn(async move {
                while !shared.is_over.load(Ordering::Relaxed) {
                    let outcome = client.new_thread().invoke(labour::def(), work).await;
                    match outcome {
                        Ok(Outcome::Done(steps)) if steps == work.steps => {}
                        other => return Err(format!("unexpected outcome {other:?}")),
                    }
                    shared.done.fetch_add(1, Ordering::Relaxed);
                    shared.places[place]
                        .send_modify(|place| *place = (Instant::now(), place.1 + 1));
                }
                Ok(())
            });
        }
        Self { shared, runs }
    }

    fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Waits until every run that is in flight has ended: milliseconds from the given moment.
    async fn waits_since(&self, moment: Instant) -> Result<Vec<f64>, Box<dyn Error>> {
        let waits = self.shared.places.iter().map(|place| {
            let mut watched = place.subscribe();
            let (_, number) = *watched.borrow_and_update();
            async move {
                let ended = watched.wait_for(|place| place.1 > number);
                let ended = tokio::time::timeout(LOST_MAX, ended).await;
                let (at, _) = *ended.map_err(|_| "a run did not go on")??;
                Ok(at.duration_since(moment).as_secs_f64() * 1_000.0)
            }
        });
        try_join_all(waits).await
    }

    async fn stop(mut self) -> Result<(), Box<dyn Error>> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.runs.join_next().await {
            ended??;
        }
        Ok(())
    }
}
