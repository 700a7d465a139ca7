//! Stopping and removing runs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::ending::RunName;
use super::look;
use super::multitask::{remove_record, stop};
use super::query::{BulkQuery, CancelAction, CancelQuery, CancelStatus, RunsCancel};
use crate::caller::{Caller, Tenant};
use crate::error::{ApiError, ApiResult};
use crate::extract::{OptionalBody, Path, Query};
use crate::json::Several;
use crate::records::RunStatus;
use crate::shared::Shared;

pub(super) async fn cancel(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path((thread, run)): Path<(Uuid, Uuid)>,
    Query(query): Query<CancelQuery>,
) -> ApiResult<Response> {
    let name = RunName { tenant, thread, run };
    look::require(&shared, &name).await?;
    // The run is over when this returns, so there is nothing more to wait for.
    if !stop(&shared, &name, query.action == CancelAction::Rollback).await? {
        let detail = format!("Run {run} is over already, so it cannot be cancelled");
        return Err(ApiError::not_found(detail));
    }
    Ok(match query.wait.0 {
        true => Json(json!({})).into_response(),
        false => StatusCode::ACCEPTED.into_response(),
    })
}

/// Removes the record of a run; one in progress is stopped first.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path((thread, run)): Path<(Uuid, Uuid)>,
) -> ApiResult<StatusCode> {
    let name = RunName { tenant, thread, run };
    let record = look::require(&shared, &name).await?;
    if !record.status.is_over() {
        stop(&shared, &name, false).await?;
    }
    remove_record(&shared, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn cancel_several(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Query(query): Query<BulkQuery>,
    OptionalBody(wanted): OptionalBody<RunsCancel>,
) -> ApiResult<StatusCode> {
    if wanted.status.is_none() && (wanted.thread_id.is_none() || wanted.run_ids.is_none()) {
        return Err(ApiError::invalid("give either a thread_id with run_ids, or a status"));
    }
    let takes_back = query.action == CancelAction::Rollback;
    let mut is_any_stopped = false;
    for name in matching(&shared, &tenant, &wanted).await? {
        is_any_stopped |= stop(&shared, &name, takes_back).await?;
    }
    match is_any_stopped {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("No runs in progress match")),
    }
}

/// The runs that are meant and have no end, the newest first, so that none that waits begins.
async fn matching(
    shared: &Shared,
    tenant: &Tenant,
    wanted: &RunsCancel,
) -> ApiResult<Vec<RunName>> {
    let mut marks = match wanted.thread_id {
        Some(thread) => shared.records().active(tenant, thread).list().await?,
        None => shared.records().all_active(tenant).list().await?,
    };
    if let Some(Several(runs)) = &wanted.run_ids {
        marks.retain(|mark| runs.contains(&mark.run_id));
    }
    marks.sort_by_key(|mark| std::cmp::Reverse((mark.created_at, mark.run_id)));
    let mut names = Vec::new();
    for mark in marks {
        let name = RunName { tenant: tenant.clone(), thread: mark.thread_id, run: mark.run_id };
        let is_meant = match wanted.status {
            None | Some(CancelStatus::All) => true,
            Some(CancelStatus::Pending) => look::status(shared, &name).await? == RunStatus::Pending,
            Some(CancelStatus::Running) => look::status(shared, &name).await? == RunStatus::Running,
        };
        if is_meant {
            names.push(name);
        }
    }
    Ok(names)
}
