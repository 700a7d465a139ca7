//! Cached tasks.

use std::collections::BTreeMap;

use super::bodies::cancelled;
use super::world::World;
use super::{Breach, Place};
use crate::program::Op;

pub(super) fn one_body_for_a_key(world: &World) -> Vec<Breach> {
    let mut starts: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (number, execution) in &world.executions {
        for (step, op) in execution.program.bodies() {
            if let Op::Cached { key, .. } = op {
                let places = world.starts.get(&(*number, step)).into_iter().flatten();
                starts.entry(*key).or_default().extend(places);
            }
        }
    }
    let mut breaches = Vec::new();
    for (key, mut places) in starts {
        places.sort_by_key(|place| world.effect(*place).at);
        for pair in places.windows(2) {
            let (first, again) = (world.effect(pair[0]), world.effect(pair[1]));
            // Who makes the value may be lost with it; who cannot look it up makes it too.
            let has_cause = world.outages.disturbed(first, first.at, again.at)
                || cancelled(world, first, again.at)
                || world.outages.disturbed(again, first.at, again.at);
            if !has_cause {
                let text = format!("the body of cached key {key} runs again");
                breaches.push(Breach::new(text, pair.iter().copied().map(Place::Effect)));
            }
        }
    }
    breaches
}
