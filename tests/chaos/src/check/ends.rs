//! Runs end, and threads rest.

use std::collections::BTreeSet;

use super::world::{Run, World};
use super::{Breach, POISON, Place};
use crate::history::{Contest, End, Fact};

const POISONED: &str = "TaskPoisoned";

/// Whether a run failed since workers did not survive one of its tasks.
pub(super) fn is_given_up(end: Option<&End>) -> bool {
    matches!(end, Some(End::Failed { kind, .. }) if kind == POISONED)
}

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
        // Answers that come late are looked at elsewhere, and so is who is refused in a contest.
        End::Refused { .. } => !run.is_right || run.in_crowd || contest_of(world, run).is_some(),
        End::Joined { .. } => run.in_crowd || !run.is_right,
        End::Cancelled => is_stopped_by_someone(world, run),
        End::Failed { kind, .. } if kind == POISONED => {
            // What was ordered in an earlier run of the execution may be lost since then.
            let began = began(world, run);
            let ended = run.reads.values().map(|place| world.entry(*place).at).min();
            world.outages.count_lost(began, ended.unwrap_or(began)) >= POISON
        }
        _ => !run.is_right,
    }
}

/// When the execution of a run was begun.
fn began(world: &World, run: &Run) -> u64 {
    let asked = world.entry(run.invoked);
    let (Fact::Resume { execution, .. } | Fact::Retry { execution, .. }) = &asked.fact else {
        return asked.at;
    };
    let first = world.executions.get(execution).and_then(|execution| execution.runs.first());
    let first = first.and_then(|run| world.runs.get(run));
    first.map_or(asked.at, |first| world.entry(first.invoked).at)
}

fn contest_of(world: &World, run: &Run) -> Option<Contest> {
    match &world.entry(run.invoked).fact {
        Fact::Start { contest, .. } => *contest,
        _ => None,
    }
}

fn is_stopped_by_someone(world: &World, run: &Run) -> bool {
    let asked = &world.entry(run.invoked).fact;
    let (Fact::Start { thread, .. } | Fact::Resume { thread, .. } | Fact::Retry { thread, .. }) =
        asked
    else {
        return false;
    };
    let contest = contest_of(world, run);
    let ended = run.reads.values().map(|place| world.entry(*place).at).min().unwrap_or_default();
    let may_stop = matches!(contest, Some(Contest::Interrupt | Contest::Rollback));
    may_stop
        || world.cancels.values().flatten().any(|cancel| {
            let asked = world.entry(cancel.invoked);
            asked.at <= ended
                && matches!(&asked.fact, Fact::Cancel { thread: of, .. } if of == thread)
        })
}

pub(super) fn threads_rest(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, execution) in &world.executions {
        let Some(run) = execution.runs.last().and_then(|run| world.runs.get(run)) else { continue };
        let end = world.end_of(run);
        // Nobody retries what was given up in a contest.
        let may_yield = execution.contest.is_some()
            && (is_given_up(end) || matches!(end, Some(End::Refused { .. } | End::Cancelled)));
        if !may_yield && !matches!(end, Some(End::Done { .. })) {
            let text = format!("execution {number} has no result");
            let places = [run.invoked].into_iter().chain(run.reads.values().copied());
            breaches.push(Breach::new(text, places.map(Place::Entry)));
        }
    }
    let mut dumped = BTreeSet::new();
    for (place, line) in world.log.lines().iter().enumerate() {
        let Fact::Thread { thread, status, .. } = &line.entry.fact else { continue };
        dumped.insert(thread);
        let executions = world.threads.get(thread).into_iter().flatten();
        let mut contest = executions
            .filter_map(|execution| world.executions.get(execution))
            .filter(|execution| execution.contest.is_some());
        // A contest may end with one that is stopped or given up.
        let is_at_rest = match status.as_str() {
            "idle" => true,
            "cancelled" => contest.next().is_some(),
            "failed" => contest.any(|execution| is_given_up(world.result_of(execution))),
            _ => false,
        };
        if !is_at_rest {
            let text = format!("thread {thread} is {status} when all is over");
            breaches.push(Breach::new(text, [Place::Entry(place)]));
        }
    }
    let lost = world.threads.iter().filter(|(thread, _)| !dumped.contains(thread));
    breaches.extend(lost.map(|(thread, executions)| {
        let runs = executions.iter().filter_map(|number| world.executions[number].runs.first());
        let asked = runs.filter_map(|run| Some(Place::Entry(world.runs.get(run)?.invoked)));
        Breach::new(format!("thread {thread} is not there"), asked)
    }));
    breaches
}

pub(super) fn what_was_given_up_left_a_letter(world: &World) -> Vec<Breach> {
    let letters = world.log.lines().iter().find_map(|line| match &line.entry.fact {
        Fact::DeadLetters { runs, .. } => Some(runs),
        _ => None,
    });
    // Nobody looked for letters.
    let Some(letters) = letters else { return Vec::new() };
    // Further runs of an execution are told again of what an earlier one gave up.
    let in_one = |run: &String| {
        let executions = world.executions.values();
        executions.map(|execution| &execution.runs).find(|runs| runs.contains(run))
    };
    let mut breaches = Vec::new();
    for (id, run) in &world.runs {
        if !is_given_up(world.end_of(run)) || letters.contains(id) {
            continue;
        }
        let has_letter =
            in_one(id).is_some_and(|runs| runs.iter().any(|run| letters.contains(run)));
        if !has_letter {
            let places = [run.invoked].into_iter().chain(run.reads.values().copied());
            let text = format!("run {id} gave up a task, and there is no dead letter of it");
            breaches.push(Breach::new(text, places.map(Place::Entry)));
        }
    }
    breaches
}
