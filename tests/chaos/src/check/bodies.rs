//! Bodies start once, or again for a cause.

use std::collections::BTreeMap;

use super::world::World;
use super::{Breach, POISON, Place};
use crate::history::{End, Entry, Fact};
use crate::ledger::{Effect, Phase};
use crate::program::Op;

/// Name of the fault that takes an order away.
const LOSS: &str = "lose-order";

pub(super) fn none_starts_after_its_result_was_seen(world: &World) -> Vec<Breach> {
    let mut seen: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, line) in world.log.lines().iter().enumerate() {
        if let Fact::Seen { call, .. } = &line.entry.fact {
            seen.entry(call).or_default().push(place);
        }
    }
    let starts = world.starts.values().flatten();
    starts
        .filter_map(|start| {
            let effect = world.effect(*start);
            let seen = seen.get(effect.call.as_str())?.iter().copied();
            let seen = seen.filter(|seen| counts_for(world, *seen, effect));
            let seen = seen.min_by_key(|seen| world.entry(*seen).at)?;
            let text = format!("{} starts though its result was seen", name(effect));
            let places = [Place::Entry(seen), Place::Effect(*start)];
            Some(Breach::new(text, places))
        })
        .collect()
}

/// Whether a body should not have started, since its result was seen before.
fn counts_for(world: &World, seen: usize, effect: &Effect) -> bool {
    let Entry { at, fact: Fact::Seen { run, .. }, .. } = world.entry(seen) else { return false };
    // A worker may fall asleep between its last look at an order and the start of the body.
    let slept = world.outages.slept(effect, *at);
    // What a stopped run has ordered may start a little late, when the next run has the result.
    let is_late = *run != effect.run && cancelled(world, effect, effect.at);
    *at < effect.at && !slept && !is_late
}

pub(super) fn attempts_differ(world: &World) -> Vec<Breach> {
    let mut known: BTreeMap<(&str, &str, u32), usize> = BTreeMap::new();
    let mut breaches = Vec::new();
    for start in world.starts.values().flatten() {
        let effect = world.effect(*start);
        let key = (effect.run.as_str(), effect.call.as_str(), effect.attempt);
        let Some(first) = known.insert(key, *start) else { continue };
        let (from, to) = (world.effect(first).at, effect.at);
        // A call of a task that was given up is made anew when the task runs again.
        let is_anew =
            is_call_of_task(world, effect) && world.outages.count_lost(from, to) >= POISON;
        if !is_anew && !was_forgotten(world, from, to) {
            let text = format!("attempt {} of {} started twice", effect.attempt, name(effect));
            breaches.push(Breach::new(text, [Place::Effect(first), Place::Effect(*start)]));
        }
    }
    breaches
}

/// Whether an order may have disappeared, and the thread changed hands before that was noticed:
/// then nothing tells of the attempt any more.
fn was_forgotten(world: &World, from: u64, to: u64) -> bool {
    let owners =
        world.log.lines().iter().filter(|line| matches!(line.entry.fact, Fact::Lease { .. }));
    let mut changes = owners.map(|line| line.entry.at);
    world.outages.between(LOSS, from, to).any(|loss| changes.any(|at| loss.from <= at && at <= to))
}

pub(super) fn repeats_have_a_cause(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for ((number, step), starts) in &world.starts {
        let bodies = world.executions.get(number).map(|execution| execution.program.bodies());
        let Some(op) = bodies.as_ref().and_then(|bodies| bodies.get(step)) else {
            let text = format!("step {step} of execution {number} is no task of a program");
            breaches.push(Breach::new(text, starts.iter().copied().map(Place::Effect)));
            continue;
        };
        for pair in starts.windows(2) {
            let (first, again) = (world.effect(pair[0]), world.effect(pair[1]));
            if !has_cause(world, op, first, again) {
                let text = format!("{} starts again for no cause", name(again));
                let ends = world.ends.get(&(*number, *step)).into_iter().flatten();
                let places = pair.iter().chain(ends).copied().map(Place::Effect);
                breaches.push(Breach::new(text, places));
            }
        }
    }
    breaches
}

