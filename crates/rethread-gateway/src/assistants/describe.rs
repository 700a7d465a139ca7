use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::known::{entrypoint, require};
use super::model::{AssistantGraph, AssistantSchemas, GraphEdge, GraphNode, NodeData};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Path, Query};
use crate::json::Object;
use crate::shared::Shared;

/// How much of a graph is shown; an entrypoint is one node in any case.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct GraphQuery {
    /// `true`, `false` or a number of levels.
    #[expect(dead_code, reason = "it makes no difference")]
    xray: Option<String>,
}

/// Which graphs within are shown.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct SubgraphsQuery {
    /// `true` or `false`.
    #[expect(dead_code, reason = "there are none")]
    recurse: Option<String>,
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
    Query(_): Query<GraphQuery>,
) -> ApiResult<Json<AssistantGraph>> {
    let name = require(&shared, &caller.tenant, &named).await?.graph_id;
    let end = |id: &str| GraphNode { id: id.to_owned(), kind: None, data: None };
    let edge = |source: &str, target: &str, conditional| GraphEdge {
        source: source.to_owned(),
        target: target.to_owned(),
        conditional,
    };
    let edges = vec![edge("__start__", &name, None), edge(&name, "__end__", Some(true))];
    let data = Some(NodeData { name: name.clone() });
    let node = GraphNode { id: name, kind: Some("runnable"), data };
    Ok(Json(AssistantGraph { nodes: vec![node, end("__start__"), end("__end__")], edges }))
}

pub(super) async fn subgraphs(
    State(shared): State<Shared>,
    caller: Caller,
    Path(named): Path<String>,
    Query(_): Query<SubgraphsQuery>,
) -> ApiResult<Json<Object>> {
    require(&shared, &caller.tenant, &named).await?;
    Ok(Json(Object::new()))
}

pub(super) async fn subgraphs_of(
    State(shared): State<Shared>,
    caller: Caller,
    Path((named, _)): Path<(String, String)>,
    Query(_): Query<SubgraphsQuery>,
) -> ApiResult<Json<Object>> {
    require(&shared, &caller.tenant, &named).await?;
    Ok(Json(Object::new()))
}
