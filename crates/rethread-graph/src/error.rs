use std::fmt;

use rethread_core::failure::{Failure, kind};

/// Why a graph is not well formed; found by [`StateGraph::compile`](crate::StateGraph::compile).
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Nothing leads from the start anywhere.
    #[error("graph `{graph}` has no entry: add an edge from START to its first node")]
    NoEntry {
        /// The graph.
        graph: String,
    },
    /// Something names a node that does not exist.
    #[error("graph `{graph}`: {place} names `{node}`, which is no node; add it, or name another")]
    UnknownNode {
        /// The graph.
        graph: String,
        /// What names it.
        place: String,
        /// The name.
        node: String,
    },
    /// An edge ends at the start.
    #[error("graph `{graph}`: {place} leads to START, where nothing can lead to")]
    ToStart {
        /// The graph.
        graph: String,
        /// What leads there.
        place: String,
    },
    /// An edge begins at the end.
    #[error("graph `{graph}`: {place} leaves END, which nothing can leave")]
    FromEnd {
        /// The graph.
        graph: String,
        /// What leaves it.
        place: String,
    },
    /// A join waits for the start.
    #[error(
        "graph `{graph}`: {place} waits for START, which is no node; add an edge from it instead"
    )]
    JoinFromStart {
        /// The graph.
        graph: String,
        /// The join.
        place: String,
    },
    /// A name that nodes cannot have.
    #[error(
        "graph `{graph}`: `{node}` cannot name a node: use a text that is not empty, not START or \
         END, and without `:` and `|`"
    )]
    InvalidName {
        /// The graph.
        graph: String,
        /// The name.
        node: String,
    },
    /// Two nodes have the same name.
    #[error("graph `{graph}` has two nodes named `{node}`; give one of them another name")]
    DuplicateNode {
        /// The graph.
        graph: String,
        /// The name.
        node: String,
    },
    /// Two conditional edges of a node have the same name.
    #[error(
        "graph `{graph}`: `{node}` has two conditional edges named `{branch}`; give one of them \
         another name"
    )]
    DuplicateBranch {
        /// The graph.
        graph: String,
        /// Where they start.
        node: String,
        /// Their name.
        branch: String,
    },
    /// Schemas disagree about the reducer of a field.
    #[error("graph `{graph}`: field `{field}` has two different reducers; give it one")]
    Reducers {
        /// The graph.
        graph: String,
        /// The field.
        field: String,
    },
    /// A schema names a field that does not exist.
    #[error(
        "graph `{graph}`: {place} names field `{field}`, which the state does not have; add it"
    )]
    UnknownField {
        /// The graph.
        graph: String,
        /// What names it.
        place: String,
        /// The field.
        field: String,
    },
    /// An update, or an input, has a field with another type than the state.
    #[error(
        "graph `{graph}`: {place} has field `{field}` as `{given}`, which is `{expected}` in the \
         state; give it the same type in both"
    )]
    FieldType {
        /// The graph.
        graph: String,
        /// What has it.
        place: String,
        /// The field.
        field: String,
        /// Its type there.
        given: &'static str,
        /// Its type in the state.
        expected: &'static str,
    },
    /// The value that a field begins with cannot be recorded.
    #[error("graph `{graph}`: field `{field}` cannot begin with its initial value: {reason}")]
    InitialValue {
        /// The graph.
        graph: String,
        /// The field.
        field: String,
        /// What serde says.
        reason: String,
    },
    /// A path gives values that are no nodes, and nothing says where they lead.
    #[error(
        "graph `{graph}`: a conditional edge from `{node}` gives `true` or `false`, which are no \
         nodes; say where they lead with `Branch::new(path).map([(true, ..), (false, ..)])`"
    )]
    NoMap {
        /// The graph.
        graph: String,
        /// Where the edge starts.
        node: String,
    },
    /// A join waits for nothing.
    #[error("graph `{graph}`: an edge to `{node}` begins nowhere; name the nodes it waits for")]
    EmptyJoin {
        /// The graph.
        graph: String,
        /// Where it leads.
        node: String,
    },
    /// What is said of a node needs a worker, and the node runs in the coordinator.
    #[error(
        "graph `{graph}`: node `{node}` runs inline, which takes no {option}; leave one of the two \
         out"
    )]
    OptionOfInline {
        /// The graph.
        graph: String,
        /// The node.
        node: String,
        /// What was set.
        option: &'static str,
    },
    /// What is said of a node has no effect on a graph.
    #[error(
        "graph `{graph}`: node `{node}` is a graph, which takes no {option}; set it for the nodes \
         of that graph, or call the graph in a function"
    )]
    OptionOfSubgraph {
        /// The graph.
        graph: String,
        /// The node.
        node: String,
        /// What was set.
        option: &'static str,
    },
}

/// The text for people, since that is what a `main` shows that returns the error.
impl fmt::Debug for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<GraphError> for Failure {
    fn from(error: GraphError) -> Self {
        Self::new(kind::INVALID_GRAPH, error.to_string()).final_()
    }
}
