//! Trivial runs.

use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use super::connection::{Connection, Failure};
use super::served::{Served, trivial};
use crate::report::{Sample, spread};

/// Runs one at a time, while nothing else happens: time from the request to the result, in
/// milliseconds. Those on a thread have a new thread each, which is made before.
pub(super) async fn idle(served: &Served, runs: usize) -> Result<Sample, Failure> {
    let mut connection = served.connect().await?;
    let mut without_thread = Vec::with_capacity(runs);
    for _ in 0..runs {
        without_thread.push(run(&mut connection, "/runs/wait").await?);
    }
    let mut on_thread = Vec::with_capacity(runs);
    for _ in 0..runs {
        let thread = connection.post("/threads", &json!({})).await?;
        let thread = thread["thread_id"].as_str().ok_or("a thread has no id")?;
        on_thread.push(run(&mut connection, &format!("/threads/{thread}/runs/wait")).await?);
    }
    let sample = Sample::new("http-idle", format!("{runs} runs of each kind, one at a time"));
    let sample = spread(sample, "runs_wait_ms", &without_thread);
    Ok(spread(sample, "threads_runs_wait_ms", &on_thread))
}

/// Runs of several clients, each of which makes one after the other.
pub(super) async fn load(served: &Served, clients: usize, runs: usize) -> Result<Sample, Failure> {
    let mut connections = Vec::with_capacity(clients);
    for _ in 0..clients {
        connections.push(served.connect().await?);
    }
    let cpu = served.cpu_seconds();
    let begun = Instant::now();
    let mut working = JoinSet::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        let own = runs / clients + usize::from(number < runs % clients);
        working.spawn(async move {
            let mut times = Vec::with_capacity(own);
            for _ in 0..own {
                times.push(run(&mut connection, "/runs/wait").await?);
            }
            Ok::<_, Failure>(times)
        });
    }
    let mut times = Vec::with_capacity(runs);
    while let Some(own) = working.join_next().await {
        times.extend(own??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_ms = (served.cpu_seconds() - cpu) * 1_000.0;
    let sample = Sample::new("http-load", format!("{clients} clients, {runs} runs"))
        .with("runs_per_second", runs as f64 / seconds)
        .with("service_cpu_ms_per_run", cpu_ms / runs as f64);
    Ok(spread(sample, "runs_wait_ms", &times))
}

/// Makes a run and waits for its result; gives the time, in milliseconds.
async fn run(connection: &mut Connection, path: &str) -> Result<f64, Failure> {
    let begun = Instant::now();
    let result = connection.post(path, &trivial()).await?;
    let time = begun.elapsed().as_secs_f64() * 1_000.0;
    match result == 1 {
        true => Ok(time),
        false => Err(format!("unexpected result {result}").into()),
    }
}
