use axum::Json;
use axum::extract::State;
use rethread_client::CheckpointId;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::model::{CheckpointGiven, ThreadState};
use crate::caller::{Caller, Tenant};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, Path, Query};
use crate::shared::Shared;
use crate::threads;

/// What is shown of a state.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct StateQuery {
    /// Whether states of graphs within the graph are shown; entrypoints have none.
    #[expect(dead_code, reason = "there are none")]
    subgraphs: Option<bool>,
}

/// Which state is shown.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AtCheckpoint {
    #[serde(default)]
    checkpoint: CheckpointGiven,
    #[serde(default)]
    #[expect(dead_code, reason = "entrypoints have no graphs within")]
    subgraphs: bool,
}

pub(super) async fn newest(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Query(_): Query<StateQuery>,
) -> ApiResult<Json<ThreadState>> {
    threads::require(&shared, &tenant, thread).await?;
    show(&shared, &tenant, thread, None).await.map(Json)
}

pub(super) async fn at(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path((thread, checkpoint)): Path<(Uuid, Uuid)>,
    Query(_): Query<StateQuery>,
) -> ApiResult<Json<ThreadState>> {
    threads::require(&shared, &tenant, thread).await?;
    show(&shared, &tenant, thread, Some(checkpoint)).await.map(Json)
}

pub(super) async fn at_given(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Body(request): Body<AtCheckpoint>,
) -> ApiResult<Json<ThreadState>> {
    threads::require(&shared, &tenant, thread).await?;
    show(&shared, &tenant, thread, request.checkpoint.checkpoint_id).await.map(Json)
}

/// The state of a thread at a checkpoint, by default the newest. The newest is shown as it stands
/// now, however it is named.
async fn show(
    shared: &Shared,
    tenant: &Tenant,
    id: Uuid,
    checkpoint: Option<Uuid>,
) -> ApiResult<ThreadState> {
    let thread = tenant.thread(shared.client(), id);
    let newest = thread.overview_and_state().await?;
    let wanted = checkpoint.map(CheckpointId::from_uuid);
    match (wanted, newest) {
        (None, None) => Ok(ThreadState::empty()),
        (None, Some((overview, snapshot))) => Ok(ThreadState::newest(id, &overview, &snapshot)),
        (Some(wanted), Some((overview, snapshot))) if snapshot.checkpoint == wanted => {
            Ok(ThreadState::newest(id, &overview, &snapshot))
        }
        (Some(wanted), _) => {
            let missing = || ApiError::not_found(format_args!("Checkpoint {wanted} not found"));
            let snapshot = thread.state_at(wanted).await?.ok_or_else(missing)?;
            Ok(ThreadState::recorded(id, &snapshot))
        }
    }
}
