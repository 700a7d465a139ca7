use serde::Serialize;

use rethread_core::ids::{CallId, InterruptId, Millis, RunId};

use crate::admin::OwnerInfo;

/// Why a thread does not go on, or what it is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The thread.
    pub thread: String,
    /// Its partition.
    pub partition: u16,
    /// Who owns the partition; none: nobody.
    pub owner: Option<OwnerInfo>,
    /// What the thread is doing, in one word; none if it has never run.
    pub status: Option<String>,
    /// The run that is in progress or ended last.
    pub run: Option<RunId>,
    /// The entrypoint of that run.
    pub entrypoint: Option<String>,
    /// What it waits for: the most telling first. Never empty.
    pub findings: Vec<Finding>,
}

/// One thing that a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Which kind of thing.
    pub kind: FindingKind,
    /// What, in one line for people.
    pub text: String,
    /// What to do about it; none: nothing, it goes on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The run that it is about, if it is another one than the thread's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The call that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The name of the task or entrypoint that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The queue of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The worker that has the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The question that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupt: Option<InterruptId>,
    /// When it goes on, in milliseconds since 1970.
    #[serde(rename = "at_ms", skip_serializing_if = "Option::is_none")]
    pub at: Option<Millis>,
}

/// What a thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// No coordinator owns its partition.
    NoOwner,
    /// The owner of its partition does not answer.
    OwnerSilent,
    /// Its partition has more to do than may wait.
    Overloaded,
    /// A stored record of it cannot be read.
    Unloadable,
    /// The code no longer fits its journal.
    Parked,
    /// Its last run failed.
    Failed,
    /// A replay waits for something outside of the engine.
    StuckReplay,
    /// No worker serves the queue of a task.
    NoWorker,
    /// No worker of the queue has the task.
    UnknownTask,
    /// The worker that has a task is silent.
    WorkerSilent,
    /// A task is neither queued nor with a worker.
    OrderMissing,
    /// A person is to answer.
    Question,
    /// A task waits in its queue.
    Queued,
    /// A task runs.
    Running,
    /// As many tasks of the run are in flight as may be.
    ConcurrencyLimit,
    /// A task is tried again later.
    Retry,
    /// It sleeps.
    Sleeping,
    /// The store or the cache is asked.
    Storage,
    /// A body waits for something that lives in the process of the coordinator.
    Local,
    /// Its own code, or something that is not durable.
    Body,
    /// A result is taken in.
    Delivery,
    /// Other runs wait for the one in progress.
    WaitingRuns,
    /// More is open than is shown.
    More,
    /// An edit left an input that has not been run.
    Pending,
    /// Its last run was cancelled.
    Cancelled,
    /// Nothing: its last run has completed.
    Idle,
    /// Nothing: it has never run.
    NeverRan,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            advice: None,
            run: None,
            call: None,
            name: None,
            queue: None,
            worker: None,
            interrupt: None,
            at: None,
        }
    }

    pub(super) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}
