//! How many partitions a node may hold, and which it gives up: decisions without a clock or a
//! storage.
//!
//! Every node computes its own part from the list of the living. Nobody assigns anything: a node
//! that holds more than its part gives partitions up, one that holds less asks for what is free.
//! Since the parts of all living nodes add up to all partitions, both come to an end.

use rethread_core::ids::{NodeId, PartitionId};

/// The part of one node in the partitions of a namespace.
///
/// Parts differ by at most one; those whose names come first have the larger ones. When a node
/// joins, no other part grows, and when one leaves, none shrinks: nothing moves but what the one
/// gets or leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Most partitions that the node may hold.
    quota: usize,
    /// The first partition that it asks for when it wants some: nodes that look for partitions
    /// at the same time begin at different places.
    first: u16,
}

impl Share {
    /// The part of `node` among the living. It counts itself as one of them, also when a late
    /// announcement has made it miss from the list.
    pub(crate) fn of(node: &NodeId, living: &[NodeId], partitions: u16) -> Self {
        let rank = living.iter().filter(|other| *other < node).count();
        let nodes = living.iter().filter(|other| *other != node).count() + 1;
        let partitions_count = usize::from(partitions);
        let (even, larger) = (partitions_count / nodes, partitions_count % nodes);
        let first = rank * even + rank.min(larger);
        Self {
            quota: even + usize::from(rank < larger),
            first: u16::try_from(first % partitions_count.max(1)).unwrap_or_default(),
        }
    }

    /// Most partitions that the node may hold.
    pub(crate) fn quota(&self) -> usize {
        self.quota
    }

    /// How many more partitions it may take.
    pub(crate) fn room(&self, held: usize) -> usize {
        self.quota.saturating_sub(held)
    }

    /// All partitions, in the order in which it asks for them.
    pub(crate) fn order_of_asking(self, partitions: u16) -> impl Iterator<Item = PartitionId> {
        (self.first..partitions).chain(0..self.first.min(partitions)).map(PartitionId)
    }

    /// Which partitions it begins to give up now, when `held` are those that it holds in the
    /// order in which it got them, each with whether it is being given up already, and at most
    /// `at_once` may be.
    ///
    /// The newest go first: least of them is in memory, and what was held longest stays where it
    /// is.
    pub(crate) fn surplus(&self, held: &[(PartitionId, bool)], at_once: usize) -> Vec<PartitionId> {
        let leaving = held.iter().filter(|(_, is_leaving)| *is_leaving).count();
        let excess = held.len().saturating_sub(self.quota);
        let more = excess.min(at_once).saturating_sub(leaving);
        let staying = held.iter().rev().filter(|(_, is_leaving)| !is_leaving);
        staying.take(more).map(|(partition, _)| *partition).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn node(n: u64) -> NodeId {
        NodeId::new(format!("node-{n:03}")).expect("an id")
    }

    fn quotas(living: &[NodeId], partitions: u16) -> Vec<usize> {
        living.iter().map(|node| Share::of(node, living, partitions).quota).collect()
    }

    #[test]
    fn parts_are_even_and_add_up() {
        let living: Vec<_> = (0..5).map(node).collect();
        assert_eq!(quotas(&living[..1], 16), [16]);
        assert_eq!(quotas(&living[..2], 16), [8, 8]);
        assert_eq!(quotas(&living[..3], 16), [6, 5, 5]);
        assert_eq!(quotas(&living, 3), [1, 1, 1, 0, 0], "the last ones stand by");
        assert_eq!(Share::of(&node(0), &living, 0).quota, 0);
    }

    #[test]
    fn a_node_counts_itself() {
        assert_eq!(Share::of(&node(1), &[], 16).quota, 16);
        assert_eq!(
            Share::of(&node(1), &[node(0)], 16),
            Share::of(&node(1), &[node(0), node(1)], 16)
        );
    }

    #[test]
    fn each_begins_to_ask_at_its_own_place_and_asks_for_all() {
        let living: Vec<_> = (0..3).map(node).collect();
        let first = |n| {
            let mut order = Share::of(&node(n), &living, 16).order_of_asking(16);
            let first = order.next().expect("not empty");
            let all: BTreeSet<_> = order.chain([first]).collect();
            assert_eq!(all.len(), 16);
            first
        };
        assert_eq!([0, 1, 2].map(first), [PartitionId(0), PartitionId(6), PartitionId(11)]);
    }

    #[test]
    fn the_newest_go_first_and_few_at_once() {
        let share = Share { quota: 2, first: 0 };
        let held = |leaving: &[u16]| -> Vec<_> {
            [3, 1, 7, 5, 0].map(|n| (PartitionId(n), leaving.contains(&n))).into()
        };
        assert_eq!(share.surplus(&held(&[]), 2), [PartitionId(0), PartitionId(5)]);
        assert_eq!(share.surplus(&held(&[0]), 2), [PartitionId(5)]);
        assert_eq!(share.surplus(&held(&[0, 5]), 2), []);
        assert_eq!(share.surplus(&held(&[0]), 9), [PartitionId(5), PartitionId(7)]);
        assert_eq!(share.surplus(&held(&[])[..2], 2), [], "all of these are ours");
    }

    /// Numbers that look random and are the same each time.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }
    }

