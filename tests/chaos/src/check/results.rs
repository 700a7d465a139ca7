//! Executions give what their programs say.

use std::collections::BTreeMap;

use super::world::{Execution, World};
use super::{Breach, Place};
use crate::history::{End, Fact};
use crate::ledger::Phase;
use crate::program::{Memory, Op};

pub(super) fn results_are_right(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for executions in world.threads.values() {
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
