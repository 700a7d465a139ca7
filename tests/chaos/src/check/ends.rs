//! Runs end, and threads rest.

use std::collections::BTreeSet;

use super::world::{Run, World};
use super::{Breach, Place};
use crate::history::{End, Fact};

/// How often an order is taken by workers that do not survive it before it is given up.
const POISON: usize = 3;
const POISONED: &str = "TaskPoisoned";

pub(super) fn every_run_ends(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (id, run) in &world.runs {
        if let Some(failed) = run.failed {
            let places = [Place::Entry(run.invoked), Place::Entry(failed)];
            breaches.push(Breach::new(format!("run {id} was not accepted"), places));
        }
        let Some(accepted) = run.accepted else { continue };
        let mut places = vec![Place::Entry(run.invoked), Place::Entry(accepted)];
        places.extend(run.reads.values().copied().map(Place::Entry));
        let ends: Vec<&End> = run
            .reads
            .values()
            .filter_map(|place| match &world.entry(*place).fact {
                Fact::Read { end, .. } => Some(end),
                _ => None,
            })
            .collect();
        let text = if ends.is_empty() {
            format!("run {id} was accepted and nobody saw its end")
        } else if let Some(End::Unread { reason }) =
            ends.iter().find(|end| matches!(end, End::Unread { .. }))
        {
            format!("run {id} was accepted and cannot be read to its end: {reason}")
        } else if ends.iter().any(|end| *end != ends[0]) {
            format!("run {id} ended twice")
        } else if !is_asked_for(world, run, ends[0]) {
            format!("run {id} ended in a way that nobody asked for")
        } else {
            continue;
        };
        breaches.push(Breach::new(text, places));
    }
    breaches
}

fn is_asked_for(world: &World, run: &Run, end: &End) -> bool {
    match end {
        End::Done { .. } | End::Interrupted { .. } => true,
        // Answers that come late are looked at elsewhere.
        End::Refused { .. } => !run.is_right,
        End::Failed { kind, .. } if kind == POISONED => {
            let began = world.entry(run.invoked).at;
            let ended = run.reads.values().map(|place| world.entry(*place).at).min();
            world.outages.count_lost(began, ended.unwrap_or(began)) >= POISON
        }
        _ => !run.is_right,
    }
}

pub(super) fn threads_rest(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, execution) in &world.executions {
        let Some(run) = execution.runs.last().and_then(|run| world.runs.get(run)) else { continue };
        if !matches!(world.end_of(run), Some(End::Done { .. })) {
            let text = format!("execution {number} has no result");
            let places = [run.invoked].into_iter().chain(run.reads.values().copied());
            breaches.push(Breach::new(text, places.map(Place::Entry)));
        }
    }
    let mut dumped = BTreeSet::new();
    for (place, line) in world.log.lines().iter().enumerate() {
        let Fact::Thread { thread, status, .. } = &line.entry.fact else { continue };
        dumped.insert(thread);
        if status != "idle" {
            let text = format!("thread {thread} is {status} when all is over");
            breaches.push(Breach::new(text, [Place::Entry(place)]));
        }
    }
    let lost = world.threads.keys().filter(|thread| !dumped.contains(thread));
    breaches.extend(lost.map(|thread| Breach::new(format!("thread {thread} is not there"), [])));
    breaches
}
