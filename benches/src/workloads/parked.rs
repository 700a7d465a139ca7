//! W7: many threads that wait for a person: what they cost, and how soon one goes on.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rethread::{Client, ClientError, Outcome, StorageError};
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cluster::{Cluster, Role};
use crate::engine::Engine;
use crate::process::resident_mb;
use crate::program::question;
use crate::report::{Report, Sample, spread};
use crate::server::Server;

/// Requests that are sent at the same time, over so many clients.
const SENDERS: u64 = 256;
const CLIENTS: u64 = 4;
/// Most messages and active threads at a time while threads are made.
const OPEN_MAX: u64 = 20_000;
/// How long a sender waits when there are more.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest time until all threads are parked, once all were asked for.
const PARKED_WITHIN: Duration = Duration::from_secs(600);
/// Keys whose memory is looked at one by one.
const SAMPLE_KEYS: usize = 20_000;
/// Threads that are answered at the same time.
const ANSWERERS: u64 = 4;

/// Parks so many threads and answers some of them.
pub(crate) async fn parked(
    report: &mut Report,
    threads: u64,
    resumes: u64,
) -> Result<(), Box<dyn Error>> {
    let mut cluster = Cluster::new(&[("RETHREAD_EVICT_AFTER_MS", "1000".to_owned())])?;
    cluster.start(Role::Coordinator, 1).await?;
    cluster.start(Role::Worker, 1).await?;
    let mut server = cluster.server().await?;
    let empty = server.used_memory().await?;
    let rss_before = cluster.rss_mb(Role::Coordinator).into_iter().sum::<f64>();

    let begun = Instant::now();
    make(&cluster, &mut server, threads).await?;
    let made_in = begun.elapsed().as_secs_f64();
    let used = server.used_memory().await? - empty;
    let rss_made = cluster.rss_mb(Role::Coordinator).into_iter().sum::<f64>();
    let keys = server.sample(SAMPLE_KEYS).await?;

    let begun = Instant::now();
    cluster.stop_oldest(Role::Coordinator).await?;
    let stopped_in = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    cluster.start(Role::Coordinator, 1).await?;
    let ready_in = begun.elapsed().as_secs_f64();
    let client = cluster.client().await?;
    resume(&client, 0).await?;
    let first_resume_in = begun.elapsed().as_secs_f64();
    let rss_restarted = cluster.rss_mb(Role::Coordinator).into_iter().sum::<f64>();
    let times = resume_some(&client, threads, resumes).await?;

    let begun = cluster.end_oldest(Role::Coordinator, Signal::KILL)?;
    cluster.start(Role::Coordinator, 1).await?;
    resume(&client, 1).await?;
    let killed_resume_in = begun.elapsed().as_secs_f64();

    let mut sample = Sample::new("parked", format!("{threads} threads"))
        .with("made_per_second", threads as f64 / made_in)
        .with("redis_mb", used / 1e6)
        .with("redis_bytes_per_thread", used / threads as f64)
        .with("keys", server.keys().await? as f64)
        .with("coordinator_rss_mb_empty", rss_before)
        .with("coordinator_rss_mb_made", rss_made)
        .with("coordinator_rss_mb_restarted", rss_restarted)
        .with("coordinator_rss_mb_resumed", cluster.rss_mb(Role::Coordinator).into_iter().sum())
        .with("stop_s", stopped_in)
        .with("restart_until_ready_s", ready_in)
        .with("restart_until_first_resume_s", first_resume_in)
        .with("kill_until_first_resume_s", killed_resume_in);
    let sampled: usize = keys.values().map(|(_, count)| count).sum();
    for (kind, (bytes, count)) in keys {
        sample = sample
            .with(format!("bytes_of_key {kind}"), bytes)
            .with(format!("share_of_keys {kind}"), count as f64 / sampled as f64);
    }
    report.add("redis", spread(sample, "resume_ms", &times));
    Ok(())
}

