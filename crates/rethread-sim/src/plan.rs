//! What a seed decides before its world begins.

use std::time::Duration;

use crate::program::Program;
use crate::random::Random;
use crate::weather::Rates;

/// What hosts, threads and faults a world has.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) partitions: u16,
    pub(crate) hosts: Vec<HostPlan>,
    pub(crate) threads: Vec<ThreadPlan>,
    pub(crate) rates: Rates,
    /// Faults in the order of their times.
    pub(crate) faults: Vec<Fault>,
    /// When nothing goes wrong any more.
    pub(crate) heals_at: u64,
    /// Longest step of time.
    pub(crate) step_max: u64,
    pub(crate) lease_ttl: Duration,
    pub(crate) evict_after: Duration,
    pub(crate) sweep_every: Duration,
    pub(crate) fetches_max: u32,
    pub(crate) has_rollback: bool,
    /// Nothing goes wrong.
    pub(crate) is_calm: bool,
}

/// One host.
#[derive(Debug, Clone)]
pub(crate) struct HostPlan {
    pub(crate) is_coordinator: bool,
    pub(crate) slots: usize,
    /// What its clock is ahead of others.
    pub(crate) clock_ahead_ms: u64,
    /// When it joins.
    pub(crate) starts_at: u64,
}

/// Something that goes wrong at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) at: u64,
    pub(crate) kind: FaultKind,
    /// The host, where it is one that is hit.
    pub(crate) host: usize,
    /// How long it lasts.
    pub(crate) ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The host is gone at once and comes back later.
    Crash,
    /// The host stands still.
    Pause,
    /// The host reaches nobody.
    Cut,
    /// The host leaves in order and comes back later.
    Drain,
    /// The storage is away, and comes back with all it had.
    Down,
    /// The storage has no room.
    Full,
    /// All leases are deleted.
    Leases,
    /// An order disappears from its queue.
    Order,
    /// The storage is remembered as it is now.
    Snapshot,
    /// The storage is put back to what was remembered.
    Rollback,
}

/// One thread.
#[derive(Debug, Clone)]
pub(crate) struct ThreadPlan {
    /// Whether its programs are played by a graph.
    pub(crate) is_graph: bool,
    /// What happens on it, one after the other.
    pub(crate) scenes: Vec<Scene>,
}

/// What happens on a thread.
#[derive(Debug, Clone)]
pub(crate) enum Scene {
    /// A program runs to its end.
    Plain(Program),
    /// A run is cancelled after some time, and goes on with a retry.
    Cancelled { program: Program, after_ms: u64 },
    /// A second run is asked for while the first may be in progress.
    Second { first: Program, second: Program, how: Second, after_ms: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    Reject,
    Enqueue,
    Interrupt,
    Rollback,
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::of(&[seed, 1]);
        let random = &mut random;
        let mut extra = Random::of(&[seed, 6]);
        let hosts = hosts(random);
        let heals_at = random.between(1_000, 6_000);
        let has_rollback = random.permille(80);
        // Some worlds are calm: what happens there has no excuse.
        let is_calm = random.permille(60);
        let has_rollback = has_rollback && !is_calm;
        let mut faults = faults(random, &mut extra, hosts.len(), heals_at, has_rollback);
        let mut rates = rates(random);
        if is_calm {
            faults.clear();
            rates = Rates::default();
        }
        let heals_at = faults.last().map_or(0, |fault| fault.at + 1).max(heals_at);
        Self {
            seed,
            partitions: random.pick(&[1, 2, 3, 4]),
            threads: threads(random, &mut Random::of(&[seed, 7])),
            rates,
            is_calm,
            faults,
            heals_at,
            step_max: random.pick(&[8, 32, 50]),
            lease_ttl: Duration::from_millis(random.between(800, 2_000)),
            evict_after: Duration::from_millis(random.pick(&[0, 0, 500, 60_000])),
            sweep_every: Duration::from_millis(random.between(500, 4_000)),
            fetches_max: random.pick(&[1, 2, 3, 3]),
            hosts,
            has_rollback,
        }
    }
}

