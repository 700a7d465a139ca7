use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::compiled::Compiled;
use crate::mermaid;
use crate::{END, START};

/// A graph as it is drawn: its nodes and edges. Displayed, it is text for Mermaid.
///
/// ```
/// # extern crate rethread_graph as rethread;
/// use rethread_graph::{END, Field, START, StateGraph};
/// # use rethread_sdk::Error;
///
/// # async fn look(_: serde_json::Value) -> Result<(), Error> { Ok(()) }
/// let graph = StateGraph::with_fields("g", [Field::last("x")])
///     .add_node("look", look)
///     .add_edge(START, "look")
///     .add_edge("look", END)
///     .compile()?;
/// let text = graph.draw().to_string();
/// assert!(text.contains("\t__start__([<p>__start__</p>]):::first\n"));
/// assert!(text.contains("\tlook --> __end__;\n"));
/// # Ok::<(), rethread_graph::GraphError>(())
/// ```
///
/// A conditional edge leads where its type, its map or its declared ends say; if nothing does, to
/// every node. Edges of nodes that nothing known leads to are left out: only commands can reach
/// them, and [`Node::ends`](crate::Node::ends) says where those go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drawing {
    /// The nodes, the start and the end among them if something leads there.
    pub nodes: Vec<DrawnNode>,
    /// The edges, by where they begin and end.
    pub edges: Vec<DrawnEdge>,
}

/// A node of a [`Drawing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DrawnNode {
    /// Its name; in a graph that is a node, behind the name of this node and a colon.
    pub id: String,
    /// Its name alone.
    pub name: String,
    /// Whether it waits until nothing else is left.
    pub defer: bool,
    /// Whether runs stop before it.
    pub interrupt_before: bool,
    /// Whether runs stop after it.
    pub interrupt_after: bool,
}

/// An edge of a [`Drawing`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DrawnEdge {
    /// Where it begins.
    pub source: String,
    /// Where it ends.
    pub target: String,
    /// Whether a path or a command decides.
    pub conditional: bool,
    /// The result of the path that leads there, if it is not the name of the node.
    pub label: Option<String>,
}

impl Drawing {
    /// Text for Mermaid.
    pub fn to_mermaid(&self) -> String {
        mermaid::text(self)
    }

    pub(crate) fn of(graph: &Compiled, xray: bool) -> Self {
        let mut drawing = Self::flat(graph);
        if xray {
            for node in &graph.topology.nodes {
                let subgraph = graph.subgraphs().find(|(name, _)| *name == node.name);
                if let Some((name, subgraph)) = subgraph {
                    drawing.put_in(name, Self::of(subgraph, true));
                }
            }
        }
        drawing
    }

    /// With the graphs that are nodes apart, for whoever draws them in place.
    pub(crate) fn published(graph: &Compiled) -> Value {
        let drawing = Self::flat(graph);
        let subgraphs = graph.subgraphs().map(|(node, subgraph)| {
            let mut drawing = Self::published(subgraph);
            drawing["graph"] = json!(subgraph.name());
            (node.to_owned(), drawing)
        });
        let subgraphs: BTreeMap<String, Value> = subgraphs.collect();
        json!({
            "nodes": drawing.nodes, "edges": drawing.edges, "xray": Self::of(graph, true),
            "subgraphs": subgraphs,
        })
    }

    fn flat(graph: &Compiled) -> Self {
        let edges = edges(graph);
        let mut nodes = vec![DrawnNode::plain(START)];
        let stops = |names: &[String], node: &str| names.iter().any(|it| it == "*" || it == node);
        nodes.extend(graph.topology.nodes.iter().map(|node| DrawnNode {
            defer: node.is_deferred,
            interrupt_before: stops(&graph.interrupt_before, &node.name),
            interrupt_after: stops(&graph.interrupt_after, &node.name),
            ..DrawnNode::plain(&node.name)
        }));
        if edges.iter().any(|edge| edge.target == END) {
            nodes.push(DrawnNode::plain(END));
        }
        Self { nodes, edges }
    }

    /// The only node that nothing leads to.
    pub(crate) fn first(&self) -> Option<&DrawnNode> {
        self.only(|node| !self.edges.iter().any(|edge| edge.target == node.id))
    }

    /// The only node that leads nowhere.
    pub(crate) fn last(&self) -> Option<&DrawnNode> {
        self.only(|node| !self.edges.iter().any(|edge| edge.source == node.id))
    }

    fn only(&self, is: impl Fn(&DrawnNode) -> bool) -> Option<&DrawnNode> {
        let mut found = self.nodes.iter().filter(|node| is(node));
        found.next().filter(|_| found.next().is_none())
    }

