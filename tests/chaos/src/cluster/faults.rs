//! What is done to the processes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::node::Process;
use super::{Cluster, LEASE, Mode, Node, Proxy, Role, WORKER_DEAD_AFTER};
use crate::history::{Fact, Kind};
use crate::random::Random;

/// Longest time for a process to end after it was told to.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    KillWorker,
    KillCoordinator,
    StopWorker,
    StopCoordinator,
    TermWorker,
    TermCoordinator,
    KillRedis,
    DelayLink,
    CutLink,
    HoldLink,
    SwallowAnswers,
}

impl FaultKind {
    pub(crate) const ALL: [Self; 11] = [
        Self::KillWorker,
        Self::KillCoordinator,
        Self::StopWorker,
        Self::StopCoordinator,
        Self::TermWorker,
        Self::TermCoordinator,
        Self::KillRedis,
        Self::DelayLink,
        Self::CutLink,
        Self::HoldLink,
        Self::SwallowAnswers,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "kill-worker",
            Self::KillCoordinator => "kill-coordinator",
            Self::StopWorker => "stop-worker",
            Self::StopCoordinator => "stop-coordinator",
            Self::TermWorker => "term-worker",
            Self::TermCoordinator => "term-coordinator",
            Self::KillRedis => "kill-redis",
            Self::DelayLink => "delay-link",
            Self::CutLink => "cut-link",
            Self::HoldLink => "hold-link",
            Self::SwallowAnswers => "swallow-answers",
        }
    }
}

/// Makes faults as a seed says.
pub(crate) struct Faults {
    cluster: Arc<Cluster>,
    random: Random,
    /// Kinds that are still to come before all come again, in a new order.
    deck: Vec<FaultKind>,
    made: u64,
    at_work: JoinSet<io::Result<()>>,
}

impl Faults {
    pub(crate) fn new(cluster: Arc<Cluster>, seed: u64) -> Self {
        let random = Random::of(&[seed, 0xfa]);
        Self { cluster, random, deck: Vec::new(), made: 0, at_work: JoinSet::new() }
    }

    /// Makes so many faults a minute until it is stopped, and waits until the cause of each is
    /// gone.
    pub(crate) async fn run(
        mut self,
        per_minute: u64,
        mut stopped: oneshot::Receiver<()>,
    ) -> io::Result<()> {
        let pause = Duration::from_secs(60) / u32::try_from(per_minute.max(1)).unwrap_or(u32::MAX);
        let mut slot = Instant::now();
        loop {
            let jitter = pause.mul_f64(self.random.below(100) as f64 / 100.0);
            let next = slot + jitter;
            tokio::select! {
                () = sleep_until(next) => self.make(),
                _ = &mut stopped => break,
            }
            slot += pause;
        }
        while let Some(ended) = self.at_work.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok(())
    }

    /// Makes the next fault of the deck that finds a target.
    fn make(&mut self) {
        for _ in FaultKind::ALL {
            let kind = self.draw();
            let number = self.made + 1;
            let cluster = Arc::clone(&self.cluster);
            let mut random = Random::of(&[self.random.next()]);
            let Some(target) = target_of(kind, &cluster, &mut random) else { continue };
            self.made = number;
            self.at_work.spawn(async move {
                let fault = Fault { cluster: &cluster, kind, number, random };
                fault.make(target).await
            });
            return;
        }
    }

    fn draw(&mut self) -> FaultKind {
        if self.deck.is_empty() {
            self.deck = FaultKind::ALL.to_vec();
            self.random.shuffle(&mut self.deck);
        }
        self.deck.pop().unwrap_or(FaultKind::CutLink)
    }
}

/// What a fault is done to.
enum Target {
    Process(Arc<Node>, OwnedMutexGuard<Process>),
    Link(Option<Arc<Node>>),
    Redis,
}

