use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Failure;
use crate::service::{Past, Question, Questions};

/// Steps of a thread.
const STEPS: u64 = 10;
/// About how long steps are measured.
const DURATION: Duration = Duration::from_secs(2);
/// How often a long run is resumed.
const RESUMES: u64 = 3;
/// Time after which what waits is in memory no more.
const LEFT: Duration = Duration::from_millis(100);

type Measured = (String, Value);

/// Calls handlers and answers their questions.
pub(crate) struct Client {
    http: reqwest::Client,
    ingress: String,
    questions: Questions,
}

impl Client {
    pub(crate) fn new(ingress: String, questions: Questions) -> Self {
        Self { http: reqwest::Client::new(), ingress, questions }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        handler: &str,
        input: impl Serialize,
    ) -> Result<T, Failure> {
        let request = self.http.post(format!("{}/Bench/{handler}", self.ingress));
        Ok(request.json(&input).send().await?.error_for_status()?.json().await?)
    }

    async fn expect(&self, handler: &str, input: u64) -> Result<(), Failure> {
        let result: u64 = self.call(handler, input).await?;
        if result == input { Ok(()) } else { Err(format!("unexpected result {result}").into()) }
    }

    async fn batch(&self, in_flight: u64, threads: u64) -> Result<Duration, Failure> {
        let begun = Instant::now();
        stream::iter(0..threads)
            .map(|_| self.expect("sequence", STEPS))
            .buffer_unordered(usize::try_from(in_flight)?)
            .try_collect::<()>()
            .await?;
        Ok(begun.elapsed())
    }

    pub(crate) async fn steps(&self, in_flight: u64) -> Result<Measured, Failure> {
        self.batch(in_flight, in_flight).await?;
        let tried = self.batch(in_flight, in_flight).await?;
        let batches = (DURATION.as_secs_f64() / tried.as_secs_f64()).round().max(1.0) as u64;
        let took = self.batch(in_flight, in_flight * batches).await?;
        let rate = (in_flight * batches * STEPS) as f64 / took.as_secs_f64();
        Ok((format!("{in_flight} threads in flight"), json!({ "steps_per_second": rate })))
    }

    pub(crate) async fn fan_out(&self, tasks: u64) -> Result<Measured, Failure> {
        self.expect("fan_out", tasks.min(100)).await?;
        let begun = Instant::now();
        self.expect("fan_out", tasks).await?;
        let ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok((format!("{tasks} tasks of one run"), json!({ "ms": ms })))
    }

    pub(crate) async fn latency(&self, runs: u64) -> Result<Measured, Failure> {
        let mut times = Vec::new();
        for _ in 0..runs {
            let begun = Instant::now();
            self.expect("sequence", 1).await?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok(("one at a time".into(), json!({ "run_of_one_task_us_p50": half(times) })))
    }

    /// Waits for the question with this number; a replay asks earlier ones again.
    async fn asked(&self, number: u64) -> Result<Question, Failure> {
        loop {
            let question = self.questions.next().await.ok_or("no handler asks")?;
            if question.number == number {
                return Ok(question);
            }
        }
    }

    async fn answer(&self, question: &Question) -> Result<(), Failure> {
        let url = format!("{}/restate/awakeables/{}/resolve", self.ingress, question.id);
        self.http.post(url).json(&"yes").send().await?.error_for_status()?;
        Ok(())
    }

    pub(crate) async fn resume(&self, runs: u64, handler: &str) -> Result<Measured, Failure> {
        let mut times = Vec::new();
        for number in 0..runs {
            let resumed = async {
                let question = self.asked(number).await?;
                tokio::time::sleep(LEFT).await;
                let begun = Instant::now();
                self.answer(&question).await?;
                Ok::<_, Failure>(begun)
            };
            let (result, begun) = tokio::try_join!(self.call::<String>(handler, number), resumed)?;
            if result != "yes" {
                return Err(format!("unexpected result {result}").into());
            }
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        let state = if handler == "kept" { "warm" } else { "evicted" };
        Ok((format!("one at a time, {state}"), json!({ "resume_us_p50": half(times) })))
    }

    pub(crate) async fn replay(&self, calls: u64) -> Result<Measured, Failure> {
        let past = Past { calls, questions: RESUMES };
        let resumed = async {
            let mut times = Vec::new();
            let mut question = self.asked(0).await?;
            for number in 1..RESUMES {
                tokio::time::sleep(LEFT).await;
                let begun = Instant::now();
                self.answer(&question).await?;
                question = self.asked(number).await?;
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            tokio::time::sleep(LEFT).await;
            let begun = Instant::now();
            self.answer(&question).await?;
            Ok::<_, Failure>((times, begun))
        };
        let (result, (mut times, begun)) =
            tokio::try_join!(self.call::<u64>("remember", past), resumed)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        if result != calls {
            return Err(format!("unexpected result {result}").into());
        }
        Ok((format!("{calls} recorded results"), json!({ "resume_ms_p50": half(times) })))
    }
}

fn half(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
