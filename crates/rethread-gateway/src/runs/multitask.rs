//! Runs that meet others on their thread ("double texting").

use rethread_client::{RunOutcome, ThreadOverview, ThreadStatus};

use super::ending::{Ending, RunName, note};
use super::later;
use super::model::MultitaskStrategy;
use crate::coordinators;
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::shared::Shared;
use crate::standing::is_stopped;
use crate::threads;

/// Does what a strategy says about the other runs of a thread, before a run is made.
///
/// # Errors
/// 409 when the run is to be rejected.
pub(super) async fn make_way(
    shared: &Shared,
    name: &RunName,
    strategy: MultitaskStrategy,
    overview: Option<&ThreadOverview>,
) -> ApiResult<()> {
    let others = threads::active_runs(shared, &name.tenant, name.thread, overview).await?;
    let is_running = overview.is_some_and(|it| it.status == ThreadStatus::Running);
    let takes_back = match strategy {
        MultitaskStrategy::Enqueue => return Ok(()),
        MultitaskStrategy::Reject if others.is_empty() && !is_running => return Ok(()),
        MultitaskStrategy::Reject => return Err(busy()),
        MultitaskStrategy::Interrupt => false,
        MultitaskStrategy::Rollback => true,
    };
    // The newest first, so that none that waits begins.
    for run in others.into_iter().rev() {
        let other = RunName { run, ..name.clone() };
        stop(shared, &other, takes_back).await?;
    }
    // One that was not made over HTTP.
    if is_running {
        let engine = name.engine(shared);
        is_stopped(match takes_back {
            true => coordinators::ask(shared, &engine, engine.roll_back()).await?,
            false => coordinators::ask(shared, &engine, engine.cancel()).await?,
        })?;
    }
    Ok(())
}

/// 409: another run is in progress.
pub(super) fn busy() -> ApiError {
    ApiError::conflict(
        "Thread is already running a task. Wait for it to finish or choose a different \
         multitask strategy.",
    )
}

/// Stops a run, in progress or waiting; false if it was over already. One that is taken back
/// leaves no record.
pub(super) async fn stop(shared: &Shared, name: &RunName, takes_back: bool) -> ApiResult<bool> {
    let was_waiting = later::take_back(shared, name).await?;
    if takes_back {
        return take_back(shared, name, was_waiting).await;
    }
    let engine = name.engine(shared);
    let run = engine.run(ids::run(name.run));
    let stopped = coordinators::ask(shared, &engine, run.cancel()).await?;
    let is_stopped = is_stopped(stopped)? || was_waiting;
    if is_stopped {
        note(shared, name, &Ending::Known(Box::new(RunOutcome::Cancelled))).await?;
    }
    Ok(is_stopped)
}

/// The record goes first: whoever sees the end of the run, here or through another gateway, finds
/// nothing then in which to note it, and so does not bring it back.
async fn take_back(shared: &Shared, name: &RunName, was_waiting: bool) -> ApiResult<bool> {
    let runs = shared.records().runs(&name.tenant, name.thread);
    let record = runs.get(name.run).await?;
    runs.delete(name.run).await?;
    let engine = name.engine(shared);
    let run = engine.run(ids::run(name.run));
    let stopped = coordinators::ask(shared, &engine, run.roll_back()).await.and_then(is_stopped);
    if matches!(stopped, Ok(true)) || (was_waiting && stopped.is_ok()) {
        remove_record(shared, name).await?;
        return Ok(true);
    }
    // It was over already, or goes on.
    if let Some(record) = record {
        runs.put(name.run, &record).await?;
    }
    stopped
}

pub(super) async fn remove_record(shared: &Shared, name: &RunName) -> ApiResult<()> {
    let RunName { tenant, thread, run } = name;
    shared.records().runs(tenant, *thread).delete(run).await?;
    shared.records().active(tenant, *thread).delete(run).await
}
