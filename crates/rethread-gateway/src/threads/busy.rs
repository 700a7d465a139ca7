//! Whether runs of a thread are in progress or wait for their turn.

use rethread_client::{RunOutcome, ThreadOverview};
use uuid::Uuid;

use crate::caller::Tenant;
use crate::error::ApiResult;
use crate::ids;
use crate::records::{ActiveRun, RunStatus};
use crate::shared::Shared;
use crate::standing::{self, Standing, status_of};
use crate::times;

/// The runs of a thread that were made over HTTP and have no end, oldest first. What is seen to
/// have ended is noted.
pub(crate) async fn active_runs(
    shared: &Shared,
    tenant: &Tenant,
    thread: Uuid,
    seen: Option<&ThreadOverview>,
) -> ApiResult<Vec<Uuid>> {
    let marks = shared.records().active(tenant, thread).list().await?;
    still_active(shared, tenant, thread, seen, marks).await
}

/// The same of marks that were read already.
pub(super) async fn still_active(
    shared: &Shared,
    tenant: &Tenant,
    thread: Uuid,
    seen: Option<&ThreadOverview>,
    mut marks: Vec<ActiveRun>,
) -> ApiResult<Vec<Uuid>> {
    marks.sort_by_key(|mark| (mark.created_at, mark.run_id));
    let engine = tenant.thread(shared.client(), thread);
    let mut active = Vec::new();
    for ActiveRun { run_id, .. } in marks {
        match standing::of_seen(&engine, seen, ids::run(run_id)).await? {
            Standing::Pending | Standing::Running => active.push(run_id),
            Standing::Ended { outcome, .. } => {
                note_end(shared, tenant, thread, run_id, &outcome).await?;
            }
        }
    }
    Ok(active)
}

/// Notes how a run ended. Whoever sees the end of a run does so; doing it twice does no harm.
pub(crate) async fn note_end(
    shared: &Shared,
    tenant: &Tenant,
    thread: Uuid,
    run: Uuid,
    outcome: &RunOutcome,
) -> ApiResult<RunStatus> {
    let status = status_of(outcome);
    let runs = shared.records().runs(tenant, thread);
    runs.update(run, |record| {
        if !record.status.is_over() {
            record.status = status;
            record.updated_at = times::now();
        }
        Ok(())
    })
    .await?;
    shared.records().active(tenant, thread).delete(run).await?;
    Ok(status)
}
