//! Programs that the entrypoint `interpret` runs, and what they must give.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::random::mix;

/// Keeps results of different kinds apart.
const ANSWER: u64 = 0xa;
const SHARED: u64 = 0xc;
const SAVED: u64 = 0xf;

/// A program: the input of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Names the execution, among all of the run of chaos.
    pub(crate) execution: u64,
    /// What it does, one after the other.
    pub(crate) ops: Vec<Op>,
}

/// One step of a program. Ids count from 1 in a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// A task whose body takes so long.
    Task { id: u32, ms: u64 },
    /// A task whose first attempts fail.
    Flaky { id: u32, fails: u32 },
    /// A task that panics, which its caller survives.
    Panic { id: u32 },
    /// A task that ends its process, as often as it takes to be given up; then it works.
    Abort { id: u32 },
    /// A task whose result is cached under a key that programs share.
    Cached { id: u32, key: u64 },
    /// Steps at the same time.
    Parallel { ops: Vec<Op> },
    /// A task that does these steps.
    Nested { id: u32, ops: Vec<Op> },
    /// A child entrypoint that does these steps.
    Child { id: u32, ops: Vec<Op> },
    /// A question.
    Ask { id: u32 },
    /// Puts an item into the store, under a key of the thread.
    Put { id: u32, key: u8 },
    /// Gets an item of the thread.
    Get { key: u8 },
    /// Writes to the custom stream.
    Emit { id: u32 },
    /// A durable sleep.
    Sleep { ms: u64 },
}

/// What a thread knows from one execution to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What the last execution saved.
    pub(crate) previous: Option<u64>,
    /// Its items in the store.
    pub(crate) items: BTreeMap<u8, u64>,
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
    /// What an undisturbed execution gives; `memory` becomes what the next one finds.
    pub(crate) fn expected(&self, memory: &mut Memory) -> u64 {
        let result = fold_ops(&self.ops, self.execution, memory);
        let (value, saved) = conclude(result, memory.previous);
        memory.previous = Some(saved);
        value
    }

    /// All steps, callers before what they call.
    pub(crate) fn all_ops(&self) -> Vec<&Op> {
        let mut all = Vec::new();
        collect(&self.ops, &mut all);
        all
    }

    /// The steps that have a body of a task, by id.
    pub(crate) fn bodies(&self) -> BTreeMap<u32, &Op> {
        self.all_ops().into_iter().filter_map(|op| Some((op.body()?, op))).collect()
    }

    /// The ids that the root body writes to the custom stream, in order.
    pub(crate) fn emissions(&self) -> Vec<u32> {
        fn of(ops: &[Op], ids: &mut Vec<u32>) {
            for op in ops {
                match op {
                    Op::Emit { id } => ids.push(*id),
                    Op::Parallel { ops } => of(ops, ids),
                    _ => {}
                }
            }
        }
        let mut ids = Vec::new();
        of(&self.ops, &mut ids);
        ids
    }
}

impl Op {
    /// Its id, if a body of a task belongs to it.
    pub(crate) fn body(&self) -> Option<u32> {
        match self {
            Self::Task { id, .. }
            | Self::Flaky { id, .. }
            | Self::Panic { id }
            | Self::Abort { id }
            | Self::Cached { id, .. }
            | Self::Nested { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The steps inside.
    pub(crate) fn inner(&self) -> &[Op] {
        match self {
            Self::Parallel { ops } | Self::Nested { ops, .. } | Self::Child { ops, .. } => ops,
            _ => &[],
        }
    }

    /// The steps inside, at any depth.
    pub(crate) fn all_inner(&self) -> impl Iterator<Item = &Op> {
        let mut all = Vec::new();
        collect(self.inner(), &mut all);
        all.into_iter()
    }

    /// How many questions it asks.
    pub(crate) fn questions(&self) -> usize {
        let own = usize::from(matches!(self, Self::Ask { .. }));
        own + self.inner().iter().map(Self::questions).sum::<usize>()
    }
}

fn collect<'a>(ops: &'a [Op], all: &mut Vec<&'a Op>) {
    for op in ops {
        all.push(op);
        collect(op.inner(), all);
    }
}

fn fold_ops(ops: &[Op], execution: u64, memory: &mut Memory) -> u64 {
    fold(ops.iter().map(|op| result_of(op, execution, memory)).collect::<Vec<_>>())
}

fn result_of(op: &Op, execution: u64, memory: &mut Memory) -> u64 {
    match op {
        Op::Task { id, .. }
        | Op::Flaky { id, .. }
        | Op::Panic { id }
        | Op::Abort { id }
        | Op::Emit { id } => value_of(execution, *id),
        Op::Cached { key, .. } => shared_value(*key),
        Op::Parallel { ops } => fold_ops(ops, execution, memory),
        Op::Nested { id, ops } | Op::Child { id, ops } => {
            mix(value_of(execution, *id), fold_ops(ops, execution, memory))
        }
        Op::Ask { id } => answer_to(execution, *id),
        Op::Put { id, key } => {
            memory.items.insert(*key, value_of(execution, *id));
            value_of(execution, *id)
        }
        Op::Get { key } => memory.items.get(key).copied().unwrap_or_default(),
        Op::Sleep { ms } => *ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_execution_depends_on_what_the_earlier_one_left() {
        let put = Program { execution: 1, ops: vec![Op::Put { id: 1, key: 3 }] };
        let get = Program { execution: 2, ops: vec![Op::Get { key: 3 }] };
        let mut memory = Memory::default();
        put.expected(&mut memory);
        let after = get.expected(&mut memory);
        assert_ne!(after, get.expected(&mut Memory::default()));
        assert_eq!(memory.items[&3], value_of(1, 1));
    }

    #[test]
    fn bodies_and_questions_are_found_at_any_depth() {
        let ask = Op::Ask { id: 3 };
        let task = Op::Task { id: 4, ms: 0 };
        let child = Op::Child { id: 2, ops: vec![ask, task] };
        let nested = Op::Nested { id: 1, ops: vec![child] };
        assert_eq!(nested.questions(), 1);
        let program = Program { execution: 1, ops: vec![nested] };
        assert_eq!(program.bodies().into_keys().collect::<Vec<_>>(), [1, 4]);
    }
}
