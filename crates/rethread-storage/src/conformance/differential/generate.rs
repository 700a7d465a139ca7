//! Makes sequences of operations from seeds.

use super::op::{Change, Label, Life, Op, Part, ThreadChange};
use super::random::Random;

/// Partitions that sequences use.
pub const PARTITIONS_USED: u16 = 2;

pub(super) const PARTITIONS: u16 = PARTITIONS_USED;
pub(super) const THREADS: u8 = 3;
pub(super) const RUNS: u8 = 4;
pub(super) const CHECKPOINTS: u8 = 4;
pub(super) const QUEUES: u8 = 2;
pub(super) const WORKERS: u8 = 3;
pub(super) const CACHE_KEYS: u8 = 6;
pub(super) const ITEMS: u8 = 6;
const NODES: u8 = 3;
const OPS: u8 = 12;
const GROUPS: u8 = 3;
const PREFIXES: u8 = 4;

/// The sequence of a seed.
pub(super) fn sequence(random: Random) -> Vec<Op> {
    let mut generator = Generator { random, label: 0 };
    let length = 10 + generator.random.below(50);
    // Hardly anything is possible without an owner.
    let first = (0..PARTITIONS).map(|partition| Op::Acquire { partition, node: 0, lasts: true });
    first.chain((0..length).map(|_| generator.op())).collect()
}

struct Generator {
    random: Random,
    label: Label,
}

impl Generator {
    fn label(&mut self) -> Label {
        self.label += 1;
        self.label
    }

    fn labels(&mut self, max: usize) -> Vec<Label> {
        (0..self.random.below(max + 1)).map(|_| self.label()).collect()
    }

    fn one_of(&mut self, count: u8) -> u8 {
        self.random.below(usize::from(count)) as u8
    }

    fn partition(&mut self) -> u16 {
        self.random.below(usize::from(PARTITIONS)) as u16
    }

    /// Mostly what came last.
    fn ago(&mut self) -> usize {
        if self.random.chance(4) { self.random.below(30) } else { self.random.below(3) }
    }

    fn lasts(&mut self) -> bool {
        !self.random.chance(6)
    }

    fn life(&mut self) -> Life {
        [Life::Endless, Life::Long, Life::Over][self.random.below(3)]
    }

    fn op(&mut self) -> Op {
        match self.random.below(100) {
            0..=23 => self.commit(),
            24..=25 => Op::RepeatCommit,
            26..=39 => self.inbox(),
            40..=63 => self.work(),
            64..=71 => self.ownership(),
            72..=81 => self.reading(),
            82..=86 => self.letters(),
            87..=92 => self.cache(),
            93..=98 => self.item(),
            _ => Op::Look { partition: self.partition() },
        }
    }

    fn ownership(&mut self) -> Op {
        let (partition, node, lasts) = (self.partition(), self.one_of(NODES), self.lasts());
        match self.random.below(8) {
            0..=3 => Op::Acquire { partition, node, lasts },
            4 => Op::Renew { leases: vec![self.ago(), self.ago()], lasts },
            5 => Op::Release { lease: self.ago() },
            6 => Op::Announce { node, lasts },
            _ => Op::WithdrawNode { node },
        }
    }

    fn inbox(&mut self) -> Op {
        let partition = self.partition();
        if self.random.chance(2) {
            return Op::Submit { partition, op: self.one_of(OPS), message: self.label() };
        }
        let after = self.random.chance(2).then(|| self.ago());
        Op::Read { partition, after, max: 1 + self.random.below(8) }
    }

    fn commit(&mut self) -> Op {
        let skew = if self.random.chance(10) { self.random.below(4) as i64 - 2 } else { 0 };
        let mut threads: Vec<ThreadChange> = Vec::new();
        for thread in 0..THREADS {
            if self.random.chance(2) {
                threads.push(self.thread(thread));
            }
        }
        let orders = (0..self.random.below(4))
            .map(|_| (self.one_of(QUEUES), self.one_of(GROUPS), self.label()))
            .collect();
        let change = Change {
            consumed: self.random.chance(3).then(|| self.ago()),
            consumed_beyond: self.random.some(2, |random| random.below(6)),
            threads,
            withdrawn: if self.random.chance(4) { vec![self.one_of(GROUPS)] } else { Vec::new() },
            orders,
            dead_letters: if self.random.chance(5) { self.labels(2) } else { Vec::new() },
        };
        Op::Commit { lease: self.ago(), skew, change: Box::new(change) }
    }