/// Parks so many threads in an embedded engine: what they take on the disk and in memory.
pub(crate) async fn embedded(engine: &Engine, threads: u64) -> Result<Sample, Box<dyn Error>> {
    let resident = || resident_mb(std::process::id()).unwrap_or_default();
    let (stored, memory, begun) = (engine.stored_bytes().await?, resident(), Instant::now());
    let next = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (client, next) = (engine.client().clone(), Arc::clone(&next));
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= threads {
                    return Ok::<(), String>(());
                }
                let thread = client.thread(name(number)).map_err(|error| error.to_string())?;
                let asked = thread.invoke(question::def(), format!("approve number {number}?"));
                match asked.await {
                    Ok(Outcome::Interrupted(_)) => {}
                    other => return Err(format!("unexpected outcome {other:?}")),
                }
            }
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    let made_in = begun.elapsed().as_secs_f64();
    Ok(Sample::new("parked", format!("{threads} threads"))
        .with("made_per_second", threads as f64 / made_in)
        .with("disk_bytes_per_thread", (engine.stored_bytes().await? - stored) / threads as f64)
        .with("rss_mb_before", memory)
        .with("rss_mb_made", resident()))
}

/// Starts all threads and waits until they are parked.
async fn make(cluster: &Cluster, server: &mut Server, threads: u64) -> Result<(), Box<dyn Error>> {
    let next = Arc::new(AtomicU64::new(0));
    let open = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = cluster.client().await?;
        for _ in 0..SENDERS / CLIENTS {
            let (client, next, open) = (client.clone(), Arc::clone(&next), Arc::clone(&open));
            senders.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= threads {
                        return Ok::<(), String>(());
                    }
                    while open.load(Ordering::Relaxed) > OPEN_MAX {
                        sleep(PAUSE).await;
                    }
                    start(&client, number).await.map_err(|error| error.to_string())?;
                }
            });
        }
    }
    let begun = Instant::now();
    let mut told = 0;
    while !senders.is_empty() {
        while let Some(ended) = senders.try_join_next() {
            ended??;
        }
        open.store(server.open_work().await?, Ordering::Relaxed);
        let done = next.load(Ordering::Relaxed).min(threads);
        if done >= told + 100_000 {
            told = done;
            eprintln!("{done} threads after {:.0} s", begun.elapsed().as_secs_f64());
        }
        sleep(PAUSE).await;
    }
    let begun = Instant::now();
    while server.open_work().await? > 0 {
        if begun.elapsed() > PARKED_WITHIN {
            return Err("not all threads are parked in time".into());
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn start(client: &Client, number: u64) -> Result<(), ClientError> {
    let thread = client.thread(name(number))?;
    loop {
        let request = thread.invoke(question::def(), format!("approve number {number}?"));
        match request.start().await {
            Ok(_) => return Ok(()),
            Err(ClientError::Storage(StorageError::Overloaded { .. })) => sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
}

/// Answers threads that are spread over all, a few at a time; milliseconds of each.
async fn resume_some(
    client: &Client,
    threads: u64,
    resumes: u64,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let step = (threads / (resumes + 2)).max(1);
    let next = Arc::new(AtomicU64::new(2));
    let mut answerers = JoinSet::new();
    for _ in 0..ANSWERERS {
        let (client, next) = (client.clone(), Arc::clone(&next));
        answerers.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= resumes + 2 || number * step >= threads {
                    return Ok::<_, String>(times);
                }
                let begun = Instant::now();
                resume(&client, number * step).await?;
                times.push(begun.elapsed().as_secs_f64() * 1_000.0);
            }
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = answerers.join_next().await {
        times.extend(ended??);
    }
    Ok(times)
}

fn resume(client: &Client, number: u64) -> impl Future<Output = Result<(), String>> + Send + use<> {
    let client = client.clone();
    async move {
        let thread = client.thread(name(number)).map_err(|error| error.to_string())?;
        match thread.resume("yes").typed::<String>().await {
            Ok(Outcome::Done(answer)) if answer == "yes" => Ok(()),
            other => Err(format!("unexpected outcome of thread {number}: {other:?}")),
        }
    }
}

fn name(number: u64) -> String {
    format!("order-{number:08}")
}
