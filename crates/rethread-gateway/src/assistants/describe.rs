use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::known::{entrypoint, require};
use super::model::{AssistantGraph, AssistantSchemas, GraphEdge, GraphNode, NodeData};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Path, Query};
use crate::json::Object;
use crate::records::{Drawing, Lines};
use crate::shared::Shared;

/// How much of a graph is shown; an entrypoint that is none is one node in any case.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct GraphQuery {
    /// Whether graphs that are nodes are drawn in the places of these: `true`, `false`, or a
    /// number, of which each but 0 means all levels.
    xray: Option<String>,
}

impl GraphQuery {
    fn is_xray(&self) -> bool {
        self.xray.as_deref().is_some_and(says_yes)
    }
}

/// Which graphs within are shown.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct SubgraphsQuery {
    /// Whether those within the graphs within are shown too: `true` or `false`.
    recurse: Option<String>,
}

impl SubgraphsQuery {
    fn is_recursive(&self) -> bool {
        self.recurse.as_deref().is_some_and(says_yes)
    }
}

fn says_yes(text: &str) -> bool {
    !matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "false")
}

pub(super) async fn schemas(
    State(shared): State<Shared>,
    caller: Caller,
    Path(named): Path<String>,
) -> ApiResult<Json<AssistantSchemas>> {
    let graph_id = require(&shared, &caller.tenant, &named).await?.graph_id;
    let known = entrypoint(&shared, &graph_id).await?;
    let (input_schema, output_schema) =
        known.map_or((None, None), |it| (it.input_schema, it.output_schema));
    Ok(Json(AssistantSchemas {
        graph_id,
        input_schema,
        state_schema: output_schema.clone(),
        output_schema,
        config_schema: None,
        context_schema: None,
    }))
}

pub(super) async fn graph(
    State(shared): State<Shared>,
    caller: Caller,
    Path(named): Path<String>,
    Query(query): Query<GraphQuery>,
) -> ApiResult<Json<AssistantGraph>> {
    let name = require(&shared, &caller.tenant, &named).await?.graph_id;
    let drawing = entrypoint(&shared, &name).await?.and_then(|it| it.graph);
    Ok(Json(match drawing {
        Some(Drawing { xray: Some(lines), .. }) if query.is_xray() => drawn(lines),
        Some(Drawing { flat, .. }) => drawn(flat),
        None => one_node(name),
    }))
}

fn drawn(Lines { nodes, edges }: Lines) -> AssistantGraph {
    let nodes = nodes.into_iter().map(|node| {
        let facts = [
            ("defer", node.defer),
            ("interrupt_before", node.interrupt_before),
            ("interrupt_after", node.interrupt_after),
        ];
        let facts = facts.into_iter().filter(|(_, is_so)| *is_so);
        let metadata = facts.map(|(fact, _)| (fact.to_owned(), json!(true))).collect();
        let data = Some(NodeData { name: node.name, metadata });
        GraphNode { id: node.id, kind: Some("runnable"), data }
    });
    let edges = edges.into_iter().map(|edge| GraphEdge {
        source: edge.source,
        target: edge.target,
        conditional: edge.conditional.then_some(true),
        data: edge.label,
    });
    AssistantGraph { nodes: nodes.collect(), edges: edges.collect() }
}

/// An entrypoint as a graph.
fn one_node(name: String) -> AssistantGraph {
    let end = |id: &str| GraphNode { id: id.to_owned(), kind: None, data: None };
    let edge = |source: &str, target: &str, conditional| GraphEdge {
        source: source.to_owned(),
        target: target.to_owned(),
        conditional,
        data: None,
    };
    let edges = vec![edge("__start__", &name, None), edge(&name, "__end__", Some(true))];
    let data = Some(NodeData { name: name.clone(), metadata: Object::new() });
    let node = GraphNode { id: name, kind: Some("runnable"), data };
    AssistantGraph { nodes: vec![node, end("__start__"), end("__end__")], edges }
}

pub(super) async fn subgraphs(
    State(shared): State<Shared>,
    caller: Caller,
    Path(named): Path<String>,
    Query(query): Query<SubgraphsQuery>,
) -> ApiResult<Json<Object>> {
    within(&shared, &caller, &named, None, &query).await.map(Json)
}

pub(super) async fn subgraphs_of(
    State(shared): State<Shared>,
    caller: Caller,
    Path((named, namespace)): Path<(String, String)>,
    Query(query): Query<SubgraphsQuery>,
) -> ApiResult<Json<Object>> {
    within(&shared, &caller, &named, Some(&namespace), &query).await.map(Json)
}

/// The graphs that are nodes, by their paths: those of one path only, or all.
async fn within(
    shared: &Shared,
    caller: &Caller,
    named: &str,
    namespace: Option<&str>,
    query: &SubgraphsQuery,
) -> ApiResult<Object> {
    let name = require(shared, &caller.tenant, named).await?.graph_id;
    let mut found = Object::new();
    if let Some(drawing) = entrypoint(shared, &name).await?.and_then(|it| it.graph) {
        let is_deep = query.is_recursive() || namespace.is_some();
        collect(shared, "", &drawing, is_deep, &mut found).await?;
    }
    if let Some(namespace) = namespace {
        found.retain(|path, _| path == namespace);
    }
    Ok(found)
}

/// Adds the graphs within a drawing, which is at a path.
async fn collect(
    shared: &Shared,
    path: &str,
    drawing: &Drawing,
    is_deep: bool,
    found: &mut Object,
) -> ApiResult<()> {
    for (node, subgraph) in &drawing.subgraphs {
        let path = match path {
            "" => node.clone(),
            path => format!("{path}|{node}"),
        };
        let known = entrypoint(shared, &subgraph.graph).await?;
        let (input, output) = known.map_or((None, None), |it| (it.input_schema, it.output_schema));
        let schemas = json!({
            "graph_id": subgraph.graph, "input_schema": input, "output_schema": output,
            "state_schema": output, "config_schema": null, "context_schema": null,
        });
        found.insert(path.clone(), schemas);
        if is_deep {
            Box::pin(collect(shared, &path, &subgraph.drawing, is_deep, found)).await?;
        }
    }
    Ok(())
}
