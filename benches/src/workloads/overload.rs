//! More requests than can be worked on: what is accepted still ends, the rest is refused.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use rethread::{Client, ClientError, Outcome, StorageError};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::cluster::{Cluster, Role, length};
use crate::program::counted;
use crate::report::{Report, Sample};

/// Slots of each of the two workers.
const SLOTS: usize = 16;
/// How long a step sleeps.
const STEP_MS: u64 = 50;
/// Runs in flight while the peak is measured.
const IN_FLIGHT: usize = 128;
/// Messages that an inbox takes: about what can be worked on in a few seconds.
const INBOX_MAX: u64 = 200;
/// Requests that wait for their answers at the same time, at most.
const SENDERS: usize = 512;
/// How long the peak is measured.
const PEAK_TIME: Duration = Duration::from_secs(10);
/// How many times the peak is asked for.
const FACTOR: f64 = 5.0;
/// Longest time until what was accepted has ended.
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// Asks for five times the peak for so many seconds.
pub(crate) async fn overload(report: &mut Report, seconds: u64) -> Result<(), Box<dyn Error>> {
    let settings = [
        ("RETHREAD_WORKER_SLOTS", SLOTS.to_string()),
        ("RETHREAD_INBOX_MAX", INBOX_MAX.to_string()),
        ("RETHREAD_ORDERS_MAX", (INBOX_MAX * 16).to_string()),
    ];
    let mut cluster = Cluster::new(&settings)?;
    cluster.start(Role::Coordinator, 1).await?;
    cluster.start(Role::Worker, 2).await?;
    let mut server = cluster.server().await?;
    let client = cluster.client().await?;
    let peak = peak(&client, &cluster).await?;

    let counts = Arc::new(Counts::default());
    let rss = |cluster: &Cluster| -> f64 {
        let coordinators = cluster.rss_mb(Role::Coordinator).into_iter();
        coordinators.chain(cluster.rss_mb(Role::Worker)).fold(0.0, f64::max)
    };
    let before = (length(&cluster.ledger()), server.used_memory().await?, rss(&cluster));
    let (begun, time) = (Instant::now(), Duration::from_secs(seconds));
    let senders = send(&client, &counts, peak * FACTOR, time);
    let (mut most_rss, mut most_redis, mut most_open) = before_to_most(before.1, before.2);
    let watching = async {
        while begun.elapsed() < time {
            most_rss = most_rss.max(rss(&cluster));
            most_redis = most_redis.max(server.used_memory().await?);
            most_open = most_open.max(server.open_work().await?);
            sleep(Duration::from_millis(500)).await;
        }
        Ok::<_, Box<dyn Error>>(length(&cluster.ledger()))
    };
    let (sent, during) = tokio::join!(senders, watching);
    sent?;
    let worked = (during? - before.0) as f64 / begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let accepted = counts.accepted.load(Ordering::Relaxed);
    while server.open_work().await? > 0 && begun.elapsed() < DRAINED_WITHIN {
        sleep(Duration::from_millis(100)).await;
    }
    let drained = begun.elapsed().as_secs_f64();
    let bodies = length(&cluster.ledger()) - before.0;
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
    report.add(
        "redis",
        Sample::new("overload", format!("{FACTOR} times the peak for {seconds} s"))
            .with("peak_runs_per_second", peak)
            .with("asked_per_second", of(&counts.asked) / seconds as f64)
            .with("accepted_per_second", accepted as f64 / seconds as f64)
            .with("worked_per_second", worked)
            .with("worked_share_of_peak", worked / peak)
            .with("refused", of(&counts.refused))
            .with("other_errors", of(&counts.other))
            .with("accepted", accepted as f64)
            .with("bodies", bodies as f64)
            .with("drained_s", drained)
            .with("rss_mb_before", before.2)
            .with("rss_mb_most", most_rss)
            .with("redis_mb_before", before.1 / 1e6)
            .with("redis_mb_most", most_redis / 1e6)
            .with("open_most", most_open as f64),
    );
    if let Some(error) = counts.first_other.get() {
        eprintln!("other errors: {error}");
    }
    Ok(())
}

fn before_to_most(redis: f64, rss: f64) -> (f64, f64, u64) {
    (rss, redis, 0)
}

#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    other: AtomicU64,
    first_other: std::sync::OnceLock<String>,
}

/// Runs per second when each waits for the one before it.
async fn peak(client: &Client, cluster: &Cluster) -> Result<f64, Box<dyn Error>> {
    let is_over = AtomicBool::new(false);
    let one = || async {
        while !is_over.load(Ordering::Relaxed) {
            match client.new_thread().invoke(counted::def(), STEP_MS).await? {
                Outcome::Done(()) => {}
                other => return Err(format!("unexpected outcome {other:?}").into()),
            }
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let measure = async {
        sleep(Duration::from_secs(2)).await;
        let (before, begun) = (length(&cluster.ledger()), Instant::now());
        sleep(PEAK_TIME).await;
        let done = length(&cluster.ledger()) - before;
        is_over.store(true, Ordering::Relaxed);
        done as f64 / begun.elapsed().as_secs_f64()
    };
    let (ended, rate) = tokio::join!(join_all((0..IN_FLIGHT).map(|_| one())), measure);
    ended.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(rate)
}

/// Sends so many requests a second.
async fn send(
    client: &Client,
    counts: &Arc<Counts>,
    per_second: f64,
    time: Duration,
) -> Result<(), Box<dyn Error>> {
    const TICK: Duration = Duration::from_millis(10);
    let begun = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut requests = JoinSet::new();
    let mut asked = 0_u64;
    while begun.elapsed() < time {
        ticks.tick().await;
        while requests.try_join_next().is_some() {}
        let wanted = (begun.elapsed().as_secs_f64() * per_second) as u64;
        while asked < wanted && requests.len() < SENDERS {
            asked += 1;
            let (client, counts) = (client.clone(), Arc::clone(counts));
            requests.spawn(async move {
                let sent = client.new_thread().invoke(counted::def(), STEP_MS).start().await;
                match sent {
                    Ok(_) => &counts.accepted,
                    Err(ClientError::Storage(StorageError::Overloaded { .. })) => &counts.refused,
                    Err(error) => {
                        counts.first_other.get_or_init(|| error.to_string());
                        &counts.other
                    }
                }
                .fetch_add(1, Ordering::Relaxed);
            });
        }
    }
    counts.asked.store(asked, Ordering::Relaxed);
    while requests.join_next().await.is_some() {}
    Ok(())
}
