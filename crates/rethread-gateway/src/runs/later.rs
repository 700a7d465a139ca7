//! What is to be done about a run at a later time: begin it, or remove what is left of it.
//!
//! It is kept in the storage, and each gateway looks for what is due. That several do the same
//! does no harm: a run begins once, and what is removed is not there.

use std::time::Duration;

use axum::http::StatusCode;
use rethread_client::{ClientError, Millis, Refusal};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ending::{Ending, RunName, note};
use super::look;
use super::order::Order;
use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};
use crate::records::Row;
use crate::shared::Shared;
use crate::times;

/// Time between two looks at what is due.
const EVERY: Duration = Duration::from_secs(1);
/// Looks between two at what is to be removed.
const REMOVED_EVERY: u32 = 30;
/// A run that is due by then begins to the millisecond, unless the gateway ends before; a later
/// one at the next look.
const SOON: Duration = Duration::from_secs(30);
/// How long the events of a run without a thread can be read after its end.
const KEPT_MS: u64 = 120_000;

/// A run that begins later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DelayedRun {
    #[serde(default)]
    tenant: Option<String>,
    thread_id: Uuid,
    run_id: Uuid,
    due_at: Millis,
    order: Order,
}

impl Row for DelayedRun {}

/// A run without a thread, of which nothing is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PassingRun {
    #[serde(default)]
    tenant: Option<String>,
    run_id: Uuid,
    /// When it was made, or when it ended, once that is known.
    since: Millis,
    #[serde(default)]
    is_ended: bool,
}

impl Row for PassingRun {}

pub(super) fn tenant_of(name: Option<&str>) -> Option<Tenant> {
    match name {
        None => Some(Tenant::Standard),
        Some(name) => Tenant::named(name),
    }
}

/// Lets a run begin at a time.
///
/// # Errors
/// 404 for one from a checkpoint that is not there: then, nobody would be told.
pub(super) async fn delay(
    shared: &Shared,
    name: &RunName,
    order: Order,
    due_at: Millis,
) -> ApiResult<()> {
    order.require_checkpoint(&name.engine(shared)).await?;
    let RunName { tenant, thread, run } = name;
    let tenant = tenant.name().map(str::to_owned);
    let row = DelayedRun { tenant, thread_id: *thread, run_id: *run, due_at, order };
    shared.records().delayed().put(run, &row).await?;
    let left = Duration::from_millis(due_at.0.saturating_sub(times::now().0));
    if left > SOON {
        return Ok(());
    }
    let (shared, run_id) = (shared.clone(), *run);
    tokio::spawn(async move {
        tokio::time::sleep(left).await;
        if let Err(error) = begin(&shared, run_id).await {
            let detail = error.detail();
            tracing::warn!(%run_id, detail, "a run could not begin in time");
        }
    });
    Ok(())
}

/// Whether a run has still to begin.
pub(super) async fn is_waiting(shared: &Shared, name: &RunName) -> ApiResult<bool> {
    Ok(shared.records().delayed().get(name.run).await?.is_some())
}

/// Waits until a run may begin.
pub(super) async fn begun(shared: &Shared, name: &RunName) -> ApiResult<()> {
    while let Some(row) = shared.records().delayed().get(name.run).await? {
        let left = row.due_at.0.saturating_sub(times::now().0).max(20);
        tokio::time::sleep(Duration::from_millis(left).min(EVERY)).await;
    }
    Ok(())
}

/// Takes back a run that has not begun; false if there is none.
pub(super) async fn take_back(shared: &Shared, name: &RunName) -> ApiResult<bool> {
    let is_waiting = is_waiting(shared, name).await?;
    if is_waiting {
        shared.records().delayed().delete(name.run).await?;
    }
    Ok(is_waiting)
}

/// Begins a run whose time has come, unless it was taken back.
async fn begin(shared: &Shared, run: Uuid) -> ApiResult<()> {
    let delayed = shared.records().delayed();
    let Some(row) = delayed.get(run).await? else { return Ok(()) };
    let Some(tenant) = tenant_of(row.tenant.as_deref()) else { return Ok(()) };
    let engine = tenant.thread(shared.client(), row.thread_id);
    match row.order.send(&engine, run).await.map_err(ApiError::from) {
        Ok(()) => {
            shared.notices().tell(shared.client(), engine.id());
            delayed.delete(run).await
        }
        // It will not be taken at another time either.
        Err(error) if is_for_ever(&error) => {
            delayed.delete(run).await?;
            note(shared, &RunName { tenant, thread: row.thread_id, run }, &Ending::Forgotten)
                .await?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Whether a request that was refused so would be refused again.
fn is_for_ever(error: &ApiError) -> bool {
    error.status().is_client_error() && error.status() != StatusCode::CONFLICT
}

/// Notes that nothing is to be kept of a run.
pub(super) async fn pass(shared: &Shared, name: &RunName, is_ended: bool) -> ApiResult<()> {
    let tenant = name.tenant.name().map(str::to_owned);
    let row = PassingRun { tenant, run_id: name.run, since: times::now(), is_ended };
    shared.records().passing().put(name.run, &row).await
}

/// Removes what is left of a run of which nothing is kept.
pub(super) async fn remove(shared: &Shared, name: &RunName) -> ApiResult<()> {
    let RunName { tenant, thread, run } = name;
    match name.engine(shared).delete().await {
        Ok(()) | Err(ClientError::Refused(Refusal::Busy { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    let records = shared.records();
    records.runs(tenant, *thread).delete(run).await?;
    records.active(tenant, *thread).delete(run).await?;
    records.passing().delete(run).await
}

/// Does what is due, again and again.
pub(crate) async fn sweep(shared: Shared) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for look in 0u32.. {
        ticks.tick().await;
        let mut done = sweep_delayed(&shared).await;
        if look % REMOVED_EVERY == 0 && done.is_ok() {
            done = sweep_passing(&shared).await;
        }
        if let Err(error) = done {
            let detail = error.detail();
            tracing::warn!(detail, "what is due of runs could not be done; it is tried again");
        }
    }
}

/// Begins what is due. One that cannot begin keeps no other from it.
async fn sweep_delayed(shared: &Shared) -> ApiResult<()> {
    for row in shared.records().delayed().list().await? {
        if row.due_at <= times::now()
            && let Err(error) = begin(shared, row.run_id).await
        {
            let (run_id, detail) = (row.run_id, error.detail());
            tracing::warn!(%run_id, detail, "a run that is due could not begin");
        }
    }
    Ok(())
}

async fn sweep_passing(shared: &Shared) -> ApiResult<()> {
    for row in shared.records().passing().list().await? {
        let Some(tenant) = tenant_of(row.tenant.as_deref()) else { continue };
        let name = RunName { tenant, thread: row.run_id, run: row.run_id };
        if row.since.plus(KEPT_MS) > times::now() {
            continue;
        }
        if let Err(error) = sweep_one(shared, &name, row.is_ended).await {
            let (run_id, detail) = (name.run, error.detail());
            tracing::warn!(%run_id, detail, "what is left of a run could not be removed");
        }
    }
    Ok(())
}

async fn sweep_one(shared: &Shared, name: &RunName, is_ended: bool) -> ApiResult<()> {
    if is_ended {
        remove(shared, name).await
    } else if look::status(shared, name).await?.is_over() {
        pass(shared, name, true).await
    } else {
        Ok(())
    }
}
