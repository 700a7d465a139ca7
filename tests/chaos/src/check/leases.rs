//! Who owned which partition, as seen beside it.

use std::collections::BTreeMap;

use super::world::World;
use super::{Breach, Place};
use crate::history::{Entry, Fact, Kind};

/// Forgets what was known of leases: with them their epochs are deleted.
pub(super) const DELETION: &str = "drop-leases";

/// A lease that somebody holds.
struct Held<'a> {
    place: usize,
    epoch: u64,
    commit: u64,
    token: &'a str,
    holder: &'a str,
}

impl<'a> Held<'a> {
    /// The partition of a lease, and who holds it; none if the entry tells of something else.
    fn told(place: usize, entry: &'a Entry) -> Option<(usize, Self)> {
        match (entry.kind, &entry.fact) {
            (
                Kind::Info,
                Fact::Lease { partition, holder: Some(holder), token: Some(token), epoch, commit },
            ) => {
                let (epoch, commit) = (*epoch, *commit);
                Some((*partition, Self { place, epoch, commit, token, holder }))
            }
            _ => None,
        }
    }

    fn is_other(&self, other: &Self) -> bool {
        (self.token, self.holder) != (other.token, other.holder)
    }
}

pub(super) fn tokens_only_grow(world: &World) -> Vec<Breach> {
    let mut known: BTreeMap<usize, Held<'_>> = BTreeMap::new();
    let mut breaches = Vec::new();
    for (place, line) in world.log.lines().iter().enumerate() {
        if let Fact::Fallen { partition, since, had, commit, .. } = &line.entry.fact
            && !is_excused(world, *since, line.entry.at)
        {
            let text = format!("the commits of partition {partition} fell from {had} to {commit}");
            breaches.push(Breach::new(text, [Place::Entry(place)]));
        }
        let Some((partition, found)) = Held::told(place, &line.entry) else { continue };
        if let Some(before) = known.get(&partition) {
            let text = if found.epoch < before.epoch {
                format!("the epoch of partition {partition} fell to {}", found.epoch)
            } else if found.commit < before.commit {
                format!("the commits of partition {partition} fell to {}", found.commit)
            } else if found.epoch == before.epoch && found.is_other(before) {
                format!("epoch {} of partition {partition} has two tokens", found.epoch)
            } else {
                String::new()
            };
            if !text.is_empty() && !is_excused(world, world.entry(before.place).at, line.entry.at) {
                let places = [Place::Entry(before.place), Place::Entry(place)];
                breaches.push(Breach::new(text, places));
            }
        }
        known.insert(partition, found);
    }
    breaches
}

/// Whether leases were deleted between two looks, or the server may have lost what the first of
/// them found.
fn is_excused(world: &World, from: u64, to: u64) -> bool {
    world.outages.met(DELETION, from, to) || world.losses.may_cost(from)
}
