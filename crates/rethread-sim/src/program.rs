//! Random programs that the entrypoint `interpret` runs, and what they must give.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::random::{Random, mix};

/// Keeps results of different kinds apart.
const ANSWER: u64 = 0xa;
const SHARED: u64 = 0xc;
const SAVED: u64 = 0xf;

/// How deep tasks and child entrypoints may be nested.
const DEPTH_MAX: u32 = 2;
/// Keys of an execution in the store.
const STORE_KEYS: u64 = 2;
/// Keys of the cache.
const CACHE_KEYS: u64 = 3;

/// A program: the input of one execution.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Names the execution within the world.
    pub(crate) execution: u64,
    /// What it does, one after the other.
    pub(crate) ops: Vec<Op>,
}

/// One step of a program. Ids count from 1 in a program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Op {
    /// A task whose body takes so long.
    Task { id: u32, ms: u64 },
    /// A task whose first attempts fail.
    Flaky { id: u32, fails: u32 },
    /// A task that fails the run so often.
    Broken { id: u32, fails: u32 },
    /// A task that fails, which the program survives.
    Caught { id: u32 },
    /// A task whose result is cached under a key that programs share.
    Cached { id: u32, key: u64 },
    /// A task that nobody waits for.
    Detached { id: u32, ms: u64 },
    /// Steps at the same time.
    Parallel { ops: Vec<Op> },
    /// A task that does these steps.
    Nested { id: u32, ops: Vec<Op> },
    /// A child entrypoint that does these steps.
    Child { id: u32, ops: Vec<Op> },
    /// A question.
    Ask { id: u32 },
    /// Puts an item into the store.
    Put { id: u32, key: u64 },
    /// Gets an item.
    Get { key: u64 },
    /// Writes to the custom stream.
    Emit { id: u32 },
    /// A durable sleep.
    Sleep { ms: u64 },
}

/// The result of a step by itself.
pub(crate) fn value_of(execution: u64, id: u32) -> u64 {
    mix(execution, u64::from(id))
}

/// The right answer to a question.
pub(crate) fn answer_to(execution: u64, id: u32) -> u64 {
    mix(ANSWER, value_of(execution, id))
}

/// The result of the cached task for a key.
pub(crate) fn shared_value(key: u64) -> u64 {
    mix(SHARED, key)
}

/// What an execution with this result gives, and what it saves.
pub(crate) fn conclude(result: u64, previous: Option<u64>) -> (u64, u64) {
    let value = mix(result, previous.unwrap_or_default());
    (value, mix(SAVED, value))
}

/// The result of steps one after the other.
pub(crate) fn fold(results: impl IntoIterator<Item = u64>) -> u64 {
    results.into_iter().fold(0, mix)
}

impl Program {
    /// A random program of a few steps.
    pub(crate) fn random(random: &mut Random, execution: u64, ops_max: u64) -> Self {
        let mut left = random.between(1, ops_max);
        let mut maker = Maker { random, next_id: 1 };
        let mut ops = Vec::new();
        while left > 0 {
            ops.push(maker.op(&mut left, Place::Root, 0));
        }
        Self { execution, ops }
    }

    /// The same, for a graph: its steps leave alone what only the body of an entrypoint can do.
    pub(crate) fn random_graph(random: &mut Random, execution: u64, ops_max: u64) -> Self {
        let mut left = random.between(1, ops_max);
        let mut maker = Maker { random, next_id: 1 };
        let mut ops = Vec::new();
        while left > 0 {
            ops.push(maker.op(&mut left, Place::Task, 0));
        }
        Self { execution, ops }
    }

    /// A program that nothing stops.
    pub(crate) fn calm(execution: u64) -> Self {
        Self { execution, ops: vec![Op::Task { id: 1, ms: 1 }, Op::Task { id: 2, ms: 5 }] }
    }

