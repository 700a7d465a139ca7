//! A machine of the world: a runtime on a paused clock of its own, with a node on it.
//!
//! It runs only while the world lets it. Dropping the runtime is a crash: everything on it is
//! gone between two steps. Not stepping it is a pause: nothing on it notices until it goes on,
//! later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rethread_core::ids::{Millis, NodeId, WorkerId};
use rethread_runtime::{Node, NodeOptions, PoolOptions, StatsSnapshot, Threads};
use rethread_storage::Clock;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::app::{self, Post};
use crate::goals::Goal;
use crate::link::Link;
use crate::plan::{HostPlan, Plan};
use crate::storage::FaultyStorage;
use crate::world::EPOCH;

/// Wait before a node is started again that could not start.
const RESTART_WAIT: Duration = Duration::from_millis(150);

/// A runtime whose clock follows that of the world.
pub(crate) struct Machine {
    pub(crate) runtime: Runtime,
    origin: Instant,
    born_at: u64,
    reached: u64,
}

impl Machine {
    pub(crate) fn new(now: u64) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime =
            runtime.expect("invariant: a runtime without I/O needs nothing of the system");
        let guard = runtime.enter();
        let origin = Instant::now();
        drop(guard);
        Self { runtime, origin, born_at: now, reached: now }
    }

    /// Lets everything on it happen up to a time.
    pub(crate) fn step(&mut self, until: u64) {
        let deadline = self.origin + Duration::from_millis(until - self.born_at);
        self.runtime.block_on(async { tokio::time::sleep_until(deadline).await });
        self.reached = until;
    }

    /// Lets time pass by, unnoticed until the next step.
    pub(crate) fn skip(&mut self, until: u64) {
        let missed = Duration::from_millis(until - self.reached);
        self.runtime.block_on(async { tokio::time::advance(missed).await });
        self.reached = until;
    }
}

/// What the node of a host has come to.
#[derive(Default)]
enum Life {
    #[default]
    Starting,
    Running(Box<Node>),
    Leaving,
    Left,
}

/// One host.
pub(crate) struct Host {
    plan: HostPlan,
    name: String,
    living: Option<Living>,
    /// When it comes back; none: never by itself.
    returns_at: u64,
    paused_until: u64,
    incarnation: u32,
    place: usize,
}

struct Living {
    machine: Machine,
    link: Arc<Link>,
    life: Arc<Mutex<Life>>,
}

/// What all hosts are started with.
pub(crate) struct Setting<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) link: &'a dyn Fn(u32) -> Link,
}

impl Host {
    pub(crate) fn new(place: usize, plan: HostPlan) -> Self {
        let returns_at = plan.starts_at;
        Self {
            plan,
            name: format!("host-{place}"),
            living: None,
            returns_at,
            paused_until: 0,
            incarnation: 0,
            place,
        }
    }

    fn start(&mut self, setting: &Setting<'_>, now: u64) {
        self.incarnation += 1;
        let id = u32::try_from(self.place).unwrap_or_default() * 100 + 100 + self.incarnation;
        let link = Arc::new((setting.link)(id));
        let life = Arc::<Mutex<Life>>::default();
        let machine = Machine::new(now);
        let guard = machine.runtime.enter();
        let post = Post { link: Arc::clone(&link) };
        let registry = app::registry(post).expect("invariant: names differ");
        let node = NodeId::new(&self.name).expect("invariant: a short text is an id");
        let storage = Arc::new(FaultyStorage(Arc::clone(&link)));
        let mut options = NodeOptions::new(node, storage, Arc::new(registry));
        options.threads = Threads::Caller;
        options.coordinator = self.plan.is_coordinator;
        options.lease_ttl = setting.plan.lease_ttl;
        options.evict_after = setting.plan.evict_after;
        options.drain_timeout = Duration::from_millis(800);
        options.sweep_every = setting.plan.sweep_every;
        options.fetches_max = setting.plan.fetches_max;
        let wall = Arc::clone(&link.witness);
        options.wall = Clock::new(move || Millis(EPOCH + wall.now()));
        options.clock = Clock::starting_at(Millis(EPOCH + now + self.plan.clock_ahead_ms));
        let worker = WorkerId::new(format!("worker-{}-{}", self.place, self.incarnation));
        options.worker_id = worker.ok();
        if self.plan.slots > 0 {
            options = options.worker(PoolOptions::standard(self.plan.slots));
        }
        link.witness.note(id, "start", &[], || self.name.clone());
        link.witness.acted();
        let slot = Arc::clone(&life);
        machine.runtime.spawn(async move {
            loop {
                if let Ok(node) = Node::start(options.clone()).await {
                    *lock(&slot) = Life::Running(Box::new(node));
                    return;
                }
                tokio::time::sleep(RESTART_WAIT).await;
            }
        });
        drop(guard);
        self.living = Some(Living { machine, link, life });
    }

