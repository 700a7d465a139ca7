use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::expiry::note_rule;
use super::known::{find, require};
use super::look::{Look, show};
use super::model::{Thread, ThreadCreate, ThreadPatch, ThreadQuery, TtlGiven};
use crate::assistants::IfExists;
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, OptionalBody, Path, Query};
use crate::records::ThreadRecord;
use crate::shared::Shared;
use crate::state::Edit;

pub(super) async fn create(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    OptionalBody(create): OptionalBody<ThreadCreate>,
) -> ApiResult<Json<Thread>> {
    let ThreadCreate { thread_id, metadata, if_exists, ttl, supersteps } = create;
    let id = thread_id.unwrap_or_else(Uuid::now_v7);
    let mut record = ThreadRecord::new(id, metadata);
    record.ttl = ttl.map(TtlGiven::rule);
    let graph = record.metadata.get("graph_id").and_then(|graph| graph.as_str());
    let graph = graph.map(str::to_owned);
    let threads = shared.records().threads(&tenant);
    let existing = match thread_id {
        Some(id) => match find(&shared, &tenant, id).await? {
            None => threads.create(id, &record).await?,
            existing => existing,
        },
        // Nobody else knows it.
        None => threads.put(id, &record).await.map(|()| None)?,
    };
    if let Some(existing) = existing {
        return match if_exists {
            IfExists::DoNothing => Ok(Json(show(&shared, &tenant, existing).await?)),
            IfExists::Raise => {
                Err(ApiError::conflict(format_args!("Thread with ID {id} already exists")))
            }
        };
    }
    note_rule(&shared, &tenant, &record).await?;
    for step in supersteps.0 {
        let [update] = <[_; 1]>::try_from(step.updates).map_err(|updates| {
            let given = updates.len();
            let detail = format!("supersteps: a step has one update, {given} were given");
            ApiError::invalid(detail)
        })?;
        let edit = Edit {
            values: update.values,
            as_node: update.as_node,
            graph: graph.clone(),
            path: Vec::new(),
        };
        edit.make(&shared, &tenant, id, None).await?;
    }
    Ok(Json(show(&shared, &tenant, record).await?))
}

pub(super) async fn get(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(id): Path<Uuid>,
    Query(ThreadQuery { include }): Query<ThreadQuery>,
) -> ApiResult<Json<Thread>> {
    let look = Look::at(&shared, &tenant, require(&shared, &tenant, id).await?).await?;
    let values = look.values(&shared, &tenant).await?;
    let asks_for_ttl = include.is_some_and(|it| it.split(',').any(|part| part.trim() == "ttl"));
    let expiry = look.expiry().filter(|_| asks_for_ttl);
    Ok(Json(Thread { ttl: expiry, ..look.show(values) }))
}

pub(super) async fn patch(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Body(ThreadPatch { metadata, ttl }): Body<ThreadPatch>,
) -> ApiResult<Response> {
    let before = require(&shared, &tenant, id).await?;
    let change = |record: &mut ThreadRecord| {
        record.merge(metadata);
        if let Some(ttl) = ttl {
            record.ttl = Some(ttl.rule());
        }
        Ok(())
    };
    let record = shared.records().threads(&tenant).upsert(id, || before, change).await?;
    note_rule(&shared, &tenant, &record).await?;
    if is_minimal(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(show(&shared, &tenant, record).await?).into_response())
}

/// Whether the client does not want the thread back.
fn is_minimal(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| preference.trim().eq_ignore_ascii_case("return=minimal"))
}
