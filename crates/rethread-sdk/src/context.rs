use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rethread_core::ids::{ExecutionId, Millis, RunId, ThreadId};
use rethread_core::replay::{CallRequest, Scope};

use crate::awaited::What;
use crate::call::Call;
use crate::error::{Error, Result};
use crate::outside::current_scope;

/// Waits for at least `duration`, rounded up to milliseconds, over restarts too.
///
/// The time counts from the call. A body that sleeps holds no resources.
///
/// # Errors
/// When awaited: outside a run.
pub fn sleep(duration: Duration) -> Call<()> {
    let ms = duration.as_nanos().div_ceil(1_000_000);
    let duration_ms = u64::try_from(ms).unwrap_or(u64::MAX);
    Call::make(What::Sleep, None, || Ok(CallRequest::Timer { duration_ms }))
}

/// The time of the newest result that the body has seen; the same on each replay.
///
/// # Errors
/// Outside a run, and when the time is later than the system can tell.
pub fn now() -> Result<SystemTime> {
    system_time(current_scope("`now`")?.now())
}

/// A time of the engine as the system tells it.
pub(crate) fn system_time(at: Millis) -> Result<SystemTime> {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(at.0))
        .ok_or_else(|| Error::msg(format_args!("no system time is {} ms after 1970", at.0)))
}

/// A text that names this body for other services: the same for each attempt of a task, and for
/// no other call.
///
/// Give it to services that take one, so that what an attempt did before it was lost is not done
/// twice. A body that asks several services appends to it.
///
/// # Errors
/// Outside a run.
pub fn idempotency_key() -> Result<String> {
    Ok(current_scope("`idempotency_key`")?.info().scope.to_string())
}

/// Facts about the body that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunInfo {
    /// The thread.
    pub thread: ThreadId,
    /// The run.
    pub run: RunId,
    /// The execution that the run belongs to: from an input to its final value, over all runs
    /// that resume it.
    pub execution: ExecutionId,
    /// Name of the task or entrypoint.
    pub name: String,
    /// Which attempt of the body this is, from 1.
    pub attempt: u32,
    /// The words that the caller of the run gave it. Nothing else is done with them.
    pub tags: Vec<String>,
}

/// Tells which body is running, and for whom.
///
/// # Errors
/// Outside a run.
pub fn run_info() -> Result<RunInfo> {
    let scope = current_scope("`run_info`")?;
    let info = scope.info();
    Ok(RunInfo {
        thread: info.thread.clone(),
        run: info.run,
        execution: info.execution,
        name: info.name.clone(),
        attempt: info.attempt,
        tags: info.config.tags.clone(),
    })
}

/// Marks a future that waits for something outside of the engine (a socket, a runtime's timer).
///
/// An entrypoint may await such things, but they are not recorded: they happen again on each
/// replay. The mark keeps the run going until the future ends, also while a question is open.
/// Outside a run it changes nothing.
///
/// # Cancel safety
/// Dropping it drops the future and ends the mark.
pub async fn local<F: Future>(future: F) -> F::Output {
    let _mark = LocalMark::begin();
    future.await
}

struct LocalMark(Option<Arc<Scope>>);

impl LocalMark {
    fn begin() -> Self {
        let scope = Scope::current().ok();
        if let Some(scope) = &scope {
            scope.begin_local();
        }
        Self(scope)
    }
}

impl Drop for LocalMark {
    fn drop(&mut self) {
        if let Some(scope) = &self.0 {
            scope.end_local();
        }
    }
}
