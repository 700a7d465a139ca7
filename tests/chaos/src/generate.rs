//! Random programs.

use crate::program::{Op, Program};
use crate::random::Random;

/// Most steps of a program.
const OPS_MAX: u64 = 20;
/// How deep tasks and child entrypoints may be nested.
const DEPTH_MAX: u32 = 3;
/// So many of a hundred chances to end a process are taken.
const ABORT_PERCENT: u64 = 5;
/// Keys of a thread in the store.
const STORE_KEYS: u64 = 3;

/// A program of 6 to 20 steps. Keys of cached tasks are taken from `0..shared_keys`.
pub(crate) fn program(random: &mut Random, execution: u64, shared_keys: u64) -> Program {
    let mut left = random.between(6, OPS_MAX);
    let mut maker = Maker { random, next_id: 1, shared_keys: shared_keys.max(1) };
    let mut ops = Vec::new();
    while left > 0 {
        ops.push(maker.op(&mut left, Place::Root, 0));
    }
    Program { execution, ops }
}

/// A program of one to three short steps that asks nothing and leaves the store alone.
pub(crate) fn short_program(random: &mut Random, execution: u64) -> Program {
    let ops = (1..=u32::try_from(random.between(1, 3)).unwrap_or(1))
        .map(|id| Op::Task { id, ms: random.between(0, 30) })
        .collect();
    Program { execution, ops }
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
    shared_keys: u64,
}

impl Maker<'_> {
    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// One step, which takes itself and what is in it from `left`.
    fn op(&mut self, left: &mut u64, place: Place, depth: u32) -> Op {
        *left = left.saturating_sub(1);
        let has_room = *left >= 2 && depth < DEPTH_MAX;
        let id = self.id();
        match self.random.below(100) {
            0..12 if has_room => {
                let ops = self.ops(left, 4, Place::Beside, depth);
                Op::Parallel { ops }
            }
            12..19 if has_room => {
                let ops = self.ops(left, 4, Place::Task, depth);
                Op::Nested { id, ops }
            }
            19..25 if has_room => {
                let place = if place == Place::Root { Place::Root } else { Place::Task };
                let ops = self.ops(left, 4, place, depth);
                Op::Child { id, ops }
            }
            25..31 => Op::Ask { id },
            31..39 => {
                let fails = u32::try_from(self.random.between(1, 2)).unwrap_or(1);
                Op::Flaky { id, fails }
            }
            39..45 => Op::Cached { id, key: self.random.below(self.shared_keys) },
            45..51 if place == Place::Root => Op::Put { id, key: self.store_key() },
            51..56 if place == Place::Root => Op::Get { key: self.store_key() },
            56..61 => Op::Emit { id },
            61..64 if place == Place::Root => Op::Sleep { ms: self.random.between(1, 300) },
            64..66 if place == Place::Root => Op::Panic { id },
            66 if place == Place::Root && depth == 0 && self.random.percent(ABORT_PERCENT) => {
                Op::Abort { id }
            }
            _ => Op::Task { id, ms: self.duration() },
        }
    }

    /// Two to `most` steps.
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

    fn store_key(&mut self) -> u8 {
        u8::try_from(self.random.below(STORE_KEYS)).unwrap_or_default()
    }

    /// Most bodies are short; some last long enough to be hit by a fault.
    fn duration(&mut self) -> u64 {
        match self.random.below(100) {
            0..3 => self.random.between(300, 900),
            3..20 => self.random.between(5, 50),
            _ => self.random.below(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn programs() -> impl Iterator<Item = Program> {
        (0..5_000).map(|seed| program(&mut Random::of(&[seed]), seed, 10))
    }

    #[test]
    fn a_seed_gives_one_program() {
        let make = |seed| program(&mut Random::of(&[seed]), 1, 10);
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }

    #[test]
    fn programs_are_small_and_their_ids_differ() {
        for program in programs() {
            let ops = program.all_ops();
            assert!((6..=20).contains(&ops.len()), "{} steps", ops.len());
            let bodies = ops.iter().filter_map(|op| op.body());
            let unique: BTreeSet<u32> = bodies.clone().collect();
            assert_eq!(unique.len(), bodies.count());
        }
    }

    #[test]
    fn there_is_every_kind_of_step() {
        let kinds: BTreeSet<String> = programs()
            .flat_map(|program| {
                let names = program.all_ops().into_iter().map(|op| format!("{op:?}"));
                names.collect::<Vec<_>>()
            })
            .filter_map(|text| text.split(' ').next().map(str::to_owned))
            .collect();
        assert_eq!(kinds.len(), 13, "{kinds:?}");
    }

    #[test]
    fn the_store_is_used_in_one_order_only() {
        fn check(ops: &[Op], may_use_store: bool) {
            for op in ops {
                let uses = matches!(op, Op::Put { .. } | Op::Get { .. });
                assert!(!uses || may_use_store, "{op:?}");
                check(op.inner(), may_use_store && matches!(op, Op::Child { .. }));
            }
        }
        for program in programs() {
            check(&program.ops, true);
        }
    }
}
