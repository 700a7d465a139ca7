//! Questions and their answers.

use std::collections::BTreeMap;

use super::world::World;
use super::{Breach, Place};
use crate::history::{End, Fact};

pub(super) fn questions_are_answered_once(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (id, run) in &world.runs {
        let accepted_wrong = !run.is_right
            && world.end_of(run).is_some_and(|end| !matches!(end, End::Refused { .. }));
        if accepted_wrong {
            let places = [run.invoked].into_iter().chain(run.reads.values().copied());
            let text = format!("run {id} answered questions that had their answers");
            breaches.push(Breach::new(text, places.map(Place::Entry)));
        }
    }
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
