//! Executions give what their programs say.

use std::collections::BTreeMap;

use super::ends::is_given_up;
use super::world::{Execution, World};
use super::{Breach, Place};
use crate::history::{Contest, End, Fact};
use crate::ledger::Phase;
use crate::program::{Memory, Op};

pub(super) fn results_are_right(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for executions in world.threads.values() {
        if executions.iter().any(|number| world.executions[number].contest.is_some()) {
            breaches.extend(contest_has_an_order(world, executions));
            continue;
        }
        let mut memory = Memory::default();
        for number in executions {
            let execution = &world.executions[number];
            let expected = execution.program.expected(&mut memory);
            let Some(End::Done { value }) = world.result_of(execution) else { break };
            if *value != expected {
                let text = format!("execution {number} gave {value} instead of {expected}");
                breaches.push(Breach::new(text, places(world, execution)));
                // What it saved is wrong too.
                break;
            }
        }
    }
    breaches
}

/// Of executions that were started at the same time, those that have results ran one after the
/// other, in some order: each gives what its program says, from what the one before it saved.
fn contest_has_an_order(world: &World, executions: &[u64]) -> Option<Breach> {
    let mut left: Vec<(&Execution, u64)> = executions
        .iter()
        .map(|number| &world.executions[number])
        .filter_map(|execution| match world.result_of(execution) {
            Some(End::Done { value }) => Some((execution, *value)),
            _ => None,
        })
        .collect();
    let waits = |execution: &&Execution| {
        let end = world.result_of(execution);
        execution.contest == Some(Contest::Enqueue)
            && !is_given_up(end)
            && !matches!(end, Some(End::Done { .. }))
    };
    let all = executions.iter().map(|number| &world.executions[number]);
    let has_failed = all.clone().any(|execution| is_given_up(world.result_of(execution)));
    let mut memory = Memory::default();
    while !left.is_empty() {
        let next = left.iter().position(|(execution, value)| {
            execution.program.expected(&mut memory.clone()) == *value
        });
        let Some(next) = next else { break };
        left.swap_remove(next).0.program.expected(&mut memory);
    }
    let lost: Vec<&Execution> = all.filter(waits).collect();
    let text = if !left.is_empty() {
        format!("{} results of a contest fit no order", left.len())
    } else if !lost.is_empty() {
        format!("{} of a contest that were to wait have no result", lost.len())
    } else if memory == Memory::default() && !has_failed {
        "nobody of a contest has a result".to_owned()
    } else {
        return None;
    };
    let all = executions.iter().map(|number| &world.executions[number]);
    let shown: Vec<Place> = all.flat_map(|execution| places(world, execution)).collect();
    Some(Breach::new(text, shown))
}

pub(super) fn every_body_ended(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, execution) in world.done() {
        for (step, op) in execution.program.bodies() {
            let ends = world.ends.get(&(*number, step)).into_iter().flatten();
            let has_ended = ends.clone().any(|place| world.effect(*place).phase == Phase::End);
            if !has_ended && !matches!(op, Op::Cached { .. }) {
                let text =
                    format!("execution {number} has a result, but its step {step} never ran");
                breaches.push(Breach::new(text, places(world, execution)));
            }
        }
    }
    breaches
}

pub(super) fn store_holds_the_last(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (place, line) in world.log.lines().iter().enumerate() {
        let Fact::Thread { thread, items, .. } = &line.entry.fact else { continue };
        let executions = world.threads.get(thread).into_iter().flatten();
        let executions: Vec<&Execution> =
            executions.map(|number| &world.executions[number]).collect();
        let is_done =
            |execution: &&&Execution| matches!(world.result_of(execution), Some(End::Done { .. }));
        if executions.iter().filter(is_done).count() < executions.len() {
            continue;
        }
        let mut memory = Memory::default();
        for execution in &executions {
            execution.program.expected(&mut memory);
        }
        let wanted = memory.items.into_iter().map(|(key, value)| (key.to_string(), value));
        let wanted: BTreeMap<String, u64> = wanted.collect();
        if wanted != *items {
            let text = format!("the store of thread {thread} holds {items:?}, not {wanted:?}");
            let starts = executions.iter().flat_map(|execution| places(world, execution));
            breaches.push(Breach::new(text, starts.chain([Place::Entry(place)])));
        }
    }
    breaches
}

/// Where an execution was asked for, and what was read of its last run.
fn places(world: &World, execution: &Execution) -> Vec<Place> {
    let first = execution.runs.first().and_then(|run| world.runs.get(run));
    let last = execution.runs.last().and_then(|run| world.runs.get(run));
    let asked = first.map(|run| run.invoked).into_iter();
    let read = last.into_iter().flat_map(|run| run.reads.values().copied());
    asked.chain(read).map(Place::Entry).collect()
}
