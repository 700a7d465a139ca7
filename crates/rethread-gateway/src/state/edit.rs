use axum::Json;
use axum::extract::State;
use rethread_client::{CheckpointId, ClientError, Refusal};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::model::{Checkpoint, CheckpointGiven, StateEdited};
use crate::caller::{Caller, Tenant};
use crate::coordinators;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, Path};
use crate::ids;
use crate::shared::Shared;
use crate::threads;

/// An edit of the state of a thread.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StateUpdate {
    /// The new value, any JSON; the next run finds it as `previous`. Of a graph: an update, as if a
    /// node had returned it.
    #[serde(default)]
    values: Value,
    /// In whose name it is made: that of the entrypoint (the default), `__input__` (a new input,
    /// which the next run without one takes), `__end__` or `__copy__`. Of a graph: also that of a
    /// node, or `__start__`; by default of the node that wrote last.
    as_node: Option<String>,
    /// From where on; by default from the newest state.
    #[serde(default)]
    checkpoint: CheckpointGiven,
    checkpoint_id: Option<Uuid>,
}

pub(super) async fn update(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(id): Path<Uuid>,
    Body(update): Body<StateUpdate>,
) -> ApiResult<Json<StateEdited>> {
    let record = threads::require(&shared, &tenant, id).await?;
    let overview = tenant.thread(shared.client(), id).overview().await?;
    let active = threads::active_runs(&shared, &tenant, id, overview.as_ref()).await?;
    if !active.is_empty() {
        return Err(ApiError::conflict(BUSY));
    }
    let graph = match overview {
        Some(overview) => Some(overview.entrypoint),
        None => record.metadata.get("graph_id").and_then(Value::as_str).map(str::to_owned),
    };
    let path = update.checkpoint.path();
    // A graph within goes on from where it stands.
    let at = update.checkpoint_id.or(update.checkpoint.checkpoint_id).filter(|_| path.is_empty());
    let edit = Edit { values: update.values, as_node: update.as_node, graph, path };
    let made = edit.make(&shared, &tenant, id, at).await?;
    let checkpoint = Checkpoint::new(id, update.checkpoint.namespace(), made);
    Ok(Json(StateEdited {
        configurable: checkpoint.clone(),
        checkpoint,
        checkpoint_id: *made.as_uuid(),
    }))
}

const BUSY: &str = "Thread has a run in progress: wait for it, or cancel it";

/// An edit that is to be made.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) values: Value,
    pub(crate) as_node: Option<String>,
    /// The entrypoint of the thread, as far as it is known.
    pub(crate) graph: Option<String>,
    /// The pending nodes that lead to the graph within that is meant.
    pub(crate) path: Vec<String>,
}

impl Edit {
    /// Makes it on a thread, from the newest state or from that of a checkpoint. Gives the
    /// checkpoint that it made.
    pub(crate) async fn make(
        self,
        shared: &Shared,
        tenant: &Tenant,
        thread: Uuid,
        at: Option<Uuid>,
    ) -> ApiResult<CheckpointId> {
        let Self { values, as_node, graph, path } = self;
        let Some(graph) = graph else {
            return Err(ApiError::bad_request(format_args!(
                "Thread {thread} has no graph: it never ran, and its metadata names no graph_id"
            )));
        };
        let engine = tenant.thread(shared.client(), thread);
        let mut edit = match as_node.as_deref() {
            // The end takes no value.
            Some("__end__") => engine.update_state(()),
            _ => engine.update_state(values),
        };
        if let Some(node) = as_node {
            edit = edit.as_node(node);
        }
        if let Some(at) = at {
            edit = edit.at(CheckpointId::from_uuid(at));
        }
        let assistant = ids::assistant_of(&graph).to_string();
        edit = edit.metadata("graph_id", graph.clone()).metadata("assistant_id", assistant);
        let edit = edit.entrypoint(graph).within(path);
        coordinators::ask(shared, &engine, edit).await?.map_err(|error| match error {
            ClientError::Refused(Refusal::Busy { .. }) => ApiError::conflict(BUSY),
            error => error.into(),
        })
    }
}
