//! Who owned which partition, as seen beside it.

use std::collections::BTreeMap;

use super::world::World;
use super::{Breach, Place};
use crate::history::{Fact, Kind};

/// Forgets what was known of leases: with them their epochs are deleted.
const DELETION: &str = "drop-leases";

/// A lease that somebody holds.
struct Held<'a> {
    place: usize,
    epoch: u64,
    commit: u64,
    token: &'a str,
    holder: &'a str,
}

pub(super) fn tokens_only_grow(world: &World) -> Vec<Breach> {
    let mut known: BTreeMap<usize, Held<'_>> = BTreeMap::new();
    let mut breaches = Vec::new();
    for (place, line) in world.log.lines().iter().enumerate() {
        let (partition, found) = match (line.entry.kind, &line.entry.fact) {
            (Kind::Invoke, Fact::Fault { fault, .. }) if fault == DELETION => {
                known.clear();
                continue;
            }
            (
                _,
                Fact::Lease { partition, holder: Some(holder), token: Some(token), epoch, commit },
            ) => {
                let (epoch, commit) = (*epoch, *commit);
                (*partition, Held { place, epoch, commit, token, holder })
            }
            _ => continue,
        };
        if let Some(before) = known.get(&partition) {
            let text = if found.epoch < before.epoch {
                format!("the epoch of partition {partition} fell to {}", found.epoch)
            } else if found.commit < before.commit {
                format!("the commits of partition {partition} fell to {}", found.commit)
            } else if found.epoch == before.epoch
                && (found.token, found.holder) != (before.token, before.holder)
            {
                format!("epoch {} of partition {partition} has two tokens", found.epoch)
            } else {
                String::new()
            };
            if !text.is_empty() {
                let places = [Place::Entry(before.place), Place::Entry(place)];
                breaches.push(Breach::new(text, places));
            }
        }
        known.insert(partition, found);
    }
    breaches
}
