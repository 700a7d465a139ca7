//! What is stored, how much of it, and what is left of it.

use super::world::World;
use super::{Breach, Place};
use crate::history::Fact;

/// Most memory of one process, in KiB.
const RSS_KB_MAX: u64 = 400 * 1024;
/// Most entries of all inboxes or all queues.
const ENTRIES_MAX: u64 = 100_000;
/// Most memory of the server, in bytes.
const REDIS_BYTES_MAX: u64 = 2 << 30;

pub(super) fn records_are_readable(world: &World) -> Vec<Breach> {
    found(world, |fact| match fact {
        Fact::Records { unreadable, .. } if !unreadable.is_empty() => {
            Some(format!("cannot be read: {}", unreadable.join("; ")))
        }
        Fact::Records { count: 0, .. } => Some("no record is stored".to_owned()),
        _ => None,
    })
}

pub(super) fn nothing_is_left(world: &World) -> Vec<Breach> {
    found(world, |fact| match fact {
        Fact::Left { keys } if !keys.is_empty() => {
            let shown: Vec<&str> = keys.iter().take(5).map(String::as_str).collect();
            Some(format!("{} keys are left, such as {}", keys.len(), shown.join(", ")))
        }
        _ => None,
    })
}

pub(super) fn all_is_bounded(world: &World) -> Vec<Breach> {
    found(world, |fact| {
        let Fact::Sample { inboxes, queues, redis_bytes, rss_kb } = fact else { return None };
        let largest = rss_kb.iter().max_by_key(|(_, kb)| **kb);
        if let Some((name, kb)) = largest.filter(|(_, kb)| **kb > RSS_KB_MAX) {
            return Some(format!("{name} uses {kb} KiB"));
        }
        let (entries, bytes) = (*inboxes.max(queues), *redis_bytes);
        if entries > ENTRIES_MAX {
            return Some(format!("inboxes or queues hold {entries} entries"));
        }
        (bytes > REDIS_BYTES_MAX).then(|| format!("the server uses {bytes} bytes"))
    })
}

/// A breach for each line of which something is wrong.
fn found(world: &World, wrong: impl Fn(&Fact) -> Option<String>) -> Vec<Breach> {
    let lines = world.log.lines().iter().enumerate();
    lines
        .filter_map(|(place, line)| {
            Some(Breach::new(wrong(&line.entry.fact)?, [Place::Entry(place)]))
        })
        .collect()
}
