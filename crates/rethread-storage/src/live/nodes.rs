//! Which coordinators live.

use std::collections::BTreeMap;
use std::time::Duration;

use rethread_core::ids::{Millis, NodeId};

use crate::clock::millis;

/// Coordinators, each with the time until which it counts as living.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes {
    until: BTreeMap<NodeId, Millis>,
}

impl Nodes {
    /// Notes that a node lives, and returns all that do, sorted.
    pub(crate) fn announce(&mut self, node: &NodeId, ttl: Duration, now: Millis) -> Vec<NodeId> {
        self.until.insert(node.clone(), now.plus(millis(ttl)));
        self.until.retain(|_, until| *until > now);
        self.until.keys().cloned().collect()
    }

    pub(crate) fn withdraw(&mut self, node: &NodeId) {
        self.until.remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeId {
        NodeId::new(name).expect("an id")
    }

    #[test]
    fn a_node_lives_for_its_time_or_until_it_signs_off() {
        let ttl = Duration::from_millis(10);
        let mut nodes = Nodes::default();
        assert_eq!(nodes.announce(&node("b"), ttl, Millis(0)), [node("b")]);
        assert_eq!(nodes.announce(&node("a"), ttl, Millis(5)), [node("a"), node("b")]);
        assert_eq!(nodes.announce(&node("a"), ttl, Millis(10)), [node("a")], "b is silent");
        assert_eq!(nodes.announce(&node("b"), ttl, Millis(11)), [node("a"), node("b")]);
        nodes.withdraw(&node("a"));
        assert_eq!(nodes.announce(&node("b"), ttl, Millis(12)), [node("b")]);
    }

    #[test]
    fn the_dead_do_not_pile_up() {
        let mut nodes = Nodes::default();
        for n in 0..1_000 {
            nodes.announce(&node(&format!("n{n}")), Duration::from_millis(3), Millis(n));
            assert!(nodes.until.len() <= 3);
        }
    }
}
