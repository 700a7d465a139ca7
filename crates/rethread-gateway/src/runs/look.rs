//! Runs as they stand.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::ending::RunName;
use super::model::Run;
use super::query::RunsQuery;
use crate::caller::{Caller, Tenant};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Path, Query};
use crate::ids;
use crate::json::{Listed, Partial};
use crate::page::Page;
use crate::records::{RunRecord, RunStatus};
use crate::shared::Shared;
use crate::standing::{self, Standing, status_of};
use crate::threads;

/// How many runs are looked at at the same time.
const AT_ONCE: usize = 32;

/// The record of a run.
///
/// # Errors
/// 404 if there is none.
pub(super) async fn require(shared: &Shared, name: &RunName) -> ApiResult<RunRecord> {
    let missing = || ApiError::not_found(format_args!("Run with ID {} not found", name.run));
    let runs = shared.records().runs(&name.tenant, name.thread);
    runs.get(name.run).await?.ok_or_else(missing)
}

/// How far a run has come.
pub(super) async fn status(shared: &Shared, name: &RunName) -> ApiResult<RunStatus> {
    let standing = standing::of(&name.engine(shared), ids::run(name.run)).await?;
    Ok(match standing {
        Standing::Pending => RunStatus::Pending,
        Standing::Running => RunStatus::Running,
        Standing::Ended { outcome, .. } => status_of(&outcome),
    })
}

/// A record with how far its run has come.
async fn brought_up(
    shared: &Shared,
    name: &RunName,
    mut record: RunRecord,
) -> ApiResult<RunRecord> {
    if !record.status.is_over() {
        record.status = status(shared, name).await?;
    }
    Ok(record)
}

/// The same of several.
async fn all_brought_up(
    shared: &Shared,
    tenant: &Tenant,
    records: Vec<RunRecord>,
) -> ApiResult<Vec<RunRecord>> {
    let looks = stream::iter(records).map(|record| {
        let (tenant, thread, run) = (tenant.clone(), record.thread_id, record.run_id);
        async move { brought_up(shared, &RunName { tenant, thread, run }, record).await }
    });
    looks.buffered(AT_ONCE).try_collect().await
}

pub(super) async fn get(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path((thread, run)): Path<(Uuid, Uuid)>,
) -> ApiResult<Json<Run>> {
    let name = RunName { tenant, thread, run };
    let record = require(&shared, &name).await?;
    Ok(Json(brought_up(&shared, &name, record).await?.into()))
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Query(query): Query<RunsQuery>,
) -> ApiResult<Response> {
    threads::require(&shared, &tenant, thread).await?;
    let mut records = shared.records().runs(&tenant, thread).list().await?;
    records.sort_by_key(|it| std::cmp::Reverse((it.created_at, it.run_id)));
    let (limit, offset) = (query.limit.get(), query.offset);
    let page = match query.status {
        Some(status) => {
            let mut all = all_brought_up(&shared, &tenant, records).await?;
            all.retain(|it| it.status == status);
            Page::of(all, limit, offset)
        }
        None => {
            let mut page = Page::of(records, limit, offset);
            let members = std::mem::take(&mut page.members);
            page.members = all_brought_up(&shared, &tenant, members).await?;
            page
        }
    };
    let headers = page.headers();
    let select = (!query.select.is_empty()).then_some(query.select.as_slice());
    let mut list = Listed::plain(shared.options().answer_bytes_max);
    for record in page.members {
        list.push(&Partial::select(&Run::from(record), select)?)?;
    }
    Ok((headers, list).into_response())
}
