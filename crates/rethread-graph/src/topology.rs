use std::collections::BTreeMap;

/// The nodes of a graph and what leads from one to the next without being asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topology {
    /// In the order in which they were added.
    pub(crate) nodes: Vec<TopologyNode>,
    /// From each node, and from the start, to others and the end, as they were added.
    pub(crate) edges: BTreeMap<String, Vec<String>>,
    /// Edges from several nodes together.
    pub(crate) joins: Vec<Join>,
}

/// What steps need to know of a node.
#[derive(Debug, Clone)]
pub(crate) struct TopologyNode {
    pub(crate) name: String,
    /// Whether it waits until nothing else is left.
    pub(crate) is_deferred: bool,
}

/// An edge from several nodes together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) sources: Vec<String>,
    pub(crate) target: String,
}

impl Join {
    /// Under which name a checkpoint keeps it: the same for the same edge.
    pub(crate) fn key(&self) -> String {
        // No node has a bar or a colon in its name.
        let mut sources: Vec<_> = self.sources.iter().map(|node| node.replace('+', "|")).collect();
        sources.sort();
        format!("{}:{}", sources.join("+"), self.target)
    }
}

impl Topology {
    pub(crate) fn has(&self, node: &str) -> bool {
        self.node(node).is_some()
    }

    pub(crate) fn node(&self, name: &str) -> Option<&TopologyNode> {
        self.nodes.iter().find(|node| node.name == name)
    }

    pub(crate) fn is_deferred(&self, name: &str) -> bool {
        self.node(name).is_some_and(|node| node.is_deferred)
    }

    pub(crate) fn edges_from<'a>(&'a self, source: &str) -> impl Iterator<Item = &'a str> {
        self.edges.get(source).into_iter().flatten().map(String::as_str)
    }
}
