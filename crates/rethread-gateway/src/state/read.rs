use axum::Json;
use axum::extract::State;
use rethread_client::{CheckpointId, HistoryQuery};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::model::{CheckpointGiven, Showing, ThreadState};
use crate::caller::{Caller, Tenant};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, Path, Query};
use crate::shared::Shared;
use crate::threads;

/// What is shown of a state.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct StateQuery {
    /// Whether states of graphs within the graph are shown, by the tasks that they are.
    subgraphs: Option<bool>,
}

/// Which state is shown.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AtCheckpoint {
    #[serde(default)]
    checkpoint: CheckpointGiven,
    /// Whether states of graphs within the graph are shown, by the tasks that they are.
    #[serde(default)]
    subgraphs: bool,
}

pub(super) async fn newest(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Query(query): Query<StateQuery>,
) -> ApiResult<Json<ThreadState>> {
    threads::require(&shared, &tenant, thread).await?;
    let subgraphs = query.subgraphs.unwrap_or_default();
    show(&shared, &tenant, Showing { thread, namespace: "", subgraphs }, None).await.map(Json)
}

pub(super) async fn at(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path((thread, checkpoint)): Path<(Uuid, Uuid)>,
    Query(query): Query<StateQuery>,
) -> ApiResult<Json<ThreadState>> {
    threads::require(&shared, &tenant, thread).await?;
    let subgraphs = query.subgraphs.unwrap_or_default();
    let showing = Showing { thread, namespace: "", subgraphs };
    show(&shared, &tenant, showing, Some(checkpoint)).await.map(Json)
}

pub(super) async fn at_given(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Body(request): Body<AtCheckpoint>,
) -> ApiResult<Json<ThreadState>> {
    threads::require(&shared, &tenant, thread).await?;
    let AtCheckpoint { checkpoint, subgraphs } = request;
    let path = checkpoint.path();
    let namespace = checkpoint.namespace();
    let showing = Showing { thread, namespace, subgraphs };
    match path.is_empty() {
        true => show(&shared, &tenant, showing, checkpoint.checkpoint_id).await.map(Json),
        false => {
            show_within(&shared, &tenant, showing, path, checkpoint.checkpoint_id).await.map(Json)
        }
    }
}

/// The state of a graph within the graph of a thread: as it stands now, or at a checkpoint.
async fn show_within(
    shared: &Shared,
    tenant: &Tenant,
    showing: Showing<'_>,
    path: Vec<String>,
    checkpoint: Option<Uuid>,
) -> ApiResult<ThreadState> {
    let thread = tenant.thread(shared.client(), showing.thread);
    let newest = thread.state().within(&path).subgraphs(true).await?;
    let wanted = checkpoint.map(CheckpointId::from_uuid);
    match (wanted, newest) {
        (None, None) => Ok(ThreadState::empty()),
        (wanted, Some(snapshot)) if wanted.is_none_or(|it| it == snapshot.checkpoint) => {
            Ok(showing.recorded(&snapshot))
        }
        (wanted, _) => {
            let at = wanted.map(|wanted| HistoryQuery::new().within(path).at(wanted));
            let found = thread.history(at.unwrap_or_default()).await?;
            let named = wanted.map(|it| it.to_string()).unwrap_or_default();
            let missing = || ApiError::not_found(format_args!("Checkpoint {named} not found"));
            Ok(showing.recorded(found.first().ok_or_else(missing)?))
        }
    }
}

/// The state of a thread at a checkpoint, by default the newest. The newest is shown as it stands
/// now, however it is named.
async fn show(
    shared: &Shared,
    tenant: &Tenant,
    showing: Showing<'_>,
    checkpoint: Option<Uuid>,
) -> ApiResult<ThreadState> {
    let thread = tenant.thread(shared.client(), showing.thread);
    let newest = thread.overview_and_state().await?;
    let wanted = checkpoint.map(CheckpointId::from_uuid);
    match (wanted, newest) {
        (None, None) => Ok(ThreadState::empty()),
        (None, Some((overview, snapshot))) => Ok(showing.newest(&overview, &snapshot)),
        (Some(wanted), Some((overview, snapshot))) if snapshot.checkpoint == wanted => {
            Ok(showing.newest(&overview, &snapshot))
        }
        (Some(wanted), _) => {
            let missing = || ApiError::not_found(format_args!("Checkpoint {wanted} not found"));
            let snapshot = thread.state_at(wanted).await?.ok_or_else(missing)?;
            Ok(showing.recorded(&snapshot))
        }
    }
}
