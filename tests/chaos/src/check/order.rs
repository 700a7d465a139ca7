//! What follows a task starts when its result is recorded; then its body starts no more.

use super::bodies::cancelled;
use super::world::World;
use super::{Breach, Place};
use crate::program::Op;

/// First and last start of the bodies in some steps: places in the ledger.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: usize,
    last: usize,
}

pub(super) fn none_starts_after_what_follows_it(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, execution) in &world.executions {
        let mut walk = Walk { world, execution: *number, breaches: &mut breaches };
        walk.sequence(&execution.program.ops);
    }
    breaches
}

struct Walk<'a> {
    world: &'a World,
    execution: u64,
    breaches: &'a mut Vec<Breach>,
}

impl Walk<'_> {
    /// Steps one after the other: each begins behind the results of all before it.
    fn sequence(&mut self, ops: &[Op]) -> Option<Span> {
        let mut before: Option<Span> = None;
        for op in ops {
            let Some(span) = self.op(op) else { continue };
            if let Some(before) = before
                && self.at(before.last) > self.at(span.first)
            {
                let late = self.world.effect(before.last);
                let text = format!(
                    "step {} of execution {} starts though step {}, which waits for its result, \
                     has started",
                    late.step,
                    self.execution,
                    self.world.effect(span.first).step
                );
                let places = [Place::Effect(span.first), Place::Effect(before.last)];
                self.breaches.push(Breach::new(text, places));
            }
            before = self.joined(before, Some(span));
        }
        before
    }

    fn op(&mut self, op: &Op) -> Option<Span> {
        let own = op.body().and_then(|step| self.own(step));
        let inner = match op {
            Op::Parallel { ops } => {
                let spans: Vec<_> = ops.iter().map(|op| self.op(op)).collect();
                spans.into_iter().fold(None, |all, span| self.joined(all, span))
            }
            Op::Nested { ops, .. } | Op::Child { ops, .. } => self.sequence(ops),
            _ => None,
        };
        self.joined(own, inner)
    }

    fn own(&self, step: u32) -> Option<Span> {
        let starts = self.world.starts.get(&(self.execution, step))?;
        // What a stopped run has ordered may start a little late, when the next run is further.
        let counts = |start: &&usize| {
            let effect = self.world.effect(**start);
            !cancelled(self.world, effect, effect.at)
        };
        let last = starts.iter().rfind(counts)?;
        Some(Span { first: *starts.iter().find(counts)?, last: *last })
    }

    fn joined(&self, a: Option<Span>, b: Option<Span>) -> Option<Span> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        let first = if self.at(a.first) <= self.at(b.first) { a.first } else { b.first };
        let last = if self.at(a.last) >= self.at(b.last) { a.last } else { b.last };
        Some(Span { first, last })
    }

    fn at(&self, place: usize) -> u64 {
        self.world.effect(place).at
    }
}
