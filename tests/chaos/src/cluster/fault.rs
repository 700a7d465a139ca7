//! One fault, from its cause to the end of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::faults::Target;
use super::node::Process;
use super::proxy::Way;
use super::server::Server;
use super::{Cluster, FaultKind, LEASE, Mode, Node, Proxy, Role, WORKER_DEAD_AFTER};
use crate::history::{Fact, Kind};
use crate::random::Random;

/// Longest time for a process to end after it was told to.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);
/// Longest time for a process to get ready before the next one is restarted.
const READY_LIMIT: Duration = Duration::from_secs(15);
/// What a limited link carries in a second.
const LIMITED_BYTES: u64 = 64 * 1024;

/// One fault.
pub(super) struct Fault<'a> {
    cluster: &'a Cluster,
    kind: FaultKind,
    number: u64,
    random: Random,
}

impl<'a> Fault<'a> {
    pub(super) fn new(cluster: &'a Cluster, kind: FaultKind, random: Random) -> Self {
        Self { cluster, kind, number: cluster.next_fault(), random }
    }

    pub(super) async fn make(mut self, target: Target) -> io::Result<()> {
        let (name, pid) = match &target {
            Target::Process(node, process) => (node.name().to_owned(), process.pid()),
            Target::Link(Some(node)) => (node.name().to_owned(), None),
            Target::Link(None) => ("driver".to_owned(), None),
            Target::Redis => ("redis".to_owned(), self.cluster.redis.pid()),
            Target::All => ("all".to_owned(), None),
        };
        self.say(Kind::Invoke, &name, pid);
        match target {
            Target::Process(node, mut process) => {
                self.hit_process(&node, &mut process).await?;
            }
            Target::Link(Some(node)) => self.hit_link(node.proxy()).await,
            Target::Link(None) => self.hit_link(&self.cluster.driver_link).await,
            // A server that is just down feels nothing of the milder faults.
            Target::Redis if self.kind == FaultKind::KillRedis => self.kill_redis().await?,
            Target::Redis => drop(self.hit_server().await),
            Target::All => self.restart_all().await?,
        }
        self.say(Kind::Ok, &name, pid);
        Ok(())
    }

    async fn hit_process(&mut self, node: &Node, process: &mut Process) -> io::Result<()> {
        use FaultKind as F;
        match self.kind {
            F::StopWorker | F::StopCoordinator => {
                let time = if node.role() == Role::Worker { WORKER_DEAD_AFTER } else { LEASE };
                process.signal(Signal::STOP)?;
                sleep(time * 3).await;
                process.signal(Signal::CONT)
            }
            F::ScaleWorkers | F::ScaleCoordinators => {
                if process.is_present() {
                    end(node, process).await
                } else {
                    node.respawn(process).await
                }
            }
            F::TermWorker | F::TermCoordinator => {
                end(node, process).await?;
                node.respawn(process).await
            }
            _ => {
                process.signal(Signal::KILL)?;
                node.wait_ended(process).await?;
                node.respawn(process).await
            }
        }
    }

    /// Restarts what runs, one process after the other, each when the one before is ready again.
    async fn restart_all(&mut self) -> io::Result<()> {
        for node in &self.cluster.nodes {
            // One that another fault is at work on is restarted by that.
            let Some(mut process) = node.try_hold().filter(|process| process.is_present()) else {
                continue;
            };
            let kind = match node.role() {
                Role::Coordinator => FaultKind::TermCoordinator,
                Role::Worker => FaultKind::TermWorker,
            };
            let part = Fault::new(self.cluster, kind, self.random.clone());
            let pid = process.pid();
            part.say(Kind::Invoke, node.name(), pid);
            end(node, &mut process).await?;
            node.respawn(&mut process).await?;
            part.say(Kind::Ok, node.name(), pid);
            let begun = Instant::now();
            while !node.was_ready() && begun.elapsed() < READY_LIMIT {
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    async fn hit_link(&mut self, link: &Proxy) {
        let ms = Duration::from_millis;
        let (mode, time) = match self.kind {
            FaultKind::DelayLink => {
                (Mode::Delay(ms(self.random.between(20, 200))), self.random.between(2_000, 4_000))
            }
            FaultKind::LimitLink => (Mode::Limit(LIMITED_BYTES), self.random.between(2_000, 4_000)),
            FaultKind::HoldLink => (Mode::Hold, self.random.between(2_000, 6_000)),
            FaultKind::HoldRequests => {
                (Mode::HoldWay(Way::Requests), self.random.between(1_000, 4_000))
            }
            FaultKind::HoldAnswers => {
                (Mode::HoldWay(Way::Answers), self.random.between(1_000, 4_000))
            }
            FaultKind::BlackHole => (Mode::BlackHole, self.random.between(1_000, 4_000)),
            FaultKind::CutMidFrame => (Mode::CutMidFrame, self.random.between(50, 300)),
            FaultKind::SwallowAnswers => (Mode::SwallowAnswers, self.random.between(200, 1_500)),
            _ => return link.cut(),
        };
        link.set(mode);
        sleep(ms(time)).await;
        link.set(Mode::Pass);
    }

    async fn hit_server(&mut self) -> io::Result<()> {
        let mut server = Server::connect(&self.cluster.redis.url()).await?;
        match self.kind {
            FaultKind::KillClients => server.kill_clients().await,
            FaultKind::FlushScripts => server.flush_scripts().await,
            FaultKind::DropLeases => server.drop_leases().await,
            FaultKind::LoseOrder => server.lose_order(&mut self.random).await,
            FaultKind::Garbage => server.add_garbage(&mut self.random).await,
            _ => {
                let ms = self.random.between(200, 3_000);
                server.pause_clients(ms).await?;
                sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
        }
    }

    async fn kill_redis(&mut self) -> io::Result<()> {
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
        let (fault, target) = (self.kind.name(), target.to_owned());
        let fact = Fact::Fault { number: self.number, fault, target, pid };
        self.cluster.history.say(kind, fact);
    }
}

/// Tells a process to end in order; kills it when it does not.
async fn end(node: &Node, process: &mut Process) -> io::Result<()> {
    process.signal(Signal::TERM)?;
    match timeout(DRAIN_LIMIT, node.wait_ended(process)).await {
        Ok(ended) => ended.map(drop),
        Err(_) => {
            process.signal(Signal::KILL)?;
            node.wait_ended(process).await.map(drop)
        }
    }
}
