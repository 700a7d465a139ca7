//! Graphs, as cases spell them.

use serde::Deserialize;
use serde_json::Value;

use crate::case::{CacheSpec, Checkpointer, OneOrMany, Ordered, RetrySpec};
use crate::expr::Expr;
use crate::statement::{Block, Statement};

/// A graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphSpec {
    /// The fields of its state, of all schemas.
    pub(crate) state: Ordered<FieldSpec>,
    pub(crate) nodes: Ordered<NodeSpec>,
    #[serde(default)]
    pub(crate) edges: Vec<(OneOrMany<String>, String)>,
    #[serde(default)]
    pub(crate) branches: Vec<BranchSpec>,
    /// Fields of the input, if these are not all.
    pub(crate) input: Option<Vec<String>>,
    /// Fields of the output, if these are not all.
    pub(crate) output: Option<Vec<String>>,
    /// Fields that only nodes see which list them.
    #[serde(default)]
    pub(crate) private: Vec<String>,
    #[serde(default)]
    pub(crate) interrupt_before: OneOrMany<String>,
    #[serde(default)]
    pub(crate) interrupt_after: OneOrMany<String>,
    pub(crate) checkpointer: Option<Checkpointer>,
}

/// How updates of a field are merged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum FieldSpec {
    Known(KnownField),
    Reduce(ReduceSpec),
}

/// A reducer that has a name, or a field of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KnownField {
    Last,
    Append,
    Add,
    Merge,
    Messages,
    Ephemeral,
    Untracked,
    RemainingSteps,
    IsLastStep,
}

/// A reducer of the program's own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReduceSpec {
    /// Over the variables `old` and `new`.
    pub(crate) reduce: Expr,
    /// What the field begins with; without it the first update is taken as it is.
    pub(crate) init: Option<Value>,
}

/// A node: a body, or a graph.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeSpec {
    #[serde(default)]
    pub(crate) body: Block,
    pub(crate) graph: Option<String>,
    /// The fields that it sees, if these are not those of the state.
    pub(crate) input: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) retry: OneOrMany<RetrySpec>,
    pub(crate) cache: Option<CacheSpec>,
    pub(crate) timeout_ms: Option<u64>,
    #[serde(default)]
    pub(crate) defer: bool,
    /// Where its commands lead, for drawings.
    #[serde(default)]
    pub(crate) ends: Vec<String>,
    /// Runs when the node has failed for good.
    pub(crate) on_error: Option<Block>,
}

impl NodeSpec {
    /// Whether the node may run in the coordinator: it only computes, and asks nothing of workers.
    pub(super) fn may_be_inline(&self) -> bool {
        self.graph.is_none()
            && self.cache.is_none()
            && self.timeout_ms.is_none()
            && self.retry.as_slice().is_empty()
            && self.body.iter().all(Statement::is_pure)
    }
}

/// A conditional edge.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BranchSpec {
    pub(crate) from: String,
    path: Option<Expr>,
    #[serde(default)]
    body: Block,
    pub(crate) map: Option<MapSpec>,
    name: Option<String>,
}

/// What the results of a path mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum MapSpec {
    /// The names of nodes.
    Nodes(Vec<String>),
    /// Nodes by the texts of results.
    Texts(Ordered<String>),
}

impl MapSpec {
    /// Texts of results with the nodes that they mean.
    pub(crate) fn entries(&self) -> Vec<(String, String)> {
        match self {
            Self::Nodes(nodes) => nodes.iter().map(|node| (node.clone(), node.clone())).collect(),
            Self::Texts(texts) => texts.0.clone(),
        }
    }
}

/// How a conditional edge comes to its result.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PathSpec<'a> {
    Value(&'a Expr),
    Body(&'a Block),
}

impl BranchSpec {
    pub(crate) fn path(&self) -> PathSpec<'_> {
        self.path.as_ref().map_or(PathSpec::Body(&self.body), PathSpec::Value)
    }

    /// Its name; `place` is its place among those of the graph.
    pub(crate) fn name(&self, place: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("branch{place}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<GraphSpec, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn fields_have_a_known_kind_or_a_reducer() {
        let graph = read(
            r#"{"state": {"z": "last", "a": {"reduce": {"$": "new"}, "init": 0}}, "nodes": {}}"#,
        )
        .expect("a graph");
        assert_eq!(graph.state.0[0], ("z".to_owned(), FieldSpec::Known(KnownField::Last)));
        let FieldSpec::Reduce(reduce) = &graph.state.0[1].1 else { panic!("{graph:?}") };
        assert_eq!(reduce.init, Some(Value::from(0)));
        assert!(read(r#"{"state": {"z": "lost"}, "nodes": {}}"#).is_err());
    }

    #[test]
    fn edges_lead_from_one_node_or_from_several() {
        let text = r#"{"state": {}, "nodes": {}, "edges": [["a", "b"], [["a", "b"], "c"]]}"#;
        let graph = read(text).expect("a graph");
        assert_eq!(graph.edges[0].0.as_slice(), ["a"]);
        assert!(matches!(&graph.edges[1].0, OneOrMany::Many(from) if from.len() == 2));
    }

    #[test]
    fn maps_are_lists_of_nodes_or_tell_what_texts_mean() {
        let branch = |map: &str| -> BranchSpec {
            let text = format!(r#"{{"from": "a", "path": "x", "map": {map}}}"#);
            serde_json::from_str(&text).expect("a branch")
        };
        let pair = |text: &str, node: &str| (text.to_owned(), node.to_owned());
        let listed = branch(r#"["b"]"#);
        assert_eq!(listed.map.expect("a map").entries(), [pair("b", "b")]);
        let told = branch(r#"{"no": "z", "go": "a"}"#);
        assert_eq!(told.name(1), "branch1");
        assert_eq!(told.map.expect("a map").entries(), [pair("no", "z"), pair("go", "a")]);
    }
}
