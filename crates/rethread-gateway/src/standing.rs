//! How far a run has come, by what the engine has written of it.

use rethread_client::{
    ClientError, Event, EventKind, Millis, Refusal, RunId, RunOutcome, Thread, ThreadOverview,
    ThreadStatus,
};
use rethread_core::record::Record;

use crate::again;
use crate::error::{ApiError, ApiResult};
use crate::records::RunStatus;

/// How far a run has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// Nothing was written of it: it waits for its turn, or its events are no longer kept.
    Pending,
    /// It is in progress.
    Running,
    /// It is over.
    Ended { outcome: Box<RunOutcome>, at: Millis },
}

/// What clients are told of a run that ended so. Stopping to ask people is a success: it is the
/// thread that is interrupted.
pub(crate) fn status_of(outcome: &RunOutcome) -> RunStatus {
    match outcome {
        RunOutcome::Failed(_) | RunOutcome::Parked(_) | RunOutcome::Refused(_) => RunStatus::Error,
        RunOutcome::Cancelled => RunStatus::Interrupted,
        _ => RunStatus::Success,
    }
}

/// Whether a request to stop something has stopped it; what is over needs no stopping.
pub(crate) fn is_stopped(stopped: Result<(), ClientError>) -> ApiResult<bool> {
    match stopped {
        Ok(()) => Ok(true),
        Err(ClientError::Refused(
            Refusal::NotRunning { .. } | Refusal::NothingToContinue { .. },
        )) => Ok(false),
        Err(error) => Err(ApiError::from(error)),
    }
}

/// The first event of a run of the thread; none if it has not begun, or its events are gone.
pub(crate) async fn first_event(thread: &Thread, run: RunId) -> ApiResult<Option<Event>> {
    let client = thread.client();
    let partition = thread.id().key().partition(client.storage().partitions());
    let found = again::read(client, |storage| storage.read_events(partition, run, 0, 1)).await?;
    let first = found.first().map(|record| Event::from_record(record)).transpose();
    first.map_err(|error| ApiError::internal(format_args!("events of run {run}: {error}")))
}

/// How far a run of the thread has come.
pub(crate) async fn of(thread: &Thread, run: RunId) -> ApiResult<Standing> {
    of_seen(thread, thread.overview().await?.as_ref(), run).await
}

/// The same, where the thread has been looked at already.
pub(crate) async fn of_seen(
    thread: &Thread,
    seen: Option<&ThreadOverview>,
    run: RunId,
) -> ApiResult<Standing> {
    let is_current = |it: &&ThreadOverview| it.run == run && it.status == ThreadStatus::Running;
    if seen.filter(is_current).is_some() {
        return Ok(Standing::Running);
    }
    // The last event of the run that ended last is known by its number.
    let last = seen.and_then(|it| it.last_event).filter(|(of, _)| *of == run);
    let mut after = last.map_or(0, |(_, number)| number.saturating_sub(1));
    let admin = thread.client().admin();
    let mut standing = Standing::Pending;
    loop {
        let events = admin.events(thread.id(), run, after).await?;
        let Some(last) = events.into_iter().next_back() else { return Ok(standing) };
        after = last.seq;
        standing = match last.kind {
            EventKind::RunEnded(outcome) => {
                return Ok(Standing::Ended { outcome: Box::new(outcome), at: last.at });
            }
            _ => Standing::Running,
        };
    }
}
