//! Streams of runs.

use super::world::World;
use super::{Breach, Place};
use crate::history::{End, Fact, Reader};
use crate::program::value_of;

pub(super) fn readers_agree(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (id, run) in &world.runs {
        let mut lists = Vec::new();
        for (reader, place) in &run.reads {
            let Fact::Read { events, end, .. } = &world.entry(*place).fact else { continue };
            if matches!(end, End::Unread { .. }) {
                continue;
            }
            let is_gapless = (1..).zip(events).all(|(seq, event)| event.0 == seq);
            if !is_gapless || events.is_empty() {
                let text = format!("the {reader:?} reader of run {id} saw a gap");
                breaches.push(Breach::new(text, [Place::Entry(*place)]));
            }
            lists.push((events, *place));
        }
        if let [(live, one), (late, other)] = lists.as_slice()
            && live != late
        {
            let text = format!("readers of run {id} saw different events");
            breaches.push(Breach::new(text, [Place::Entry(*one), Place::Entry(*other)]));
        }
    }
    breaches
}

pub(super) fn emissions_are_shown_once(world: &World) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, execution) in world.done() {
        let last = execution.runs.last().and_then(|run| world.runs.get(run));
        let read = last.and_then(|run| {
            run.reads.get(&Reader::Late).or_else(|| run.reads.get(&Reader::Live)).copied()
        });
        let Some(place) = read else { continue };
        let Fact::Read { emitted, .. } = &world.entry(place).fact else { continue };
        let wanted = execution.program.emissions().into_iter().map(|id| value_of(*number, id));
        let (mut wanted, mut shown): (Vec<u64>, Vec<u64>) = (wanted.collect(), emitted.clone());
        wanted.sort_unstable();
        shown.sort_unstable();
        if wanted != shown {
            let text = format!(
                "the last run of execution {number} shows {} of {} emissions, or not each once",
                shown.len(),
                wanted.len()
            );
            let invoked = last.map(|run| Place::Entry(run.invoked));
            breaches.push(Breach::new(text, invoked.into_iter().chain([Place::Entry(place)])));
        }
    }
    breaches
}
