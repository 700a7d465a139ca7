//! One world, from its seed to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{Millis, PartitionId};
use rethread_core::record::Record;
use rethread_storage::memory::{MemoryOptions, MemoryStorage, Model};
use rethread_storage::{Clock, InboxCursor};

use crate::driver::Driver;
use crate::goals::Goal;
use crate::host::{Host, Machine, Setting};
use crate::link::Link;
use crate::panics;
use crate::plan::{Fault, FaultKind, Plan};
use crate::random::Random;
use crate::storage::FaultyStorage;
use crate::weather::Weather;
use crate::witness::{Facts, Witness};

/// The system's time when a world begins.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;

/// How long everything may take to end once nothing goes wrong any more.
const END_MAX_MS: u64 = 120_000;

/// The host that the clients are on.
const CLIENTS: u32 = 1;

/// What came of a world.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What was violated.
    pub(crate) violations: Vec<String>,
    pub(crate) goals: Vec<(Goal, u64)>,
    /// The order and content of all that happened.
    pub(crate) digest: u64,
    /// The same as text, if it was wanted.
    pub(crate) lines: Vec<String>,
    /// Simulated milliseconds.
    pub(crate) lasted: u64,
}

struct World {
    plan: Plan,
    witness: Arc<Witness>,
    weather: Arc<Weather>,
    storage: MemoryStorage,
    hosts: Vec<Host>,
    clients: Machine,
    /// Drivers that have not ended.
    driving: Arc<AtomicUsize>,
    driver: Arc<Driver>,
    kept: Option<(Model, Facts)>,
    /// Orders that are to be lost as soon as there are any.
    losses: u32,
    random: Random,
    now: u64,
}

/// Lives through the world of a seed.
pub(crate) fn live(seed: u64, keeps_lines: bool) -> Ended {
    let mut world = World::new(Plan::of(seed), keeps_lines);
    world.run();
    world.end()
}

