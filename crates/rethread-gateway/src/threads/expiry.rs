//! Threads that are removed by themselves some time after their last change.
//!
//! Each gateway looks for them now and then. That several look does no harm: what is removed
//! already is not there.

use std::time::Duration;

use uuid::Uuid;

use super::known::find;
use super::look::{Look, expires_at};
use super::model::ThreadStatus;
use super::remove::remove;
use crate::caller::Tenant;
use crate::error::ApiResult;
use crate::records::{ExpiringThread, ThreadRecord};
use crate::shared::Shared;
use crate::times;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(60);

/// The key of a thread among all that may expire.
pub(super) fn key(tenant: &Tenant, thread: Uuid) -> String {
    format!("{}/{thread}", tenant.label())
}

/// Notes that a thread is removed by itself one day, if it is.
pub(super) async fn note_rule(
    shared: &Shared,
    tenant: &Tenant,
    record: &ThreadRecord,
) -> ApiResult<()> {
    if record.ttl.is_none() {
        return Ok(());
    }
    let thread_id = record.thread_id;
    let row = ExpiringThread { tenant: tenant.name().map(str::to_owned), thread_id };
    shared.records().expiring().put(key(tenant, thread_id), &row).await
}

/// Removes what has expired, again and again.
pub(crate) async fn sweep(shared: Shared) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep_once(&shared).await {
            let detail = error.detail();
            tracing::warn!(detail, "threads that have expired are still there");
        }
    }
}

/// Removes what has expired by now.
pub(crate) async fn sweep_once(shared: &Shared) -> ApiResult<()> {
    for ExpiringThread { tenant, thread_id } in shared.records().expiring().list().await? {
        let tenant = match tenant {
            None => Some(Tenant::Standard),
            Some(name) => Tenant::named(&name),
        };
        // One that cannot be removed keeps no other from it.
        if let Some(tenant) = tenant
            && let Err(error) = remove_if_due(shared, &tenant, thread_id).await
        {
            let detail = error.detail();
            tracing::warn!(%thread_id, detail, "a thread that has expired is still there");
        }
    }
    Ok(())
}

async fn remove_if_due(shared: &Shared, tenant: &Tenant, id: Uuid) -> ApiResult<()> {
    let record = find(shared, tenant, id).await?;
    let Some((record, rule)) = record.and_then(|it| it.ttl.map(|rule| (it, rule))) else {
        return shared.records().expiring().delete(key(tenant, id)).await;
    };
    let look = Look::at(shared, tenant, record).await?;
    let is_due = expires_at(rule, look.updated_at()) <= times::now();
    if is_due && look.status != ThreadStatus::Busy {
        remove(shared, tenant, id).await?;
    }
    Ok(())
}
