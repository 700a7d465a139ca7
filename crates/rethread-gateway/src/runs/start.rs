//! Answers that make a run.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt, stream};

use super::create::{Made, Place, create};
use super::ending::RunName;
use super::model::{OnDisconnect, Run, RunCreate};
use super::read::{Watched, location_headers, waiting};
use super::watch::Watch;
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{BatchBody, Body};
use crate::shared::Shared;
use crate::sse::Position;

/// How many runs of a batch are made at the same time.
const AT_ONCE: usize = 32;

pub(super) async fn create_one(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    place: Place,
    Body(run): Body<RunCreate>,
) -> ApiResult<Response> {
    let made = create(&shared, &tenant, place, run).await?;
    Watch::leave(&shared, &made);
    let headers = locations(place, &made, None);
    Ok((headers, Json(Run::from(made.record))).into_response())
}

pub(super) async fn create_batch(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    BatchBody(runs): BatchBody<RunCreate>,
) -> ApiResult<Json<Vec<Run>>> {
    let (shared, tenant) = (&shared, &tenant);
    let made = stream::iter(runs).map(|run| async move {
        let made = create(shared, tenant, Place::Alone, run).await?;
        // Also where a later one is refused, it goes on.
        Watch::leave(shared, &made);
        ApiResult::Ok(Run::from(made.record))
    });
    made.buffered(AT_ONCE).try_collect().await.map(Json)
}

pub(super) async fn create_and_wait(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    place: Place,
    Body(run): Body<RunCreate>,
) -> ApiResult<Response> {
    let cancels = run.on_disconnect == OnDisconnect::Cancel;
    let is_put_off = run.after_seconds.millis().is_some();
    let made = create(&shared, &tenant, place, run).await?;
    let watch = Watch::of_made(&shared, &made, cancels);
    let headers = locations(place, &made, Some("join"));
    Ok((headers, waiting(&shared, made.name, watch, is_put_off)).into_response())
}

pub(super) async fn create_and_stream(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    place: Place,
    Body(run): Body<RunCreate>,
) -> ApiResult<Response> {
    let cancels = run.on_disconnect == OnDisconnect::Cancel;
    let (modes, has_children) = (run.stream_mode.clone(), run.stream_subgraphs);
    let is_put_off = run.after_seconds.millis().is_some();
    let made = create(&shared, &tenant, place, run).await?;
    let watch = Watch::of_made(&shared, &made, cancels);
    let headers = locations(place, &made, Some("stream"));
    let seen = Position::default();
    let watched = Watched { name: made.name, modes, has_children, seen, is_put_off };
    Ok((headers, watched.response(&shared, watch)).into_response())
}

/// Where a run is found, and how its reader goes on.
fn locations(place: Place, made: &Made, then: Option<&str>) -> HeaderMap {
    let RunName { thread, run, .. } = made.name;
    match (place, then) {
        // Waiting goes on with the thread that the run has for itself.
        (Place::Alone, None | Some("stream")) => location_headers(&format!("/runs/{run}"), then),
        _ => location_headers(&format!("/threads/{thread}/runs/{run}"), then),
    }
}