    /// Lets it run up to a time.
    pub(crate) fn step(&mut self, setting: &Setting<'_>, now: u64, until: u64) {
        if self.living.is_none() && self.returns_at <= now {
            self.start(setting, now);
        }
        if now < self.paused_until {
            return;
        }
        let Some(living) = &mut self.living else { return };
        if living.machine.reached < now {
            living.machine.skip(now);
        }
        living.machine.step(until);
        if matches!(*lock(&living.life), Life::Left) {
            living.link.witness.note(living.link.host, "left", &[], String::new);
            self.end(until, self.returns_at.saturating_sub(now));
        }
    }

    /// Everything on it is gone; it comes back after some time.
    pub(crate) fn crash(&mut self, now: u64, back_after: u64) {
        if let Some(living) = &self.living {
            living.link.witness.reach(Goal::Crashed);
            living.link.witness.note(living.link.host, "crash", &[], String::new);
        }
        self.end(now, back_after);
    }

    fn end(&mut self, now: u64, back_after: u64) {
        self.paused_until = 0;
        self.returns_at = now + back_after;
        if let Some(living) = self.living.take() {
            conclude(living);
        }
    }

    pub(crate) fn pause(&mut self, until: u64) {
        if let Some(living) = &self.living {
            living.link.witness.reach(Goal::Paused);
            living
                .link
                .witness
                .note(living.link.host, "pause", &[until], || format!("until {until}"));
            self.paused_until = until;
        }
    }

    pub(crate) fn cut(&self, until: u64) {
        if let Some(living) = &self.living {
            living.link.witness.reach(Goal::Cut);
            living
                .link
                .witness
                .note(living.link.host, "cut", &[until], || format!("until {until}"));
            living.link.cut(until);
        }
    }

    /// Its connections break.
    pub(crate) fn disconnect(&self) {
        if let Some(living) = &self.living {
            living.link.hand.doubt();
        }
    }

    /// Tells it to leave in order.
    pub(crate) fn drain(&mut self, now: u64, back_after: u64) {
        let Some(living) = &self.living else { return };
        if now < self.paused_until {
            return;
        }
        let mut life = lock(&living.life);
        let Life::Running(_) = &*life else { return };
        let Life::Running(node) = std::mem::replace(&mut *life, Life::Leaving) else { return };
        drop(life);
        living.link.witness.reach(Goal::Drained);
        living.link.witness.note(living.link.host, "drain", &[], String::new);
        count(&living.link, &node.stats());
        let slot = Arc::clone(&living.life);
        living.machine.runtime.spawn(async move {
            // What it could not hand over in order expires.
            let _ = node.drain().await;
            *lock(&slot) = Life::Left;
        });
        self.returns_at = now + back_after;
    }

    /// Ends every pause and cut.
    pub(crate) fn heal(&mut self) {
        self.paused_until = 0;
        if let Some(living) = &self.living {
            living.link.cut(0);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(living) = self.living.take() {
            conclude(living);
        }
    }
}

fn conclude(mut living: Living) {
    living.link.die();
    if let Life::Running(node) = std::mem::replace(&mut *lock(&living.life), Life::Left) {
        count(&living.link, &node.stats());
        let _entered = living.machine.runtime.enter();
        drop(node);
    }
    // Actors that are dropped before they have ended keep each other in memory. Whatever they do
    // in this last step reaches nobody.
    let end = living.machine.reached + 1;
    living.machine.step(end);
}

/// Looks at what a node counted.
fn count(link: &Link, stats: &StatsSnapshot) {
    let witness = &link.witness;
    for (goal, times) in [
        (Goal::ThreadLoaded, stats.threads_loaded),
        (Goal::Repaired, stats.repaired_orders),
        (Goal::RollbackNoticed, stats.rollbacks),
        (Goal::Rebalanced, stats.partitions_released),
        (Goal::Poisoned, stats.quarantined_tasks),
    ] {
        witness.reach_times(goal, times);
    }
    for (count, what) in
        [(stats.corrupt_messages, "corrupt messages"), (stats.coordinator_failures, "failures")]
    {
        if count > 0 {
            witness.complain("I13", || format!("host {}: {count} {what}", link.host));
        }
    }
}

fn lock(life: &Mutex<Life>) -> MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
}
