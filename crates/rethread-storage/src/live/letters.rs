//! Which dead letters of one partition are kept. Their records are kept elsewhere.

use std::collections::BTreeMap;

use rethread_core::ids::Millis;

use crate::DeadLetterId;

/// Most dead letters of a partition; the oldest go.
pub(crate) const LETTERS_MAX: usize = 10_000;

/// Most dead letters dropped by one commit because their time is over.
const EXPIRED_MAX: usize = 64;

/// The ids of the dead letters of a partition, each with the time of its commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Letters {
    kept: BTreeMap<DeadLetterId, Millis>,
}

impl Letters {
    /// The id of the first dead letter of a commit; those of the others follow it.
    pub(crate) fn ids_of(commit: u64) -> impl Iterator<Item = DeadLetterId> {
        (0..).map(move |nth| DeadLetterId(commit, nth))
    }

    /// Adds the letters of a commit, and returns those that have to go.
    pub(crate) fn add(
        &mut self,
        commit: u64,
        count: usize,
        now: Millis,
        retention_ms: u64,
    ) -> Vec<DeadLetterId> {
        let mut dropped = Vec::new();
        self.kept.extend(Self::ids_of(commit).take(count).map(|id| (id, now)));
        while let Some((id, at)) = self.kept.first_key_value().map(|(id, at)| (*id, *at)) {
            let is_over = at.plus(retention_ms) <= now && dropped.len() < EXPIRED_MAX;
            if !is_over && self.kept.len() <= LETTERS_MAX {
                break;
            }
            self.kept.remove(&id);
            dropped.push(id);
        }
        dropped
    }

    /// Takes back one that survived a restart.
    #[cfg(feature = "disk")]
    pub(crate) fn restore(&mut self, id: DeadLetterId, at: Millis) {
        self.kept.insert(id, at);
    }

    /// Removes one; false if it is not there.
    pub(crate) fn remove(&mut self, id: DeadLetterId, now: Millis, retention_ms: u64) -> bool {
        self.kept.remove(&id).is_some_and(|at| at.plus(retention_ms) > now)
    }

    /// Those that are kept, behind `after`.
    pub(crate) fn list(
        &self,
        after: Option<DeadLetterId>,
        now: Millis,
        retention_ms: u64,
    ) -> impl Iterator<Item = DeadLetterId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let behind = self.kept.range((after.map_or(Unbounded, Excluded), Unbounded));
        behind.filter(move |(_, at)| at.plus(retention_ms) > now).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut letters = Letters::default();
        assert_eq!(letters.add(1, LETTERS_MAX, Millis(0), 10), []);
        let dropped = letters.add(2, 2, Millis(1), 10);
        assert_eq!(dropped, [DeadLetterId(1, 0), DeadLetterId(1, 1)]);
        assert_eq!(letters.list(None, Millis(1), 10).count(), LETTERS_MAX);
    }

    #[test]
    fn a_letter_whose_time_is_over_is_gone() {
        let mut letters = Letters::default();
        letters.add(1, 1, Millis(0), 10);
        letters.add(2, 1, Millis(5), 10);
        let listed = |letters: &Letters, now| letters.list(None, Millis(now), 10).count();
        assert_eq!((listed(&letters, 9), listed(&letters, 10)), (2, 1));
        assert!(!letters.remove(DeadLetterId(1, 0), Millis(10), 10), "its time is over");
        assert_eq!(letters.add(3, 0, Millis(15), 10), [DeadLetterId(2, 0)]);
    }
}
