use std::sync::Arc;

use rethread_core::header::ThreadStatus;
use rethread_core::ids::{CheckpointId, InterruptId, RunId, ThreadId};
use rethread_sdk::{EntrypointRef, Value};
use serde::Serialize;

use crate::blocking::request::{EphemeralRequest, Request, UpdateRequest};
use crate::blocking::run::RunHandle;
use crate::blocking::runtime::OwnRuntime;
use crate::command::CommandInput;
use crate::error::Result;
use crate::history::HistoryQuery;
use crate::state::StateSnapshot;
use crate::value::AnyValue;

/// One thread; see [`Thread`](crate::Thread). What waits for the storage gives
/// [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime) where a runtime runs.
#[derive(Debug, Clone)]
pub struct Thread {
    thread: crate::Thread,
    runtime: Arc<OwnRuntime>,
}

impl Thread {
    pub(super) fn new(thread: crate::Thread, runtime: Arc<OwnRuntime>) -> Self {
        Self { thread, runtime }
    }

    fn request<O: Send + 'static>(&self, request: crate::Request<O>) -> Request<O> {
        Request::new(request, Arc::clone(&self.runtime))
    }

    /// Its id.
    pub fn id(&self) -> &ThreadId {
        self.thread.id()
    }

    /// Runs an entrypoint with an input.
    pub fn invoke<I: Value, O: Value>(
        &self,
        entrypoint: impl Into<EntrypointRef<I, O>>,
        input: I,
    ) -> Request<O> {
        self.request(self.thread.invoke(entrypoint, input))
    }

    /// Runs the entrypoint of this name with a JSON input; the result is JSON.
    pub fn invoke_json(
        &self,
        entrypoint: impl AsRef<str>,
        input: &serde_json::Value,
    ) -> Request<serde_json::Value> {
        self.request(self.thread.invoke_json(entrypoint, input))
    }

    /// Answers the only open question of the thread and goes on.
    pub fn resume(&self, answer: impl Serialize) -> Request<AnyValue> {
        self.request(self.thread.resume(answer))
    }

    /// Answers open questions by their ids and goes on.
    pub fn resume_by_id<V: Serialize>(
        &self,
        answers: impl IntoIterator<Item = (InterruptId, V)>,
    ) -> Request<AnyValue> {
        self.request(self.thread.resume_by_id(answers))
    }

    /// Answers open questions with JSON and goes on; see
    /// [`Thread::resume_json`](crate::Thread::resume_json).
    pub fn resume_json(&self, answer: &serde_json::Value) -> Request<serde_json::Value> {
        self.request(self.thread.resume_json(answer))
    }

    /// Goes on with a graph, with a command for the step that it is at; see
    /// [`Thread::command`](crate::Thread::command).
    pub fn command(&self, command: CommandInput) -> Request<AnyValue> {
        self.request(self.thread.command(command))
    }

    /// Goes on with what the thread has left to do.
    pub fn retry(&self) -> Request<AnyValue> {
        self.request(self.thread.retry())
    }

    /// A run of the thread that was asked for before, here or elsewhere.
    pub fn run(&self, run: RunId) -> RunHandle<AnyValue> {
        RunHandle::new(self.thread.run(run), Arc::clone(&self.runtime))
    }

    /// The run that is in progress or ended last; none if the thread has never run.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub fn latest_run(&self) -> Result<Option<RunHandle<AnyValue>>> {
        let run = self.runtime.block_on(self.thread.latest_run())??;
        Ok(run.map(|run| RunHandle::new(run, Arc::clone(&self.runtime))))
    }

    /// What the thread is doing; none if it has never run.
    ///
    /// # Errors
    /// As [`Thread::status`](crate::Thread::status).
    pub fn status(&self) -> Result<Option<ThreadStatus>> {
        self.runtime.block_on(self.thread.status())?
    }

    /// The state of the thread as it is now; none if it has never run.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub fn state(&self) -> Result<Option<StateSnapshot>> {
        self.runtime.block_on(self.thread.state())?
    }

    /// The state of the thread as it is now, with those of tasks that are graphs; see
    /// [`StateQuery::subgraphs`](crate::StateQuery::subgraphs).
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub fn state_with_subgraphs(&self) -> Result<Option<StateSnapshot>> {
        self.runtime.block_on(self.thread.state().subgraphs(true))?
    }

    /// The record of the step that started at a checkpoint.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub fn state_at(&self, checkpoint: CheckpointId) -> Result<Option<StateSnapshot>> {
        self.runtime.block_on(self.thread.state_at(checkpoint))?
    }

    /// The records of the steps of the thread that a query asks for, newest first.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub fn history(&self, query: HistoryQuery) -> Result<Vec<StateSnapshot>> {
        self.runtime.block_on(self.thread.history(query))?
    }

    /// Edits the state; see [`Thread::update_state`](crate::Thread::update_state).
    pub fn update_state(&self, values: impl Serialize) -> UpdateRequest {
        UpdateRequest::new(self.thread.update_state(values), Arc::clone(&self.runtime))
    }

    /// Makes a checkpoint the newest again; see [`Thread::fork`](crate::Thread::fork).
    ///
    /// # Errors
    /// As there.
    pub fn fork(&self, checkpoint: CheckpointId) -> Result<CheckpointId> {
        self.runtime.block_on(self.thread.fork(checkpoint))?
    }

    /// Stops the run in progress; see [`Thread::cancel`](crate::Thread::cancel).
    ///
    /// # Errors
    /// As there.
    pub fn cancel(&self) -> Result<()> {
        self.runtime.block_on(self.thread.cancel())?
    }

    /// Stops the run in progress and takes it back; see
    /// [`Thread::roll_back`](crate::Thread::roll_back).
    ///
    /// # Errors
    /// As there.
    pub fn roll_back(&self) -> Result<()> {
        self.runtime.block_on(self.thread.roll_back())?
    }

    /// Removes the thread; see [`Thread::delete`](crate::Thread::delete).
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self) -> Result<()> {
        self.runtime.block_on(self.thread.delete())?
    }

    /// Removes checkpoints but the newest `keep`; see [`Thread::prune`](crate::Thread::prune).
    ///
    /// # Errors
    /// As there.
    pub fn prune(&self, keep: usize) -> Result<()> {
        self.runtime.block_on(self.thread.prune(keep))?
    }

    /// Copies the thread; see [`Thread::copy_to`](crate::Thread::copy_to).
    ///
    /// # Errors
    /// As there.
    pub fn copy_to(&self, id: impl AsRef<str>) -> Result<Self> {
        let copy = self.runtime.block_on(self.thread.copy_to(id))??;
        Ok(Self::new(copy, Arc::clone(&self.runtime)))
    }
}

/// Runs of which nothing is kept; see [`Ephemeral`](crate::Ephemeral).
#[derive(Debug, Clone)]
pub struct Ephemeral {
    ephemeral: crate::Ephemeral,
    runtime: Arc<OwnRuntime>,
}

impl Ephemeral {
    pub(super) fn new(ephemeral: crate::Ephemeral, runtime: Arc<OwnRuntime>) -> Self {
        Self { ephemeral, runtime }
    }

    /// Runs an entrypoint with an input.
    pub fn invoke<I: Value, O: Value>(
        &self,
        entrypoint: impl Into<EntrypointRef<I, O>>,
        input: I,
    ) -> EphemeralRequest<O> {
        let request = self.ephemeral.invoke(entrypoint, input);
        EphemeralRequest::new(request, Arc::clone(&self.runtime))
    }

    /// Runs the entrypoint of this name with a JSON input; the result is JSON.
    pub fn invoke_json(
        &self,
        entrypoint: impl AsRef<str>,
        input: &serde_json::Value,
    ) -> EphemeralRequest<serde_json::Value> {
        let request = self.ephemeral.invoke_json(entrypoint, input);
        EphemeralRequest::new(request, Arc::clone(&self.runtime))
    }
}
