//! Runs without an end, as a background to what is measured.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use rethread::{Client, Outcome};
use tokio::task::JoinSet;

use crate::program::{Work, labour};

/// Longest time until what was lost goes on.
const LOST_MAX: Duration = Duration::from_secs(60);

/// Runs that follow each other, so many at a time.
pub(super) struct Endless {
    shared: Arc<Shared>,
    runs: JoinSet<Result<(), String>>,
}

struct Shared {
    done: AtomicU64,
    is_over: AtomicBool,
    /// For each place, when its run began, and when the one before it ended.
    places: Vec<tokio::sync::watch::Sender<(Instant, u64)>>,
}

impl Endless {
    pub(super) fn start(client: &Client, work: Work, in_flight: usize) -> Self {
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

    pub(super) fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Waits until every run that is in flight has ended: milliseconds from the given moment.
    pub(super) async fn waits_since(&self, moment: Instant) -> Result<Vec<f64>, Box<dyn Error>> {
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

    pub(super) async fn stop(mut self) -> Result<(), Box<dyn Error>> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.runs.join_next().await {
            ended??;
        }
        Ok(())
    }
}