fn hosts(random: &mut Random) -> Vec<HostPlan> {
    let ahead = random.permille(300);
    let host = |random: &mut Random, is_coordinator: bool, slots: usize| {
        let clock_ahead_ms = if ahead { random.below(3_000) } else { 0 };
        let starts_at = if random.permille(200) { random.below(2_000) } else { 0 };
        HostPlan { is_coordinator, slots, clock_ahead_ms, starts_at }
    };
    if random.permille(200) {
        // Hosts that are both.
        return (0..random.between(1, 3)).map(|_| host(random, true, 2)).collect();
    }
    let coordinators = random.between(1, 3);
    let workers = random.between(1, 3);
    let mut hosts: Vec<_> = (0..coordinators).map(|_| host(random, true, 0)).collect();
    for _ in 0..workers {
        let slots = random.pick(&[1, 2, 4, 8]);
        hosts.push(host(random, false, slots));
    }
    hosts
}

fn threads(random: &mut Random, graphs: &mut Random) -> Vec<ThreadPlan> {
    let count = random.between(1, 4);
    let mut next_execution = 0;
    let mut threads = Vec::new();
    for _ in 0..count {
        threads.push(thread(random, &mut next_execution, false));
    }
    // One of them is a graph's, in some worlds.
    if graphs.permille(400)
        && let Some(last) = threads.last_mut()
    {
        *last = thread(graphs, &mut next_execution, true);
    }
    threads
}

fn thread(random: &mut Random, next_execution: &mut u64, is_graph: bool) -> ThreadPlan {
    let count = random.pick(&[1, 1, 2, 3]);
    let scenes = (0..count).map(|_| scene(random, next_execution, is_graph)).collect();
    ThreadPlan { is_graph, scenes }
}

fn scene(random: &mut Random, next_execution: &mut u64, is_graph: bool) -> Scene {
    let mut program = |random: &mut Random| {
        *next_execution += 1;
        match is_graph {
            true => Program::random_graph(random, *next_execution, 6),
            false => Program::random(random, *next_execution, 10),
        }
    };
    let after_ms = if random.permille(500) { random.below(60) } else { random.below(1_500) };
    match random.below(100) {
        0..12 => Scene::Cancelled { program: program(random), after_ms },
        12..35 => Scene::Second {
            first: program(random),
            second: program(random),
            how: random.pick(&[
                Second::Reject,
                Second::Enqueue,
                Second::Interrupt,
                Second::Rollback,
            ]),
            after_ms,
        },
        _ => Scene::Plain(program(random)),
    }
}

fn rates(random: &mut Random) -> Rates {
    let mut rates = Rates { usual_ms_max: random.pick(&[0, 0, 1, 3]), ..Rates::default() };
    let rate = |random: &mut Random, most: u64| {
        if random.permille(400) { random.between(1, most) } else { 0 }
    };
    rates.request_lost = rate(random, 40);
    rates.reply_lost = rate(random, 40);
    rates.twice = rate(random, 80);
    rates.slow = rate(random, 80);
    rates.mail_lost = rate(random, 400);
    rates.wake_lost = rate(random, 200);
    rates.slow_ms_max = random.between(5, 800);
    rates
}

fn faults(
    random: &mut Random,
    extra: &mut Random,
    hosts: usize,
    until: u64,
    has_rollback: bool,
) -> Vec<Fault> {
    use FaultKind::{Crash, Cut, Down, Drain, Full, Leases, Order, Pause, Rollback, Snapshot};
    let mut kinds = vec![Crash, Crash, Crash, Pause, Pause, Cut, Cut, Drain, Drain];
    kinds.extend([Down, Full, Leases, Order]);
    // A subset, so that each also acts without the others.
    kinds.retain(|_| random.permille(500));
    let mut faults = Vec::new();
    if !kinds.is_empty() {
        for _ in 0..random.below(9) {
            let kind = random.pick(&kinds);
            let host = usize::try_from(random.below(hosts as u64)).unwrap_or_default();
            let ms = match kind {
                Crash | Drain => random.below(1_500),
                Down | Full => random.between(50, 1_500),
                _ => random.between(100, 4_000),
            };
            faults.push(Fault { at: random.below(until), kind, host, ms });
        }
    }
    if has_rollback {
        let at = random.below(until);
        let back_at = at + random.between(20, 1_500);
        faults.push(Fault { at, kind: Snapshot, host: 0, ms: 0 });
        faults.push(Fault { at: back_at, kind: Rollback, host: 0, ms: 0 });
        // Owners that change around it: then an epoch is given out twice.
        for at in [at, back_at] {
            if extra.permille(300) {
                faults.push(Fault { at: at + extra.below(200), kind: Leases, host: 0, ms: 0 });
            }
        }
    }
    faults.sort_by_key(|fault| fault.at);
    faults
}
