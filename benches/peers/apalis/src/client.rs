use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use apalis::prelude::TaskSink;
use apalis_redis::RedisStorage;
use futures::future::try_join_all;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{ENDS, Failure, STEPS, Step, storage, url};

/// About how long steps are measured.
const DURATION: Duration = Duration::from_secs(2);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>;

/// Pushes first steps and hears of last ones.
pub(crate) struct Client {
    storage: RedisStorage<Step>,
    waiting: Waiting,
    threads: u64,
    pushed: u64,
}

impl Client {
    pub(crate) async fn connect() -> Result<Self, Failure> {
        let waiting = Waiting::default();
        let mut ends = redis::Client::open(url()?)?.get_async_pubsub().await?;
        ends.subscribe(ENDS).await?;
        let told = Arc::clone(&waiting);
        tokio::spawn(async move {
            let mut ends = ends.on_message();
            while let Some(message) = ends.next().await {
                let Ok(thread) = message.get_payload::<u64>() else { continue };
                let mut waiting = told.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.remove(&thread).map(|end| end.send(()));
            }
        });
        Ok(Self { storage: storage().await?, waiting, threads: 0, pushed: 0 })
    }

    /// Steps that were pushed, those that steps have pushed included.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed
    }

    fn thread(&mut self, steps: u64) -> (Step, oneshot::Receiver<()>) {
        self.threads += 1;
        self.pushed += steps;
        let (end, ended) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(self.threads, end);
        (Step::new(self.threads, steps - 1), ended)
    }

    async fn batch(&mut self, in_flight: usize, threads: u64) -> Result<Duration, Failure> {
        let threads: Vec<_> = (0..threads).map(|_| self.thread(STEPS)).collect();
        let begun = Instant::now();
        let runs = stream::iter(threads).map(|(step, ended)| {
            let mut storage = self.storage.clone();
            async move {
                storage.push(step).await?;
                Ok::<_, Failure>(ended.await?)
            }
        });
        let ended: Vec<_> = runs.buffer_unordered(in_flight).collect().await;
        ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(begun.elapsed())
    }

    pub(crate) async fn steps(&mut self, in_flight: u64) -> Result<(String, Value), Failure> {
        let places = usize::try_from(in_flight)?;
        self.batch(places, in_flight).await?;
        let tried = self.batch(places, in_flight).await?;
        let batches = (DURATION.as_secs_f64() / tried.as_secs_f64()).round().max(1.0) as u64;
        let took = self.batch(places, in_flight * batches).await?;
        let rate = (in_flight * batches * STEPS) as f64 / took.as_secs_f64();
        Ok((format!("{in_flight} threads in flight"), json!({ "steps_per_second": rate })))
    }

    pub(crate) async fn fan_out(&mut self, tasks: u64) -> Result<(String, Value), Failure> {
        self.all(tasks.min(100)).await?;
        let took = self.all(tasks).await?;
        Ok((format!("{tasks} tasks of one run"), json!({ "ms": took.as_secs_f64() * 1e3 })))
    }

    async fn all(&mut self, tasks: u64) -> Result<Duration, Failure> {
        let (steps, ended): (Vec<_>, Vec<_>) = (0..tasks).map(|_| self.thread(1)).unzip();
        let begun = Instant::now();
        // All at once would be one script call of any length; this is as fast.
        for steps in steps.chunks(500) {
            self.storage.push_bulk(steps.to_vec()).await?;
        }
        try_join_all(ended).await?;
        Ok(begun.elapsed())
    }

    pub(crate) async fn latency(&mut self, runs: u64) -> Result<(String, Value), Failure> {
        let mut times = Vec::new();
        for _ in 0..runs {
            let (step, ended) = self.thread(1);
            let begun = Instant::now();
            self.storage.push(step).await?;
            ended.await?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        let half = times.get(times.len() / 2);
        Ok(("one at a time".into(), json!({ "run_of_one_task_us_p50": half })))
    }
}
