//! Questions and their answers.

use std::collections::BTreeMap;

use super::world::World;
use super::{Breach, Place};
use crate::history::{End, Fact};

pub(super) fn questions_are_answered_once(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (id, run) in &world.runs {
        let accepted_wrong = !run.is_right && world.has_effect(run);
        if accepted_wrong {
            let places = [run.invoked].into_iter().chain(run.reads.values().copied());
            let text = format!("run {id} answered questions that had their answers");
            breaches.push(Breach::new(text, places.map(Place::Entry)));
        }
    }
    breaches.extend(crowds_with_several_effects(world));
    for execution in world.executions.values() {
        let mut answered: BTreeMap<&str, usize> = BTreeMap::new();
        for run in execution.runs.iter().filter_map(|run| world.runs.get(run)) {
            let invoked = run.invoked;
            if let Fact::Resume { answers, .. } = &world.entry(invoked).fact {
                answered.extend(answers.keys().map(|id| (id.as_str(), invoked)));
            }
            let Some(End::Interrupted { asks }) = world.end_of(run) else { continue };
            for (id, answer) in &answered {
                if asks.contains_key(*id) {
                    let places = [*answer].into_iter().chain(run.reads.values().copied());
                    let text = format!("question {id} is asked again though it was answered");
                    breaches.push(Breach::new(text, places.map(Place::Entry)));
                }
            }
        }
    }
    breaches
}

/// Of many that give the same answers, one has an effect.
fn crowds_with_several_effects(world: &World) -> Vec<Breach> {
    let mut effects: BTreeMap<(u64, Vec<&str>), Vec<usize>> = BTreeMap::new();
    for run in world.runs.values().filter(|run| run.in_crowd && world.has_effect(run)) {
        if let Fact::Resume { execution, answers, .. } = &world.entry(run.invoked).fact {
            let questions = answers.keys().map(String::as_str).collect();
            effects.entry((*execution, questions)).or_default().push(run.invoked);
        }
    }
    let several = effects.into_iter().filter(|(_, places)| places.len() > 1);
    let breach = |((execution, _), places): (_, Vec<usize>)| {
        let text = format!("{} answers of execution {execution} had an effect", places.len());
        Breach::new(text, places.into_iter().map(Place::Entry))
    };
    several.map(breach).collect()
}
