use std::collections::BTreeMap;

use rethread_client::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Row;

/// What coordinators say about an entrypoint of theirs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EntrypointRecord {
    pub(crate) name: String,
    /// JSON Schema of what it takes.
    #[serde(default)]
    pub(crate) input_schema: Option<Value>,
    /// JSON Schema of what it gives.
    #[serde(default)]
    pub(crate) output_schema: Option<Value>,
    /// For a graph: its drawing.
    #[serde(default)]
    pub(crate) graph: Option<Drawing>,
    /// When that was said last.
    #[serde(default)]
    pub(crate) published_at: Millis,
}

impl Row for EntrypointRecord {}

/// A graph as coordinators draw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drawing {
    #[serde(flatten)]
    pub(crate) flat: Lines,
    /// The same with the graphs that are nodes drawn in the places of these.
    #[serde(default)]
    pub(crate) xray: Option<Lines>,
    /// The graphs that are nodes, by these.
    #[serde(default)]
    pub(crate) subgraphs: BTreeMap<String, Subgraph>,
}

/// A graph that is a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Subgraph {
    /// Its name.
    #[serde(default)]
    pub(crate) graph: String,
    #[serde(flatten)]
    pub(crate) drawing: Drawing,
}

/// Nodes and edges.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lines {
    #[serde(default)]
    pub(crate) nodes: Vec<DrawnNode>,
    #[serde(default)]
    pub(crate) edges: Vec<DrawnEdge>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DrawnNode {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) defer: bool,
    pub(crate) interrupt_before: bool,
    pub(crate) interrupt_after: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DrawnEdge {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) conditional: bool,
    /// The result of a path that leads there, if it is not the name of the node.
    pub(crate) label: Option<String>,
}
