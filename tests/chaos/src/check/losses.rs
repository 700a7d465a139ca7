//! Kills of the server that cost acknowledged writes.
//!
//! The server of these tests writes its append-only file before it replies, and syncs it every
//! second. It puts writes off while a sync takes long, for two seconds at most: a kill just then
//! costs the newest of what it acknowledged. Owners of partitions find that out and say so. What
//! was in progress within that time may be older afterwards than anybody was told, and is not
//! held to what is promised of what is stored; everything else is.

use std::collections::BTreeSet;

use super::leases::DELETION;
use super::outages::Outages;
use super::world::World;
use super::{Breach, Place};
use crate::history::{Entry, Fact};

/// What a kill of the server may cost: what was acknowledged so long before, in nanoseconds. The
/// server puts writes off for two seconds, by a clock of whole seconds.
const WINDOW: u64 = 3_000_000_000;
/// How long after a kill its loss may be noticed: with the next commit, or when an owner compares
/// what it was acknowledged with what is stored.
const NOTICED_WITHIN: u64 = 20_000_000_000;
/// Name of the fault.
const KILL: &str = "kill-redis";

/// A time whose writes may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Loss {
    from: u64,
    until: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Losses(Vec<Loss>);

impl Losses {
    /// Each kill of the server after which a partition was seen, or was said, to be behind.
    pub(super) fn new<'a>(entries: impl Iterator<Item = &'a Entry>, outages: &Outages) -> Self {
        let mut losses = BTreeSet::new();
        for entry in entries {
            let from = match &entry.fact {
                Fact::Fallen { since, .. } if !outages.met(DELETION, *since, entry.at) => *since,
                // Once leases were deleted it may come from that: whoever comes back to a partition
                // that it had before says that it is behind.
                Fact::RolledBack { .. } if !outages.met(DELETION, 0, entry.at) => {
                    entry.at.saturating_sub(NOTICED_WITHIN)
                }
                _ => continue,
            };
            // Of several kills the last one counts: what an earlier one cost was told before.
            let kills = outages.between(KILL, from, entry.at);
            if let Some(kill) = kills.max_by_key(|kill| kill.from) {
                losses.insert((kill.from, kill.until.unwrap_or(u64::MAX)));
            }
        }
        let losses = losses.into_iter();
        Self(
            losses.map(|(from, until)| Loss { from: from.saturating_sub(WINDOW), until }).collect(),
        )
    }

    /// How many kills may have cost something.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether what was acknowledged at this time may be lost.
    pub(super) fn may_cost(&self, at: u64) -> bool {
        self.0.iter().any(|loss| loss.from <= at && at <= loss.until)
    }

    /// The executions of which something may be lost: those that something was told of just
    /// then, and those that follow them on their threads.
    pub(super) fn set_back(&self, world: &World) -> BTreeSet<u64> {
        if self.0.is_empty() {
            return BTreeSet::new();
        }
        let entries = world.log.lines().iter().enumerate();
        let told = entries
            .filter(|(_, line)| self.may_cost(line.entry.at))
            .filter_map(|(place, _)| world.execution_at(Place::Entry(place)));
        let effects = world.ledger.iter().map(|line| &line.entry);
        let done = effects.filter(|effect| self.may_cost(effect.at)).map(|effect| effect.execution);
        let touched: BTreeSet<u64> = told.chain(done).collect();
        let followed = world.threads.values().flat_map(|executions| {
            executions.iter().skip_while(|execution| !touched.contains(execution)).copied()
        });
        followed.collect()
    }
}

pub(super) fn none_is_passed_over(world: &World) -> Vec<Breach> {
    let lines = world.log.lines().iter().enumerate();
    lines
        .filter_map(|(place, line)| {
            let at = line.entry.at;
            let text = match &line.entry.fact {
                Fact::RolledBack { name, partition, expected, found } if !has_cause(world, at) => {
                    format!(
                        "{name} found commit {found} of partition {partition} to be the last, \
                         after {expected}, though nothing was lost"
                    )
                }
                Fact::Fallen { partition, since, had, commit, has_same_token: true }
                    if !world.outages.met(DELETION, *since, at)
                        && !is_told(world, *partition, *since, *commit) =>
                {
                    format!(
                        "the commits of partition {partition} fell from {had} to {commit}, and \
                         its owner did not say so"
                    )
                }
                _ => return None,
            };
            Some(Breach::new(text, [Place::Entry(place)]))
        })
        .collect()
}

/// Whether the storage may be behind at this time: a deletion of leases may be noticed whenever
/// somebody comes back to a partition that it had before.
fn has_cause(world: &World, at: u64) -> bool {
    world.outages.met(DELETION, 0, at)
        || world.outages.met(KILL, at.saturating_sub(NOTICED_WITHIN), at)
}

/// Whether somebody said that a partition is behind, unless its owner may have ended before.
fn is_told(world: &World, partition: usize, since: u64, commit: u64) -> bool {
    let until = since.saturating_add(NOTICED_WITHIN);
    let told = world.log.lines().iter().any(|line| {
        let is_after = since <= line.entry.at && line.entry.at <= until;
        is_after
            && matches!(
                &line.entry.fact,
                Fact::RolledBack { partition: of, found, .. } if *of == partition && *found >= commit
            )
    });
    told || world.outages.hit_coordinators(since, until)
}
