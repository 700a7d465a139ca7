//! What is to be done about a run at a later time: begin it, or remove what is left of it.
//!
//! It is kept in the storage, and each gateway looks for what is due. That several do the same
//! does no harm: a run begins once, and what is removed is not there.

use std::time::Duration;

use axum::http::StatusCode;
use futures::future::try_join;
use futures::{StreamExt, stream};
use rethread_client::{ClientError, Millis, Refusal};
use serde::{Deserialize, Serialize};
use tokio::time::{Interval, MissedTickBehavior, interval};
use uuid::Uuid;

use super::ending::{Ending, RunName, note};
use super::look;
use super::order::Order;
use crate::caller::Tenant;
use crate::coordinators;
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::records::{DueRun, Row, RowName};
use crate::shared::Shared;
use crate::standing::{self, Standing};
use crate::times;

/// Time between two looks at what is due.
const EVERY: Duration = Duration::from_secs(1);
/// Time between two looks at what is to be removed.
const REMOVED_EVERY: Duration = Duration::from_secs(30);
/// How many are read at a time, and looked after at the same time.
const AT_A_TIME: usize = 100;
const AT_ONCE: usize = 16;
/// A run that is due by then begins to the millisecond, unless the gateway ends before; a later
/// one at the next look.
const SOON: Duration = Duration::from_secs(30);
/// How long it may take to put a run off.
const YOUNG_MS: u64 = 60_000;
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
    let records = shared.records();
    // Found first when its time has come; without the order it is of no effect.
    records.due().put(due_key(due_at, *run), &DueRun { run_id: *run }).await?;
    records.delayed().put(run, &row).await?;
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
async fn begun(shared: &Shared, name: &RunName) -> ApiResult<()> {
    while let Some(row) = shared.records().delayed().get(name.run).await? {
        let left = row.due_at.0.saturating_sub(times::now().0).max(20);
        tokio::time::sleep(Duration::from_millis(left).min(EVERY)).await;
    }
    Ok(())
}

/// Waits until a run may begin; false if it never will: what it needs is gone.
pub(super) async fn begins(shared: &Shared, name: &RunName) -> ApiResult<bool> {
    begun(shared, name).await?;
    let runs = shared.records().runs(&name.tenant, name.thread);
    if runs.get(name.run).await?.is_some_and(|record| !record.status.is_over()) {
        return Ok(true);
    }
    let standing = standing::of(&name.engine(shared), ids::run(name.run)).await?;
    Ok(standing != Standing::Pending)
}

/// Takes back a run that has not begun; false if there is none.
pub(super) async fn take_back(shared: &Shared, name: &RunName) -> ApiResult<bool> {
    drop_delayed(shared, name.run).await
}

/// Drops the order of a run that was put off; false if there is none.
pub(crate) async fn drop_delayed(shared: &Shared, run: Uuid) -> ApiResult<bool> {
    let Some(row) = shared.records().delayed().get(run).await? else { return Ok(false) };
    drop_row(shared, run, row.due_at).await?;
    Ok(true)
}

async fn drop_row(shared: &Shared, run: Uuid, due_at: Millis) -> ApiResult<()> {
    shared.records().delayed().delete(run).await?;
    shared.records().due().delete(due_key(due_at, run)).await
}

/// Sorts by time.
fn due_key(Millis(due_at): Millis, run: Uuid) -> String {
    format!("{due_at:020}/{run}")
}

/// The time and the run that a key names.
fn named(key: &str) -> Option<(Millis, Uuid)> {
    let (due_at, run) = key.split_once('/')?;
    Some((Millis(due_at.parse().ok()?), run.parse().ok()?))
}

/// Whether there was a run to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Run,
    Nothing,
}