impl World {
    fn new(plan: Plan, keeps_lines: bool) -> Self {
        let witness = Arc::new(Witness::new(keeps_lines));
        let weather = Arc::new(Weather::new(plan.rates.clone()));
        let clock = Arc::clone(&witness);
        let storage = MemoryStorage::with_options(MemoryOptions {
            partitions: plan.partitions,
            clock: Some(Clock::new(move || Millis(EPOCH + clock.now()))),
            ..MemoryOptions::default()
        });
        witness.note(0, "plan", &[plan.seed], || format!("{plan:#?}"));
        let hosts = plan.hosts.iter().cloned().enumerate();
        let hosts = hosts.map(|(place, plan)| Host::new(place, plan)).collect();
        let clients = Machine::new(0);
        let link = Link::new(
            storage.clone(),
            Arc::clone(&witness),
            Arc::clone(&weather),
            CLIENTS,
            Random::of(&[plan.seed, 2]),
        );
        let link = FaultyStorage(Arc::new(link));
        let driver = Arc::new(Driver::new(Arc::new(link), Arc::clone(&witness), &plan));
        let driving = Arc::new(AtomicUsize::new(plan.threads.len()));
        for (nth, thread) in plan.threads.iter().enumerate() {
            let (driver, driving) = (Arc::clone(&driver), Arc::clone(&driving));
            let thread = thread.clone();
            clients.runtime.spawn(async move {
                driver.drive(nth, thread).await;
                driving.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let random = Random::of(&[plan.seed, 3]);
        Self {
            plan,
            witness,
            weather,
            storage,
            hosts,
            clients,
            driving,
            driver,
            kept: None,
            losses: 0,
            random,
            now: 0,
        }
    }

    fn run(&mut self) {
        let mut faults = self.plan.faults.clone().into_iter().peekable();
        let deadline = self.plan.heals_at + END_MAX_MS;
        let mut step = 1;
        let mut activity = 0;
        loop {
            while let Some(fault) = faults.next_if(|fault| fault.at <= self.now) {
                self.strike(fault);
            }
            if self.now >= self.plan.heals_at && !self.weather.is_healed() {
                self.heal();
            }
            let moved = std::mem::replace(&mut activity, self.witness.activity()) != activity;
            step = if moved { 1 } else { (step * 2).min(self.plan.step_max) };
            let mut until = self.now + step;
            if let Some(next) = faults.peek() {
                until = until.min(next.at.max(self.now + 1));
            }
            self.step(until);
            if self.witness.has_complaints() {
                return;
            }
            if self.weather.is_healed() && self.driving.load(Ordering::Relaxed) == 0 {
                match self.unrest() {
                    None => return,
                    Some(what) if self.now >= deadline => {
                        return self.witness.complain("I18", || format!("no rest: {what}"));
                    }
                    Some(_) => {}
                }
            } else if self.now >= deadline {
                let waits = self.driver.waits();
                return self.witness.complain("I1", || format!("does not end: {waits}"));
            }
        }
    }

    fn step(&mut self, until: u64) {
        let Self { plan, witness, weather, storage, hosts, clients, random, now, losses, .. } =
            self;
        witness.set_now(*now);
        clients.step(until);
        let link = |id: u32| {
            Link::new(
                storage.clone(),
                Arc::clone(witness),
                Arc::clone(weather),
                id,
                Random::of(&[plan.seed, 4, id.into()]),
            )
        };
        let setting = Setting { plan, link: &link };
        // The order of hosts within a step is chance, too.
        let first = usize::try_from(random.below(hosts.len() as u64)).unwrap_or_default();
        let (behind, before) = hosts.split_at_mut(first);
        for host in before.iter_mut().chain(behind) {
            host.step(&setting, *now, until);
            if *losses > 0 && storage.with_model(|model| model.lose_order(0)) {
                *losses -= 1;
                witness.order_lost();
            }
        }
        self.now = until;
        self.witness.set_now(until);
    }

    fn strike(&mut self, fault: Fault) {
        let (now, until) = (self.now, self.now + fault.ms);
        self.witness.acted();
        match fault.kind {
            FaultKind::Crash => self.hosts[fault.host].crash(now, fault.ms),
            FaultKind::Pause => self.hosts[fault.host].pause(until),
            FaultKind::Cut => self.hosts[fault.host].cut(until),
            FaultKind::Drain => self.hosts[fault.host].drain(now, fault.ms),
            FaultKind::Down => {
                self.witness.note(0, "store down", &[until], || format!("until {until}"));
                self.witness.reach(Goal::StoreRestarted);
                self.weather.take_down(until);
            }
            FaultKind::Full => {
                self.witness.note(0, "store full", &[until], || format!("until {until}"));
                self.weather.fill(until);
            }
            FaultKind::Leases => {
                self.witness.note(0, "leases deleted", &[], String::new);
                self.witness.reach(Goal::LeasesLost);
                for partition in 0..self.plan.partitions {
                    self.storage.with_model(|model| model.forget_owner(PartitionId(partition)));
                }
            }
            FaultKind::Order => self.losses += 1,
            FaultKind::Snapshot => {
                let model = self.storage.with_model(|model| model.clone());
                self.kept = Some((model, self.witness.keep()));
            }
            FaultKind::Rollback => {
                if let Some((model, facts)) = self.kept.take() {
                    self.witness.note(0, "rollback", &[], String::new);
                    self.witness.reach(Goal::RolledBack);
                    self.storage.with_model(|now| now.roll_back_to(model));
                    self.witness.put_back(facts);
                    self.driver.rolled_back();
                    for host in &self.hosts {
                        host.disconnect();
                    }
                }
            }
        }
    }

    fn heal(&mut self) {
        self.witness.note(0, "heal", &[], String::new);
        self.weather.heal();
        self.losses = 0;
        for host in &mut self.hosts {
            host.heal();
        }
    }

    /// What is left to do in the storage, once all clients are content.
    fn unrest(&self) -> Option<String> {
        self.storage.with_model(|model| {
            for partition in (0..self.plan.partitions).map(PartitionId) {
                let inbox = model.read_inboxes(&[(partition, InboxCursor::START)], 10);
                let orders = model.queued_orders(partition);
                let active = model.active_threads(partition);
                let counts = (
                    inbox.map_or(0, |items| items.len()),
                    orders.map_or(0, |orders| orders.len()),
                    active.map_or(0, |active| active.len()),
                );
                if counts != (0, 0, 0) {
                    let (inbox, orders, active) = counts;
                    return Some(format!(
                        "partition {partition}: inbox {inbox}, orders {orders}, active {active}"
                    ));
                }
            }
            None
        })
    }

    fn end(mut self) -> Ended {
        if !self.witness.has_complaints() {
            self.check_threads();
            self.driver.check_logs(&self.storage);
        }
        // Their counts are looked at when they are dropped.
        self.hosts.clear();
        for panic in panics::take() {
            self.witness.complain("P12", || panic);
        }
        let (violations, goals, digest, lines) = self.witness.conclude();
        let goals = goals.into_iter().collect();
        Ended { violations, goals, digest, lines, lasted: self.now }
    }

    /// What is stored of each thread can be read, and says that nothing goes on.
    fn check_threads(&self) {
        for (nth, thread) in self.driver.threads().iter().enumerate() {
            let key = thread.key();
            let partition = key.partition(self.plan.partitions);
            let loaded = self.storage.with_model(|model| model.load_thread(partition, key));
            if self.driver.is_deleted(nth) {
                let checkpoints = self
                    .storage
                    .with_model(|model| model.list_checkpoints(partition, key, None, 1));
                if !matches!(loaded, Ok(None)) || checkpoints.is_ok_and(|it| !it.is_empty()) {
                    self.witness.complain("I10", || format!("something is left of {thread}"));
                }
                continue;
            }
            let Ok(Some(loaded)) = loaded else { continue };
            match ThreadHeader::from_record(&loaded.header) {
                Ok(header) if header.status == ThreadStatus::Running => {
                    self.witness.complain("I1", || format!("thread {thread} is running for ever"));
                }
                Ok(_) => {}
                Err(error) => {
                    self.witness.complain("I13", || format!("header of {thread}: {error}"));
                }
            }
            if !loaded.waiting.is_empty() {
                self.witness.complain("I1", || format!("commands wait on {thread} for ever"));
            }
        }
    }
}

/// A pause of a client.
pub(crate) async fn wait(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