    fn thread(&mut self, thread: u8) -> ThreadChange {
        let checkpoints = self.random.some(2, |random| random.below(CHECKPOINTS.into()) as u8);
        let journal = match self.random.below(3) {
            0 => None,
            kind => Some((kind == 1 && self.random.chance(3), self.labels(3))),
        };
        let mut runs: Vec<u8> = self.random.some(2, |random| random.below(RUNS.into()) as u8);
        runs.dedup();
        let waiting = (0..self.random.below(3))
            .map(|_| {
                let drops = self.random.maybe(2, |random| (random.below(4), random.chance(2)));
                (self.label(), drops)
            })
            .collect();
        let activity = match self.random.below(4) {
            0 => Some(None),
            1 => Some(Some(self.random.below(1_000) as u64)),
            _ => None,
        };
        let header = (!self.random.chance(3)).then(|| self.label());
        // Without a header, an owner only writes what answers a request that it refuses.
        let must_end = header.is_none();
        // It names a base that comes with it.
        let base = checkpoints.first().copied().filter(|_| !must_end && self.random.chance(2));
        ThreadChange {
            thread,
            delete: self.random.chance(8),
            header,
            journal,
            checkpoints: checkpoints.into_iter().map(|id| (id, self.label())).collect(),
            drop_checkpoints: self.random.some(1, |random| random.below(CHECKPOINTS.into()) as u8),
            base,
            events: runs
                .into_iter()
                .map(|run| (run, self.random.below(3), must_end || self.random.chance(8)))
                .collect(),
            activity,
            waiting,
        }
    }

    fn work(&mut self) -> Op {
        let (worker, partition, queue) =
            (self.one_of(WORKERS), self.partition(), self.one_of(QUEUES));
        match self.random.below(16) {
            0..=5 => Op::Fetch { worker, partition, queue, max: 1 + self.random.below(4) },
            6 => Op::FetchAll { worker },
            7..=10 => {
                let count = 1 + self.random.below(3);
                let parts = (0..count).map(|_| self.part()).collect();
                Op::HandIn { stranger: self.random.chance(6), parts }
            }
            11 => Op::Heartbeat { worker },
            12 => Op::Reclaim { worker, partition, queue, by_silence: self.random.chance(2) },
            13 => Op::Confirm { worker, receipts: vec![self.ago(), self.ago(), self.ago()] },
            14 => Op::Retire { worker, heir: (worker + 1) % WORKERS, all: self.random.chance(2) },
            _ => Op::Describe { worker, description: self.label() },
        }
    }

    fn part(&mut self) -> Part {
        let receipt = (!self.random.chance(4)).then(|| self.ago());
        Part { receipt, partition: self.partition(), messages: self.labels(2) }
    }

    fn reading(&mut self) -> Op {
        let (partition, thread) = (self.partition(), self.one_of(THREADS));
        match self.random.below(6) {
            0 | 1 => Op::Load { partition, thread },
            2 => Op::ReadHeader { partition, thread },
            3 => Op::ReadCheckpoint { partition, thread, checkpoint: self.one_of(CHECKPOINTS) },
            4 => {
                let before = self.random.maybe(2, |random| random.below(CHECKPOINTS.into()) as u8);
                Op::ListCheckpoints { partition, thread, before, max: 1 + self.random.below(4) }
            }
            _ => {
                let (after, max) = (self.random.below(4) as u64, 1 + self.random.below(5));
                Op::ReadEvents { partition, run: self.one_of(RUNS), after, max }
            }
        }
    }

    fn letters(&mut self) -> Op {
        let partition = self.partition();
        if self.random.chance(2) {
            return Op::RemoveLetter { partition, letter: self.ago() };
        }
        let after = self.random.chance(2).then(|| self.ago());
        Op::ListLetters { partition, after, max: 1 + self.random.below(5) }
    }

    fn cache(&mut self) -> Op {
        let (key, holder) = (self.one_of(CACHE_KEYS), self.one_of(2));
        match self.random.below(6) {
            0..=2 => Op::LookUp { key, holder },
            3 => Op::Fill { key, value: self.label(), life: self.life() },
            4 => Op::Abandon { key, holder },
            _ => Op::Clear { group: self.random.maybe(2, |random| random.below(3) as u8) },
        }
    }

    fn item(&mut self) -> Op {
        let (item, prefix) = (self.one_of(ITEMS), self.one_of(PREFIXES));
        match self.random.below(8) {
            0..=2 => Op::PutItem { item, record: self.label(), life: self.life() },
            3 => Op::ReadItem { item },
            4 => Op::DeleteItem { item },
            5 => Op::TouchItem { item, lasts: self.lasts() },
            6 => {
                let after = self.random.maybe(2, |random| random.below(ITEMS.into()) as u8);
                Op::ScanItems { prefix, after, max: 1 + self.random.below(5) }
            }
            _ => Op::Namespaces { prefix },
        }
    }
}
