//! Which fault is made when, as a seed says.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::fault::Fault;
use super::kinds::Aim;
use super::node::Process;
use super::{Cluster, FaultKind, Node, Role};
use crate::random::Random;

/// Makes faults as a seed says.
pub(crate) struct Faults {
    cluster: Arc<Cluster>,
    random: Random,
    kinds: Vec<FaultKind>,
    /// Kinds that are still to come before all come again, in a new order.
    deck: Vec<FaultKind>,
    at_work: JoinSet<io::Result<()>>,
}

impl Faults {
    /// Makes faults of these kinds.
    pub(crate) fn new(cluster: Arc<Cluster>, seed: u64, kinds: Vec<FaultKind>) -> Self {
        let random = Random::of(&[seed, 0xfa]);
        Self { cluster, random, kinds, deck: Vec::new(), at_work: JoinSet::new() }
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
        for _ in 0..self.kinds.len() {
            let Some(kind) = self.draw() else { return };
            let cluster = Arc::clone(&self.cluster);
            let mut random = Random::of(&[self.random.next()]);
            let Some(target) = target_of(kind, &cluster, &mut random) else { continue };
            self.at_work
                .spawn(async move { Fault::new(&cluster, kind, random).make(target).await });
            return;
        }
    }

    fn draw(&mut self) -> Option<FaultKind> {
        if self.deck.is_empty() {
            self.deck = self.kinds.clone();
            self.random.shuffle(&mut self.deck);
        }
        self.deck.pop()
    }
}

/// What a fault is done to.
pub(super) enum Target {
    /// A process that no other fault is at work on.
    Process(Arc<Node>, OwnedMutexGuard<Process>),
    /// The link of a node, or of the driver.
    Link(Option<Arc<Node>>),
    /// The server.
    Redis,
    /// Every process.
    All,
}

fn target_of(kind: FaultKind, cluster: &Cluster, random: &mut Random) -> Option<Target> {
    match kind.aim() {
        Aim::Server => Some(Target::Redis),
        Aim::All => Some(Target::All),
        Aim::Link => {
            // The place behind the last node is the driver's.
            let place = random.below(cluster.nodes.len() as u64 + 1);
            let node = cluster.nodes.get(usize::try_from(place).ok()?);
            Some(Target::Link(node.map(Arc::clone)))
        }
        Aim::Process(role) => {
            let mut nodes = shuffled(cluster, role, random);
            if role == Role::Coordinator && random.percent(50) {
                // One that has just taken over threads.
                nodes.sort_by_cached_key(|node| std::cmp::Reverse(node.took_over_at()));
            }
            nodes.into_iter().find_map(|node| {
                let process = node.try_hold().filter(|process| process.is_present())?;
                Some(Target::Process(Arc::clone(node), process))
            })
        }
        Aim::Place(role) => {
            let nodes = shuffled(cluster, role, random);
            let present = nodes.iter().filter(|node| node.is_present()).count();
            nodes.into_iter().find_map(|node| {
                let process = node.try_hold()?;
                let may_change = !process.is_present() || present > role.least();
                may_change.then(|| Target::Process(Arc::clone(node), process))
            })
        }
    }
}

fn shuffled<'a>(cluster: &'a Cluster, role: Role, random: &mut Random) -> Vec<&'a Arc<Node>> {
    let mut nodes: Vec<_> = cluster.nodes.iter().filter(|node| node.role() == role).collect();
    random.shuffle(&mut nodes);
    nodes
}
