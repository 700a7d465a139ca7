use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{CallId, CheckpointId, Millis, RunId};

use crate::error::Result;
use crate::outcome::OpenInterrupt;
use crate::state::{self, StateSnapshot};
use crate::thread::{LastEvent, Thread};

/// What a thread is doing, read without its state: one small record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ThreadOverview {
    /// What it is doing.
    pub status: ThreadStatus,
    /// The run that is in progress or ended last.
    pub run: RunId,
    /// The entrypoint that ran last.
    pub entrypoint: String,
    /// The call that the entrypoint's own body is, while it has still to finish: what streams
    /// name as the task of the entrypoint.
    pub root: Option<CallId>,
    /// The newest checkpoint.
    pub checkpoint: CheckpointId,
    /// The questions that may be answered now, also while a run is in progress.
    pub interrupts: Vec<OpenInterrupt>,
    /// When it was last written.
    pub updated_at: Millis,
    /// The run whose events were written last, and the number of its last event.
    pub last_event: Option<(RunId, u64)>,
}

impl ThreadOverview {
    fn new(header: ThreadHeader, last_event: LastEvent) -> Self {
        let ThreadHeader { status, run, entrypoint, execution, head, asking, .. } = header;
        let interrupts = match &status {
            ThreadStatus::Interrupted(open) => open.clone(),
            ThreadStatus::Running => asking,
            _ => Vec::new(),
        };
        Self {
            status,
            run,
            entrypoint,
            root: execution.map(CallId::root),
            checkpoint: head,
            interrupts: OpenInterrupt::all(interrupts),
            updated_at: header.updated_at,
            last_event,
        }
    }
}

impl Thread {
    /// What the thread is doing; none if it has never run.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub async fn overview(&self) -> Result<Option<ThreadOverview>> {
        let found = self.header_record().await?;
        Ok(found.map(|(header, last_event)| ThreadOverview::new(header, last_event)))
    }

    /// What the thread is doing with its state, as of one moment, and with those of tasks that are
    /// graphs ([`TaskState::state`](crate::TaskState::state)); none if it has never run.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub async fn overview_and_state(&self) -> Result<Option<(ThreadOverview, StateSnapshot)>> {
        let Some((header, last_event, head)) = self.header_and_head().await? else {
            return Ok(None);
        };
        let overview = ThreadOverview::new(header.clone(), last_event);
        Ok(Some((overview, state::live(header, head, true))))
    }
}
