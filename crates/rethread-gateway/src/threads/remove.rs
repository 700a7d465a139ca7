use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use rethread_client::{ClientError, Refusal};
use uuid::Uuid;

use super::known::require;
use crate::caller::{Caller, Tenant};
use crate::coordinators;
use crate::error::ApiResult;
use crate::extract::Path;
use crate::ids;
use crate::runs::drop_delayed;
use crate::shared::Shared;
use crate::standing::is_stopped;

/// How often a thread is stopped on which a run begins again and again.
const ATTEMPTS: usize = 10;
/// How long is waited before it is stopped again.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn delete(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    require(&shared, &tenant, id).await?;
    remove(&shared, &tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the threads whose last run was one of an assistant.
pub(crate) async fn remove_those_of(
    shared: &Shared,
    tenant: &Tenant,
    assistant: Uuid,
) -> ApiResult<()> {
    let assistant = assistant.to_string();
    for record in shared.records().threads(tenant).list().await? {
        if record.metadata.get("assistant_id").is_some_and(|it| *it == *assistant) {
            remove(shared, tenant, record.thread_id).await?;
        }
    }
    Ok(())
}

/// Stops the runs of a thread, waiting ones too, and removes it with all that is kept of it.
pub(super) async fn remove(shared: &Shared, tenant: &Tenant, id: Uuid) -> ApiResult<()> {
    for attempt in 1.. {
        stop(shared, tenant, id).await?;
        let thread = tenant.thread(shared.client(), id);
        match coordinators::ask(shared, &thread, thread.delete()).await? {
            Ok(()) => break,
            Err(ClientError::Refused(Refusal::Busy { .. })) if attempt < ATTEMPTS => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let records = shared.records();
    records.threads(tenant).delete(id).await?;
    records.active(tenant, id).clear().await?;
    records.runs(tenant, id).clear().await?;
    records.expiring().delete(super::expiry::key(tenant, id)).await
}

/// Stops what runs and waits: the newest first, so that no waiting run begins.
async fn stop(shared: &Shared, tenant: &Tenant, id: Uuid) -> ApiResult<()> {
    let thread = tenant.thread(shared.client(), id);
    let mut marks = shared.records().active(tenant, id).list().await?;
    marks.sort_by_key(|mark| (mark.created_at, mark.run_id));
    for mark in marks.into_iter().rev() {
        // One that was to begin later would bring the thread back.
        drop_delayed(shared, mark.run_id).await?;
        let run = thread.run(ids::run(mark.run_id));
        is_stopped(coordinators::ask(shared, &thread, run.cancel()).await?)?;
    }
    if thread.overview().await?.is_none() {
        return Ok(());
    }
    is_stopped(coordinators::ask(shared, &thread, thread.cancel()).await?).map(drop)
}