/// Begins a run whose time has come, unless it was taken back.
async fn begin(shared: &Shared, run: Uuid) -> ApiResult<Begun> {
    let Some(row) = shared.records().delayed().get(run).await? else { return Ok(Begun::Nothing) };
    let Some(tenant) = tenant_of(row.tenant.as_deref()) else { return Ok(Begun::Nothing) };
    let engine = tenant.thread(shared.client(), row.thread_id);
    match row.order.send(&engine, run).await.map_err(ApiError::from) {
        Ok(()) => {
            shared.notices().tell(shared.client(), engine.id());
            drop_row(shared, run, row.due_at).await?;
            Ok(Begun::Run)
        }
        // It will not be taken at another time either.
        Err(error) if is_for_ever(&error) => {
            drop_row(shared, run, row.due_at).await?;
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
    let engine = name.engine(shared);
    match coordinators::ask(shared, &engine, engine.delete()).await? {
        Ok(()) | Err(ClientError::Refused(Refusal::Busy { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    let records = shared.records();
    let (runs, active) = (records.runs(tenant, *thread), records.active(tenant, *thread));
    try_join(runs.delete(run), active.delete(run)).await?;
    // Last: it is found by this if it has to be done again.
    records.passing().delete(run).await
}

/// Begins what is due, again and again.
pub(crate) async fn sweep(shared: Shared) {
    let mut ticks = every(EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep_delayed(&shared).await {
            let detail = error.detail();
            tracing::warn!(detail, "runs that are due could not begin; it is tried again");
        }
    }
}

/// Removes what is left of runs of which nothing is kept, again and again.
pub(crate) async fn sweep_passed(shared: Shared) {
    let mut ticks = every(REMOVED_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep_passing(&shared).await {
            let detail = error.detail();
            tracing::warn!(detail, "what is left of runs is still there; it is tried again");
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Begins what is due. One that cannot begin keeps no other from it.
pub(crate) async fn sweep_delayed(shared: &Shared) -> ApiResult<()> {
    let due = shared.records().due();
    let mut last = None;
    loop {
        let names = due.names(last.as_ref(), AT_A_TIME).await?;
        let now = times::now();
        let is_due = |name: &&RowName| named(name.key()).is_none_or(|(due_at, _)| due_at <= now);
        let due_now: Vec<_> = names.iter().take_while(is_due).cloned().collect();
        let begun = stream::iter(due_now).map(async |name| {
            if let Err(error) = begin_named(shared, &name).await {
                let (name, detail) = (name.key(), error.detail());
                tracing::warn!(name, detail, "a run that is due could not begin");
            }
        });
        let begun = begun.buffer_unordered(AT_ONCE).count().await;
        if begun < AT_A_TIME {
            return Ok(());
        }
        last = names.into_iter().next_back();
    }
}

async fn begin_named(shared: &Shared, name: &RowName) -> ApiResult<()> {
    let is_left = match named(name.key()) {
        Some((due_at, run)) => {
            // It was taken back, or whoever puts it off has not come further yet.
            let is_old = due_at.plus(YOUNG_MS) <= times::now();
            begin(shared, run).await? == Begun::Nothing && is_old
        }
        None => true,
    };
    match is_left {
        true => shared.records().due().delete(name.key()).await,
        false => Ok(()),
    }
}

async fn sweep_passing(shared: &Shared) -> ApiResult<()> {
    let passing = shared.records().passing();
    let mut last = None;
    loop {
        let names = passing.names(last.as_ref(), AT_A_TIME).await?;
        let swept = stream::iter(names.clone()).map(async |name| {
            if let Err(error) = sweep_named(shared, &name).await {
                let (name, detail) = (name.key(), error.detail());
                tracing::warn!(name, detail, "what is left of a run could not be removed");
            }
        });
        let swept = swept.buffer_unordered(AT_ONCE).count().await;
        if swept < AT_A_TIME {
            return Ok(());
        }
        last = names.into_iter().next_back();
    }
}

async fn sweep_named(shared: &Shared, name: &RowName) -> ApiResult<()> {
    let Some(row) = shared.records().passing().get_named(name).await? else { return Ok(()) };
    let Some(tenant) = tenant_of(row.tenant.as_deref()) else { return Ok(()) };
    if row.since.plus(KEPT_MS) > times::now() {
        return Ok(());
    }
    let name = RunName { tenant, thread: row.run_id, run: row.run_id };
    sweep_one(shared, &name, row.is_ended).await
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