    /// What it gives and saves when the last execution saved `previous`.
    pub(crate) fn expected(&self, previous: Option<u64>) -> (u64, u64) {
        let mut items = BTreeMap::new();
        conclude(fold_ops(&self.ops, self.execution, &mut items), previous)
    }
}

fn fold_ops(ops: &[Op], execution: u64, items: &mut BTreeMap<u64, u64>) -> u64 {
    fold(ops.iter().map(|op| result_of(op, execution, items)).collect::<Vec<_>>())
}

fn result_of(op: &Op, execution: u64, items: &mut BTreeMap<u64, u64>) -> u64 {
    match op {
        Op::Task { id, .. }
        | Op::Flaky { id, .. }
        | Op::Broken { id, .. }
        | Op::Caught { id }
        | Op::Detached { id, .. }
        | Op::Emit { id } => value_of(execution, *id),
        Op::Cached { key, .. } => shared_value(*key),
        Op::Parallel { ops } => fold_ops(ops, execution, items),
        Op::Nested { id, ops } | Op::Child { id, ops } => {
            mix(value_of(execution, *id), fold_ops(ops, execution, items))
        }
        Op::Ask { id } => answer_to(execution, *id),
        Op::Put { id, key } => {
            items.insert(*key, value_of(execution, *id));
            value_of(execution, *id)
        }
        Op::Get { key } => items.get(key).copied().unwrap_or_default(),
        Op::Sleep { ms } => *ms,
    }
}

/// Which body a step stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The root's or a child entrypoint's, one step after the other.
    Root,
    /// A task's: its effects may happen twice, so it leaves the store alone.
    Task,
    /// Beside others: steps on the store would have no order.
    Beside,
}

struct Maker<'a> {
    random: &'a mut Random,
    next_id: u32,
}

impl Maker<'_> {
    fn op(&mut self, left: &mut u64, place: Place, depth: u32) -> Op {
        *left = left.saturating_sub(1);
        let has_room = *left >= 2 && depth < DEPTH_MAX;
        let id = self.next_id;
        self.next_id += 1;
        match self.random.below(100) {
            0..14 if has_room => Op::Parallel { ops: self.ops(left, 5, Place::Beside, depth) },
            14..22 if has_room => Op::Nested { id, ops: self.ops(left, 3, Place::Task, depth) },
            22..28 if has_room => {
                let place = if place == Place::Root { Place::Root } else { Place::Task };
                Op::Child { id, ops: self.ops(left, 3, place, depth) }
            }
            28..35 => Op::Ask { id },
            35..42 => Op::Flaky { id, fails: self.fails() },
            42..45 => Op::Broken { id, fails: self.fails() },
            45..48 => Op::Caught { id },
            48..53 => Op::Cached { id, key: self.random.below(CACHE_KEYS) },
            53..56 => Op::Detached { id, ms: self.duration() },
            56..61 if place == Place::Root => Op::Put { id, key: self.random.below(STORE_KEYS) },
            61..66 if place == Place::Root => Op::Get { key: self.random.below(STORE_KEYS) },
            66..71 => Op::Emit { id },
            71..75 if place == Place::Root => Op::Sleep { ms: self.random.between(1, 400) },
            _ => Op::Task { id, ms: self.duration() },
        }
    }

    fn ops(&mut self, left: &mut u64, most: u64, place: Place, depth: u32) -> Vec<Op> {
        let count = self.random.between(2, most);
        let mut ops = Vec::new();
        for _ in 0..count {
            if *left > 0 {
                ops.push(self.op(left, place, depth + 1));
            }
        }
        ops
    }

    fn fails(&mut self) -> u32 {
        if self.random.permille(700) { 1 } else { 2 }
    }

    /// Most bodies are short; some last long enough to be hit by a fault.
    fn duration(&mut self) -> u64 {
        match self.random.below(100) {
            0..10 => self.random.between(300, 1_500),
            10..40 => self.random.between(5, 80),
            _ => self.random.below(3),
        }
    }
}
