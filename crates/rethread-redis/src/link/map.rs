//! Who has which slots, out of what several nodes say.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::slot::SLOTS;

/// Who has which slots.
#[derive(Debug)]
pub(super) struct Map<N> {
    // By the last slot of each range.
    ranges: BTreeMap<u16, (u16, Arc<N>)>,
}

/// What one node says of one range of slots.
#[derive(Debug)]
pub(super) struct Claim<N> {
    pub(super) first: u16,
    pub(super) last: u16,
    /// The epoch since which the range has this node: of two that claim a slot, the later one has
    /// it. A node that is cut off from the others does not hear of later ones.
    pub(super) epoch: u64,
    pub(super) node: Arc<N>,
}

impl<N> Default for Map<N> {
    fn default() -> Self {
        Self { ranges: BTreeMap::new() }
    }
}

impl<N> Map<N> {
    /// The map in which each slot has the node with the latest claim; of equal ones, the last.
    pub(super) fn of(mut claims: Vec<Claim<N>>) -> Self {
        claims.sort_by_key(|claim| claim.epoch);
        let mut owners = vec![None; usize::from(SLOTS)];
        for (index, claim) in claims.iter().enumerate() {
            for slot in claim.first..=claim.last {
                if let Some(owner) = owners.get_mut(usize::from(slot)) {
                    *owner = Some(index);
                }
            }
        }
        let mut ranges = BTreeMap::new();
        let mut first = 0;
        for run in owners.chunk_by(|one, next| one == next) {
            let last = first + run.len() as u16 - 1;
            if let Some(claim) = run[0].map(|index| &claims[index]) {
                ranges.insert(last, (first, Arc::clone(&claim.node)));
            }
            first = last + 1;
        }
        Self { ranges }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(super) fn node_of(&self, slot: u16) -> Option<Arc<N>> {
        let (first, node) = self.ranges.range(slot..).next()?.1;
        (*first <= slot).then(|| Arc::clone(node))
    }

    /// The nodes that have slots; some more than once.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Arc<N>> {
        self.ranges.values().map(|(_, node)| node)
    }
}

/// The epochs of nodes by their ids, out of an answer to `CLUSTER NODES`: a line for each, `id
/// address flags primary ping pong epoch link slots...`.
pub(super) fn read_epochs(answer: &str) -> HashMap<&str, u64> {
    let read = |line: &'_ str| -> Option<(usize, u64)> {
        let mut words = line.split(' ');
        Some((words.next()?.len(), words.nth(5)?.parse().ok()?))
    };
    answer.lines().filter_map(|line| read(line).map(|(id, epoch)| (&line[..id], epoch))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(first: u16, last: u16, epoch: u64, node: &'static str) -> Claim<&'static str> {
        Claim { first, last, epoch, node: Arc::new(node) }
    }

    fn node(map: &Map<&'static str>, slot: u16) -> Option<&'static str> {
        map.node_of(slot).map(|node| *node)
    }

    #[test]
    fn the_latest_claim_counts_wherever_it_stands() {
        let of_one_that_is_cut_off =
            [claim(0, 5_460, 1, "a"), claim(5_461, 10_922, 2, "b"), claim(10_923, 16_383, 3, "c")];
        let of_the_others =
            [claim(0, 5_460, 4, "d"), claim(5_461, 9_000, 2, "b"), claim(10_923, 16_383, 3, "c")];
        let moved = [claim(9_001, 10_922, 5, "c")];
        let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0]];
        let parts = [&of_one_that_is_cut_off[..], &of_the_others, &moved];
        for order in orders {
            let claims = order.iter().flat_map(|part| parts[*part]);
            let claims = claims.map(|it| claim(it.first, it.last, it.epoch, *it.node));
            let map = Map::of(claims.collect());
            let found = [0, 5_460, 5_461, 9_000, 9_001, 10_922, 10_923, 16_383];
            let found = found.map(|slot| node(&map, slot).expect("has a node"));
            assert_eq!(found, ["d", "d", "b", "b", "c", "c", "c", "c"]);
        }
    }

    #[test]
    fn a_slot_that_nobody_claims_has_no_node() {
        let map = Map::of(vec![claim(1, 2, 1, "a"), claim(5, 5, 1, "a"), claim(7, 9, 0, "b")]);
        let found: Vec<_> = (0..12).map(|slot| node(&map, slot)).collect();
        let (a, b) = (Some("a"), Some("b"));
        assert_eq!(found, [None, a, a, None, None, a, None, b, b, b, None, None]);
        assert!(!map.is_empty() && Map::<()>::of(Vec::new()).is_empty());
        assert_eq!(map.nodes().count(), 3);
    }

    #[test]
    fn epochs_are_read_from_the_lines_of_nodes() {
        let answer = "07c3 127.0.0.1:30004@31004,name slave e7d1 0 1426238317239 4 connected\n\
                      e7d1 127.0.0.1:30001@31001 myself,master - 0 0 12 connected 0-5460 [5-<-07c3]\n\
                      broken line\n";
        let epochs = read_epochs(answer);
        assert_eq!((epochs.get("07c3"), epochs.get("e7d1")), (Some(&4), Some(&12)));
        assert_eq!(epochs.len(), 2);
    }
}