    /// Draws a graph in the place of the node that it is, if it has one beginning and one end.
    fn put_in(&mut self, place: &str, mut inner: Self) {
        if inner.nodes.len() <= 1 || inner.first().is_none() || inner.last().is_none() {
            return;
        }
        inner.trim(Self::first, |edge| (&edge.source, &edge.target));
        inner.trim(Self::last, |edge| (&edge.target, &edge.source));
        let ends = (inner.first().map(|it| it.id.clone()), inner.last().map(|it| it.id.clone()));
        let (Some(first), Some(last)) = ends else { return };
        let prefixed = |id: &str| format!("{place}:{id}");
        let Some(at) = self.nodes.iter().position(|node| node.id == place) else { return };
        self.nodes.remove(at);
        for edge in &mut self.edges {
            if edge.source == place {
                edge.source = prefixed(&last);
            }
            if edge.target == place {
                edge.target = prefixed(&first);
            }
        }
        let nodes = inner.nodes.into_iter();
        self.nodes.extend(nodes.map(|node| DrawnNode { id: prefixed(&node.id), ..node }));
        self.edges.extend(inner.edges.into_iter().map(|edge| DrawnEdge {
            source: prefixed(&edge.source),
            target: prefixed(&edge.target),
            ..edge
        }));
    }

    /// Leaves out the start or the end, if there is one beginning or end without it, too.
    fn trim(
        &mut self,
        end: impl Fn(&Self) -> Option<&DrawnNode>,
        ends: impl Fn(&DrawnEdge) -> (&String, &String),
    ) {
        let Some(id) = end(self).map(|node| node.id.clone()) else { return };
        let outer: Vec<_> = self.edges.iter().filter(|edge| *ends(edge).0 == id).collect();
        if outer.len() != 1 || (id != START && id != END) {
            return;
        }
        let without = Self {
            nodes: self.nodes.iter().filter(|node| node.id != id).cloned().collect(),
            edges: self.edges.iter().filter(|edge| *ends(edge).0 != id).cloned().collect(),
        };
        if end(&without).is_some() {
            *self = without;
        }
    }
}

impl DrawnNode {
    fn plain(name: &str) -> Self {
        Self {
            id: name.to_owned(),
            name: name.to_owned(),
            defer: false,
            interrupt_before: false,
            interrupt_after: false,
        }
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_mermaid())
    }
}

/// The edges that can be reached from the start, one between two nodes.
fn edges(graph: &Compiled) -> Vec<DrawnEdge> {
    let mut found: BTreeMap<(String, String), DrawnEdge> = BTreeMap::new();
    let mut reached = BTreeSet::new();
    let mut next = vec![START.to_owned()];
    while let Some(source) = next.pop() {
        if !reached.insert(source.clone()) {
            continue;
        }
        let mut leads = leads_from(graph, &source);
        leads.sort();
        if leads.is_empty() && source != END {
            leads.push(edge(&source, END, false, None));
        }
        for edge in leads.into_iter() {
            next.push(edge.target.clone());
            found.entry((edge.source.clone(), edge.target.clone())).or_insert(edge);
        }
    }
    found.into_values().filter(|edge| edge.source != END).collect()
}

fn leads_from(graph: &Compiled, source: &str) -> Vec<DrawnEdge> {
    let topology = &graph.topology;
    let plain = topology.edges_from(source).map(|target| edge(source, target, false, None));
    let joins = topology.joins.iter().filter(|join| join.sources.iter().any(|it| it == source));
    let joins = joins.map(|join| edge(source, &join.target, false, None));
    let mut leads: Vec<_> = plain.chain(joins).collect();
    for branch in graph.branches_from(source) {
        match (&branch.map, &branch.ends) {
            (_, Some(ends)) => {
                leads.extend(ends.iter().map(|target| edge(source, target, true, None)));
            }
            (Some(map), None) => leads.extend(map.iter().map(|(key, target)| {
                edge(source, target, true, Some(key).filter(|key| *key != target))
            })),
            // Nobody says where it leads: anywhere.
            (None, None) => {
                let nodes = topology.nodes.iter().map(|node| node.name.as_str());
                leads.extend(nodes.chain([END]).map(|target| edge(source, target, true, None)));
            }
        }
    }
    let ends = graph.ends.get(source).into_iter().flatten();
    leads.extend(ends.map(|target| edge(source, target, true, None)));
    leads
}

fn edge(source: &str, target: &str, conditional: bool, label: Option<&String>) -> DrawnEdge {
    DrawnEdge {
        source: source.to_owned(),
        target: target.to_owned(),
        conditional,
        label: label.cloned(),
    }
}
