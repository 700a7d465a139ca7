//! The driver: starts programs, answers questions, reads streams, and notes all of it.

mod contest;
mod conversation;
mod watch;

pub(crate) use watch::Reading;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rethread::{Client, ClientOptions, client};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::history::{Contest, History};
use crate::profile::Profile;
use crate::random::Random;

/// Threads that may be in progress at a time: more would only wait.
const THREADS_MAX: usize = 300;
/// Times the profile's time for a machine that is too slow for the profile's work.
const SLOWNESS_MAX: u32 = 2;
/// One in so many threads has a contest beside it.
const CONTEST_EVERY: u64 = 40;
/// How long all runs may take to end once nothing disturbs any more; above what is promised, so
/// that the checker sees how late they were.
const PATIENCE: Duration = Duration::from_secs(90);

/// What all conversations share.
#[derive(Debug)]
pub(crate) struct Driver {
    client: Client,
    history: Arc<History>,
    seed: u64,
    counts: Counts,
    /// Some of the threads whose programs all came to a result.
    rested: Mutex<Vec<u64>>,
    /// The ways in which programs are started on one thread at the same time.
    contests: Vec<Contest>,
}

/// How much was done so far.
#[derive(Debug, Default)]
struct Counts {
    runs: AtomicU64,
    tasks: AtomicU64,
}

impl Driver {
    /// Connects to Redis at `url`.
    pub(crate) async fn connect(
        url: &str,
        history: Arc<History>,
        seed: u64,
    ) -> client::Result<Self> {
        let options = ClientOptions::default()
            .retry_for(Duration::from_secs(8))
            .poll_interval(Duration::from_secs(1));
        let client = Client::connect_with(url, options).await?;
        let contests = Contest::ALL.to_vec();
        Ok(Self {
            client,
            history,
            seed,
            counts: Counts::default(),
            rested: Mutex::default(),
            contests,
        })
    }

    /// Begins threads until the time of the profile is up and its work is done. Gives what is
    /// still in progress.
    pub(crate) async fn begin(self: &Arc<Self>, profile: &Profile) -> JoinSet<()> {
        let begun = Instant::now();
        let mut threads = JoinSet::new();
        let mut pace = interval(Duration::from_secs_f64(1.0 / profile.threads_per_second));
        // A pause of this process is not made up for at once.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        loop {
            pace.tick().await;
            let time = begun.elapsed();
            if time >= profile.time * SLOWNESS_MAX || (time >= profile.time && self.did(profile)) {
                return threads;
            }
            while threads.try_join_next().is_some() {}
            if threads.len() < THREADS_MAX {
                number += 1;
                threads.spawn(conversation::hold(Arc::clone(self), number));
                if number % CONTEST_EVERY == 0 {
                    threads.spawn(contest::hold(Arc::clone(self), number / CONTEST_EVERY));
                }
            }
        }
    }

    /// Waits for the conversations; those that hang are left.
    pub(crate) async fn finish(&self, mut threads: JoinSet<()>) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(Some(_)) = timeout_at(deadline, threads.join_next()).await {}
    }

    /// Runs one more short program on some of the threads whose programs all came to a result.
    pub(crate) async fn go_on(self: &Arc<Self>) {
        let rested =
            std::mem::take(&mut *self.rested.lock().unwrap_or_else(PoisonError::into_inner));
        let mut threads = JoinSet::new();
        for number in rested {
            threads.spawn(conversation::go_on(Arc::clone(self), number));
        }
        self.finish(threads).await;
    }

    fn did(&self, profile: &Profile) -> bool {
        self.counts.runs.load(Ordering::Relaxed) >= profile.runs
            && self.counts.tasks.load(Ordering::Relaxed) >= profile.tasks
    }

    fn random(&self, number: u64) -> Random {
        Random::of(&[self.seed, 0xd0, number])
    }
}