/// A process that no other fault is at work on, a link, or Redis.
fn target_of(kind: FaultKind, cluster: &Cluster, random: &mut Random) -> Option<Target> {
    use FaultKind as F;
    let role = match kind {
        F::KillRedis => return Some(Target::Redis),
        F::DelayLink | F::CutLink | F::HoldLink | F::SwallowAnswers => {
            // The place behind the last node is the driver's.
            let place = random.below(cluster.nodes.len() as u64 + 1);
            let node = cluster.nodes.get(usize::try_from(place).ok()?);
            return Some(Target::Link(node.map(Arc::clone)));
        }
        F::KillWorker | F::StopWorker | F::TermWorker => Role::Worker,
        F::KillCoordinator | F::StopCoordinator | F::TermCoordinator => Role::Coordinator,
    };
    let mut nodes: Vec<&Arc<Node>> =
        cluster.nodes.iter().filter(|node| node.role() == role).collect();
    random.shuffle(&mut nodes);
    if role == Role::Coordinator && random.percent(75) {
        // The one that drives the threads; the others stand by.
        nodes.sort_by_cached_key(|node| std::cmp::Reverse(node.took_over_at()));
    }
    nodes.into_iter().find_map(|node| {
        let process = node.try_hold()?;
        Some(Target::Process(Arc::clone(node), process))
    })
}

/// One fault.
struct Fault<'a> {
    cluster: &'a Cluster,
    kind: FaultKind,
    number: u64,
    random: Random,
}

impl Fault<'_> {
    async fn make(mut self, target: Target) -> io::Result<()> {
        let (name, pid) = match &target {
            Target::Process(node, process) => (node.name().to_owned(), process.pid()),
            Target::Link(Some(node)) => (node.name().to_owned(), None),
            Target::Link(None) => ("driver".to_owned(), None),
            Target::Redis => ("redis".to_owned(), self.cluster.redis.pid()),
        };
        self.say(Kind::Invoke, &name, pid);
        match target {
            Target::Process(node, mut process) => {
                self.hit_process(&node, &mut process).await?;
            }
            Target::Link(Some(node)) => self.hit_link(node.proxy()).await,
            Target::Link(None) => self.hit_link(&self.cluster.driver_link).await,
            Target::Redis => self.hit_redis().await?,
        }
        self.say(Kind::Ok, &name, pid);
        Ok(())
    }

    async fn hit_process(&self, node: &Node, process: &mut Process) -> io::Result<()> {
        use FaultKind as F;
        match self.kind {
            F::StopWorker | F::StopCoordinator => {
                let time = if node.role() == Role::Worker { WORKER_DEAD_AFTER } else { LEASE };
                process.signal(Signal::STOP)?;
                sleep(time * 3).await;
                return process.signal(Signal::CONT);
            }
            F::TermWorker | F::TermCoordinator => {
                process.signal(Signal::TERM)?;
                if let Ok(ended) = timeout(DRAIN_LIMIT, node.wait_ended(process)).await {
                    ended?;
                    return node.respawn(process).await;
                }
            }
            _ => {}
        }
        process.signal(Signal::KILL)?;
        node.wait_ended(process).await?;
        node.respawn(process).await
    }

    async fn hit_link(&mut self, link: &Proxy) {
        let ms = |ms| Duration::from_millis(ms);
        let (mode, time) = match self.kind {
            FaultKind::DelayLink => {
                (Mode::Delay(ms(self.random.between(20, 200))), self.random.between(2_000, 4_000))
            }
            FaultKind::HoldLink => (Mode::Hold, self.random.between(2_000, 6_000)),
            FaultKind::SwallowAnswers => (Mode::SwallowAnswers, self.random.between(200, 1_500)),
            _ => return link.cut(),
        };
        link.set(mode);
        sleep(ms(time)).await;
        link.set(Mode::Pass);
    }

    async fn hit_redis(&mut self) -> io::Result<()> {
        let redis = Arc::clone(&self.cluster.redis);
        let down = Duration::from_millis(self.random.below(1_000));
        spawn_blocking(move || {
            redis.kill();
            std::thread::sleep(down);
            redis.restart();
        })
        .await
        .map_err(io::Error::other)
    }

    fn say(&self, kind: Kind, target: &str, pid: Option<u32>) {
        let (fault, target) = (self.kind.name().to_owned(), target.to_owned());
        let fact = Fact::Fault { number: self.number, fault, target, pid };
        self.cluster.history.say(kind, fact);
    }
}
