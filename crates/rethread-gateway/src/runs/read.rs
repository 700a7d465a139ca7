//! Answers that read a run: its result, or what happens in it.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use rethread_client::RunOutcome;
use serde_json::json;
use uuid::Uuid;

use super::ending::{Ending, RunName, lost, result, wait, wait_or_look};
use super::later;
use super::look;
use super::query::{JoinQuery, StreamQuery};
use super::watch::Watch;
use crate::caller::Caller;
use crate::coordinators;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Path, Query};
use crate::ids;
use crate::json::Object;
use crate::shared::Shared;
use crate::sse::{self, Cut, Frame, Frames, LastEventId, Position, StreamModes};
use crate::standing::{self, Standing};

pub(super) async fn join(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path((thread, run)): Path<(Uuid, Uuid)>,
    Query(query): Query<JoinQuery>,
) -> ApiResult<Response> {
    let name = RunName { tenant, thread, run };
    look::require(&shared, &name).await?;
    let watch = Watch::of_guest(&shared, &name, query.cancel_on_disconnect.0);
    Ok(waiting(&shared, name, watch, true))
}

/// The result of a run, once it is over. `is_old`: it may be over already, or still to begin.
pub(super) fn waiting(shared: &Shared, name: RunName, watch: Watch, is_old: bool) -> Response {
    let heartbeat = shared.options().heartbeat;
    let shared = shared.clone();
    let value = async move {
        let ended = async {
            let engine = name.engine(&shared);
            let ending = tokio::select! {
                ending = ending_of(&shared, &name, is_old) => ending?,
                error = coordinators::gone(&shared, &engine) => return Err(error),
            };
            let value = result(&shared, &name, &ending).await?;
            Ok::<_, ApiError>((ending, value))
        };
        match ended.await {
            Ok((ending, value)) => {
                watch.over(Some(ending), true);
                value
            }
            // The headers are out, so the error goes the way of one of the run.
            Err(error) => json!({
                "__error__": { "error": "Unavailable", "message": error.detail() }
            }),
        }
    };
    sse::waiting(heartbeat, Box::pin(value))
}

async fn ending_of(shared: &Shared, name: &RunName, is_old: bool) -> ApiResult<Ending> {
    match is_old {
        true => wait_or_look(shared, name).await,
        false => wait(shared, name).await,
    }
}

pub(super) async fn stream_on(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path((thread, run)): Path<(Uuid, Uuid)>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    stream(&shared, RunName { tenant, thread, run }, query, &headers).await
}

pub(super) async fn stream_alone(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(run): Path<Uuid>,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    stream(&shared, RunName { tenant, thread: run, run }, query, &headers).await
}

async fn stream(
    shared: &Shared,
    name: RunName,
    query: StreamQuery,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    let last = last_event_id(headers)?;
    let heartbeat = shared.options().heartbeat;
    let runs = shared.records().runs(&name.tenant, name.thread);
    let Some(record) = runs.get(name.run).await? else {
        let message = format!("Run with ID {} not found", name.run);
        let data = json!({ "error": "NotFound", "message": message });
        let unknown = Frame { event: "error".to_owned(), data, id: None };
        return Ok(sse::events(heartbeat, stream::iter([Ok(unknown)])));
    };
    let seen = match last {
        Some(last) => Some(last.position()),
        None if record.status.is_over() => None,
        None => now(shared, &name).await?,
    };
    let location = format!("/threads/{}/runs/{}", name.thread, name.run);
    let locations = location_headers(&location, Some("stream"));
    let Some(seen) = seen else {
        // It is over, and nothing comes behind what was.
        return Ok((locations, sse::events(heartbeat, stream::empty())).into_response());
    };
    let watch = Watch::of_guest(shared, &name, query.cancel_on_disconnect.0);
    let modes = match query.stream_mode.is_empty() {
        true => made_with(&record.kwargs),
        false => StreamModes::of(query.stream_mode),
    };
    let has_children = record.kwargs.get("subgraphs") == Some(&json!(true));
    let watched = Watched { name, modes, has_children, seen, is_put_off: true };
    Ok((locations, watched.response(shared, watch)).into_response())
}

/// The modes that a run was made with.
pub(crate) fn made_with(kwargs: &Object) -> StreamModes {
    let modes = kwargs.get("stream_mode").cloned();
    modes.and_then(|modes| serde_json::from_value(modes).ok()).unwrap_or_default()
}

/// The place behind what has happened in a run; none if the run is over.
pub(crate) async fn now(shared: &Shared, name: &RunName) -> ApiResult<Option<Position>> {
    let (engine, run) = (name.engine(shared), ids::run(name.run));
    let overview = engine.overview().await?;
    match standing::of_seen(&engine, overview.as_ref(), run).await? {
        Standing::Pending => Ok(Some(Position::default())),
        Standing::Ended { outcome, .. } if !matches!(*outcome, RunOutcome::Joined(_)) => Ok(None),
        _ => {
            let known = overview.and_then(|it| it.last_event).filter(|(of, _)| *of == run);
            let mut last = known.map_or(0, |(_, number)| number);
            let admin = shared.client().admin();
            while let Some(event) = admin.events(engine.id(), run, last).await?.last() {
                last = event.seq;
            }
            Ok(Some(Position::behind(last)))
        }
    }
}

/// The event behind which a client goes on.
///
/// # Errors
/// 422 for a header that is no id of an event.
pub(crate) fn last_event_id(headers: &HeaderMap) -> ApiResult<Option<LastEventId>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = value.to_str().unwrap_or("(not a text)");
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(ApiError::invalid)
}

/// The events of a run as they are sent.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) name: RunName,
    pub(super) modes: StreamModes,
    pub(super) has_children: bool,
    pub(super) seen: Position,
    /// Whether the run may have still to begin.
    pub(super) is_put_off: bool,
}

impl Watched {
    /// The answer. At the end of the run the watch is told that it is over.
    pub(super) fn response(self, shared: &Shared, watch: Watch) -> Response {
        let Self { name, modes, has_children, seen, is_put_off } = self;
        let engine = name.engine(shared);
        let frames = Frames::new(&engine, name.thread, name.run, modes, has_children, seen);
        let heartbeat = shared.options().heartbeat;
        let shared = shared.clone();
        let begun = async move {
            if !is_put_off {
                return frames.into_stream().boxed();
            }
            let begins = async {
                match later::begins(&shared, &name).await? {
                    true => Ok(None),
                    false => lost(&shared, &name).await.map(Some),
                }
            };
            match begins.await {
                Ok(None) => frames.into_stream().boxed(),
                Ok(Some(lost)) => {
                    let error = |data| Ok(Frame { event: "error".to_owned(), data, id: None });
                    stream::iter(lost.map(error)).boxed()
                }
                Err(_) => stream::iter([Err(Cut)]).boxed(),
            }
        };
        let state = (stream::once(begun).flatten().boxed(), Some(watch), false);
        let watched = stream::unfold(state, |(mut frames, mut watch, is_cut)| async move {
            match frames.next().await {
                Some(item) => {
                    let is_cut = item.is_err();
                    Some((item, (frames, watch, is_cut)))
                }
                None => {
                    if let Some(watch) = watch.take().filter(|_| !is_cut) {
                        watch.over(None, false);
                    }
                    None
                }
            }
        });
        sse::events(heartbeat, watched)
    }
}

/// Where a run is found, and how its reader goes on.
pub(super) fn location_headers(run_at: &str, then: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut insert = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    insert(header::CONTENT_LOCATION, run_at);
    if let Some(then) = then {
        insert(header::LOCATION, &format!("{run_at}/{then}"));
    }
    headers
}
