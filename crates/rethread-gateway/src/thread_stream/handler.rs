use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::feed::Feed;
use super::reader::{Reader, start_behind};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Path, Query};
use crate::runs::last_event_id;
use crate::shared::Shared;
use crate::sse;
use crate::threads;

/// What is sent of the runs of a thread.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct ThreadStreamQuery {
    /// `run_modes` (the default): what each run was made with. `lifecycle`: starts and ends only.
    #[serde(default)]
    stream_modes: Vec<ThreadStreamMode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum ThreadStreamMode {
    RunModes,
    Lifecycle,
    /// Edits of the state, which show nothing of their own.
    StateUpdate,
}

pub(super) async fn stream(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Query(query): Query<ThreadStreamQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    threads::require(&shared, &tenant, thread).await?;
    let modes = query.stream_modes;
    let has_modes = modes.is_empty() || modes.contains(&ThreadStreamMode::RunModes);
    let start = start_behind(last_event_id(&headers)?);
    let feed = Feed::new(&shared, &tenant, thread, start);
    let reader = Reader::new(feed, thread, has_modes);
    Ok(sse::events(shared.options().heartbeat, reader.into_stream()))
}