/// Whether a body was called by that of a task.
fn is_call_of_task(world: &World, effect: &Effect) -> bool {
    let Some(execution) = world.executions.get(&effect.execution) else { return false };
    let calls = |op: &&Op| {
        matches!(op, Op::Nested { .. }) && op.all_inner().any(|op| op.body() == Some(effect.step))
    };
    execution.program.all_ops().iter().any(calls)
}

fn has_cause(world: &World, op: &Op, first: &Effect, again: &Effect) -> bool {
    let (from, to) = (first.at, again.at);
    failed(world, first, to)
        || cancelled(world, first, to)
        // Ordered by a run that was stopped, and so late that the next run had begun its own.
        || (first.run != again.run && cancelled(world, again, to))
        || world.outages.lost_orders(first, from, to)
        // It may have waited for calls when its worker drained, and be handed to another.
        || (matches!(op, Op::Nested { .. }) && world.outages.drained(first, from, to))
        // A task that asks runs again with the answer, and in each further run until then.
        || (op.questions() > 0 && first.run != again.run)
        || (op.questions() > 0 && answered(world, first, to))
        || given_up(world, first, again)
}

/// Whether the body went down with its run, which failed, and a further run made its call again.
fn given_up(world: &World, first: &Effect, again: &Effect) -> bool {
    let end = world.runs.get(&first.run).and_then(|run| world.end_of(run));
    let ends = world.ends.get(&(first.execution, first.step)).into_iter().flatten();
    let has_ended = ends.map(|place| world.effect(*place)).any(|end| {
        end.phase == Phase::End && (end.attempt, &end.run) == (first.attempt, &first.run)
    });
    first.run != again.run && matches!(end, Some(End::Failed { .. })) && !has_ended
}

/// Whether the run of the attempt was to be stopped, or stood beside others that stop it.
pub(super) fn cancelled(world: &World, first: &Effect, before: u64) -> bool {
    let cancels = world.cancels.get(&first.run).into_iter().flatten();
    cancels.map(|cancel| world.entry(cancel.invoked).at).any(|at| at <= before)
}

/// How long a worker may take to start a body whose order it was given before the cancel took
/// effect, in nanoseconds. Where nobody paused it, it asks again after a quarter of a second at
/// most whether the order is still its own.
const GIVEN_BEFORE: u64 = 500_000_000;

pub(super) fn none_starts_after_a_cancel(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for start in world.starts.values().flatten() {
        let effect = world.effect(*start);
        let cancels = world.cancels.get(&effect.run).into_iter().flatten();
        let mut told = cancels.filter_map(|cancel| cancel.acknowledged);
        let is_late = |told: &usize| {
            let told = world.entry(*told).at;
            effect.at > told + GIVEN_BEFORE && !world.outages.lost_orders(effect, told, effect.at)
        };
        if let Some(told) = told.find(is_late) {
            let text = format!("{} starts though its run was stopped", name(effect));
            breaches.push(Breach::new(text, [Place::Entry(told), Place::Effect(*start)]));
        }
    }
    breaches
}

/// Whether the attempt failed, as flaky tasks do.
fn failed(world: &World, first: &Effect, before: u64) -> bool {
    let ends = world.ends.get(&(first.execution, first.step)).into_iter().flatten();
    ends.map(|place| world.effect(*place)).any(|end| {
        end.phase == Phase::Fail
            && (end.attempt, &end.run) == (first.attempt, &first.run)
            && end.at <= before
    })
}

fn answered(world: &World, first: &Effect, before: u64) -> bool {
    let Some(execution) = world.executions.get(&first.execution) else { return false };
    let runs = execution.runs.iter().skip(1).filter_map(|run| world.runs.get(run));
    runs.map(|run| world.entry(run.invoked).at).any(|at| first.at <= at && at <= before)
}

fn name(effect: &Effect) -> String {
    format!("step {} of execution {}", effect.step, effect.execution)
}
