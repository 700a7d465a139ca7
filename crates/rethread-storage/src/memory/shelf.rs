//! Values that may have an end, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeBounds};

use bytes::Bytes;
use rethread_core::ids::Millis;

/// Most values dropped by one sweep.
const DROPPED_MAX: usize = 64;

/// Values by key. One whose time is over is never shown, and dropped by a later sweep.
#[derive(Debug, Clone)]
pub(super) struct Shelf<K> {
    kept: BTreeMap<K, Kept>,
    /// The ends of those that have one.
    ends: BTreeSet<(Millis, K)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) value: Bytes,
    pub(super) expires_at: Option<Millis>,
}

impl Kept {
    fn lasts(&self, now: Millis) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), ends: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> Shelf<K> {
    pub(super) fn put(&mut self, key: &K, value: Bytes, expires_at: Option<Millis>) {
        self.remove(key);
        if let Some(at) = expires_at {
            self.ends.insert((at, key.clone()));
        }
        self.kept.insert(key.clone(), Kept { value, expires_at });
    }

    pub(super) fn get(&self, key: &K, now: Millis) -> Option<&Kept> {
        self.kept.get(key).filter(|kept| kept.lasts(now))
    }

    /// Sets the end of a value that is there.
    pub(super) fn touch(&mut self, key: &K, expires_at: Millis, now: Millis) {
        if let Some(kept) = self.get(key, now).cloned() {
            self.put(key, kept.value, Some(expires_at));
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(Kept { expires_at: Some(at), .. }) = self.kept.remove(key) {
            self.ends.remove(&(at, key.clone()));
        }
    }

    /// Removes all from `first` on, as long as `is_meant` says so.
    pub(super) fn remove_while(&mut self, first: &K, is_meant: impl Fn(&K) -> bool) {
        let from = self.kept.range((Bound::Included(first), Bound::Unbounded));
        let keys: Vec<_> = from.map(|(key, _)| key).take_while(|key| is_meant(key)).collect();
        for key in keys.into_iter().cloned().collect::<Vec<_>>() {
            self.remove(&key);
        }
    }

    /// Removes all but those that `stays` names.
    pub(super) fn retain(&mut self, stays: impl Fn(&K) -> bool) {
        self.kept.retain(|key, _| stays(key));
        self.ends.retain(|(_, key)| stays(key));
    }

    pub(super) fn range(
        &self,
        keys: impl RangeBounds<K>,
        now: Millis,
    ) -> impl Iterator<Item = (&K, &Kept)> {
        self.kept.range(keys).filter(move |(_, kept)| kept.lasts(now))
    }

    /// Drops some of those whose time is over.
    pub(super) fn sweep(&mut self, now: Millis) {
        for _ in 0..DROPPED_MAX {
            match self.ends.first() {
                Some((at, key)) if *at <= now => self.kept.remove(key),
                _ => return,
            };
            self.ends.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_dropped_and_nothing_else() {
        let mut shelf = Shelf::default();
        for n in 0..10_u64 {
            shelf.put(&n, Bytes::new(), Some(Millis(n)));
        }
        shelf.put(&3, Bytes::new(), None);
        shelf.touch(&4, Millis(20), Millis(0));
        shelf.remove(&5);
        assert_eq!(shelf.range(.., Millis(7)).map(|(n, _)| *n).collect::<Vec<_>>(), [3, 4, 8, 9]);
        assert_eq!(shelf.kept.len(), 9);
        shelf.sweep(Millis(7));
        assert_eq!(shelf.kept.keys().copied().collect::<Vec<_>>(), [3, 4, 8, 9]);
        assert_eq!(shelf.ends.len(), 3);
    }

    #[test]
    fn a_value_whose_time_is_over_is_not_touched() {
        let mut shelf = Shelf::default();
        shelf.put(&1, Bytes::new(), Some(Millis(5)));
        shelf.touch(&1, Millis(20), Millis(5));
        assert_eq!(shelf.get(&1, Millis(5)), None);
    }
}