    /// A cluster in which every node acts on the same list, one after the other.
    struct Cluster {
        partitions: u16,
        held: BTreeMap<NodeId, Vec<PartitionId>>,
        free: BTreeSet<PartitionId>,
        moves: usize,
    }

    impl Cluster {
        /// Lets everybody give up and take until nothing changes.
        fn settle(&mut self) {
            let living: Vec<_> = self.held.keys().cloned().collect();
            loop {
                let mut changed = false;
                for (node, held) in &mut self.held {
                    let share = Share::of(node, &living, self.partitions);
                    let staying: Vec<_> = held.iter().map(|id| (*id, false)).collect();
                    let surplus = share.surplus(&staying, 2);
                    held.retain(|id| !surplus.contains(id));
                    changed |= !surplus.is_empty();
                    self.free.extend(surplus);
                    for id in share.order_of_asking(self.partitions) {
                        if share.room(held.len()) > 0 && self.free.remove(&id) {
                            held.push(id);
                            self.moves += 1;
                            changed = true;
                        }
                    }
                }
                if !changed {
                    return;
                }
            }
        }

        fn assert_even(&self) {
            let sizes: Vec<_> = self.held.values().map(Vec::len).collect();
            assert_eq!(sizes.iter().sum::<usize>() + self.free.len(), usize::from(self.partitions));
            assert!(self.held.is_empty() || self.free.is_empty(), "nothing is left alone");
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(most.zip(least).is_none_or(|(most, least)| most - least <= 1), "{sizes:?}");
        }
    }

    #[test]
    fn whoever_comes_and_goes_only_what_must_move_moves() {
        for seed in 0..300 {
            let mut numbers = Numbers(seed);
            let partitions = u16::try_from(1 + numbers.below(40)).expect("small");
            let mut cluster = Cluster {
                partitions,
                held: BTreeMap::new(),
                free: (0..partitions).map(PartitionId).collect(),
                moves: 0,
            };
            for _ in 0..60 {
                let name = node(numbers.below(12));
                cluster.moves = 0;
                let expected = match cluster.held.remove(&name) {
                    Some(held) => {
                        let left = held.len();
                        cluster.free.extend(held);
                        cluster.settle();
                        if cluster.held.is_empty() { 0 } else { left }
                    }
                    None => {
                        cluster.held.insert(name.clone(), Vec::new());
                        cluster.settle();
                        cluster.held[&name].len()
                    }
                };
                assert_eq!(cluster.moves, expected, "seed {seed}, {name} came or went");
                cluster.assert_even();
            }
        }
    }
}
