//! The system recovers by itself.

use super::world::World;
use super::{Breach, Place};
use crate::clock;
use crate::history::{Fact, Reader};

/// How long runs may take to end once nothing disturbs them.
const HEALED_WITHIN_MS: u64 = 60_000;

pub(super) fn all_recovers(world: &World) -> Vec<Breach> {
    let mut healed = None;
    let mut breaches = Vec::new();
    for (place, line) in world.log.lines().iter().enumerate() {
        match &line.entry.fact {
            Fact::Healed => healed = Some(place),
            Fact::Exit { pid, .. } if world.outages.has_aborted(*pid, line.entry.at) => {}
            Fact::Logged { name, panics, .. } if *panics > 0 => {
                let text = format!("{name} has panicked {panics} times");
                breaches.push(Breach::new(text, [Place::Entry(place)]));
            }
            Fact::Exit { name, status, is_wanted: false, .. } => {
                let text = format!("{name} ended by itself: {status}");
                breaches.push(Breach::new(text, [Place::Entry(place)]));
            }
            Fact::Read { run, reader: Reader::Live, .. } => {
                let Some(healed) = healed else { continue };
                let ms = clock::ms_between(world.entry(healed).at, line.entry.at);
                if ms > HEALED_WITHIN_MS {
                    let text = format!("run {run} ended {ms} ms after nothing disturbed any more");
                    breaches.push(Breach::new(text, [Place::Entry(healed), Place::Entry(place)]));
                }
            }
            _ => {}
        }
    }
    breaches
}
