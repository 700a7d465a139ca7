use std::sync::Arc;

use rethread_core::ids::{CheckpointId, RunId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blocking::run::{Events, RunHandle};
use crate::blocking::runtime::OwnRuntime;
use crate::error::Result;
use crate::outcome::Outcome;
use crate::scalar::Scalar;
use crate::stream::Mode;
use crate::{Multitask, RunDurability, RunStream};

/// Methods that set something in the request inside.
macro_rules! forwards {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*);)*) => {$(
        $(#[$doc])*
        pub fn $name(self, $($argument: $type),*) -> Self {
            Self { request: self.request.$name($($argument),*), ..self }
        }
    )*};
}

/// What can be said of any run.
macro_rules! describes_a_run {
    () => {
        forwards! {
            /// Attaches a fact to the run.
            metadata(key: impl Into<String>, value: impl Into<Scalar>);
            /// Gives the bodies of the run a value by name.
            configurable(key: impl Into<String>, value: impl Serialize);
            /// Adds a word to find the run by.
            tag(tag: impl Into<String>);
            /// Gives the bodies of the run a context object.
            context(context: impl Serialize);
            /// Limits how many tasks of the run are queued or running at a time.
            max_concurrency(max: u32);
            /// Limits the steps of a graph, or how deep calls may be nested.
            recursion_limit(max: u32);
            /// Lets the run of a graph pause before each step that runs one of these nodes.
            interrupt_before(nodes: impl IntoIterator<Item = impl Into<String>>);
            /// Lets the run of a graph pause after each step that ran one of these nodes.
            interrupt_after(nodes: impl IntoIterator<Item = impl Into<String>>);
        }
    };
}

/// A request to run something on a thread. Nothing happens until it is sent, started or
/// streamed. See [`Request`](crate::Request), also for the settings.
#[must_use = "a request does nothing until it is sent, started or streamed"]
#[derive(Debug)]
pub struct Request<O> {
    request: crate::Request<O>,
    runtime: Arc<OwnRuntime>,
}

impl<O: Send + 'static> Request<O> {
    pub(super) fn new(request: crate::Request<O>, runtime: Arc<OwnRuntime>) -> Self {
        Self { request, runtime }
    }

    describes_a_run!();

    forwards! {
        /// Chooses which checkpoints of the run are kept.
        durability(durability: RunDurability);
        /// Works from a checkpoint of the thread instead of the newest.
        at(checkpoint: CheckpointId);
        /// Chooses the id of the run.
        run_id(run: RunId);
        /// Chooses what happens if a run of the thread is in progress.
        multitask(strategy: Multitask);
        /// Takes the request as LangGraph does.
        lenient();
        /// Shows the events of child entrypoints in [`Request::stream`] as well.
        subgraphs(subgraphs: bool);
    }

    /// Gives the result its type: that of the entrypoint's result.
    pub fn typed<T: DeserializeOwned + Send + 'static>(self) -> Request<T> {
        Request { request: self.request.typed(), runtime: self.runtime }
    }

    /// Gives the result as JSON.
    pub fn json(self) -> Request<serde_json::Value> {
        Request { request: self.request.json(), runtime: self.runtime }
    }

    /// Sends the request and waits for the end of the run.
    ///
    /// # Errors
    /// As [`RunHandle::wait`] and [`Request::start`].
    pub fn send(self) -> Result<Outcome<O>> {
        self.runtime.block_on(self.request)?
    }

    /// Sends the request. When it returns, the run is accepted.
    ///
    /// # Errors
    /// As [`Request::start`](crate::Request::start), and
    /// [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime).
    pub fn start(self) -> Result<RunHandle<O>> {
        let run = self.runtime.block_on(self.request.start())??;
        Ok(RunHandle::new(run, self.runtime))
    }

    /// Sends the request and iterates over what happens, in the chosen modes.
    ///
    /// # Errors
    /// As [`Request::start`].
    pub fn stream(self, modes: impl IntoIterator<Item = Mode>) -> Result<Events<RunStream<O>>> {
        let events = self.runtime.block_on(self.request.stream(modes))??;
        Ok(Events::new(events, self.runtime))
    }
}

/// An edit of the state of a thread; see [`UpdateRequest`](crate::UpdateRequest).
#[must_use = "an edit does nothing until it is sent"]
#[derive(Debug)]
pub struct UpdateRequest {
    request: crate::UpdateRequest,
    runtime: Arc<OwnRuntime>,
}

impl UpdateRequest {
    pub(super) fn new(request: crate::UpdateRequest, runtime: Arc<OwnRuntime>) -> Self {
        Self { request, runtime }
    }

    forwards! {
        /// Attaches a fact to the checkpoint.
        metadata(key: impl Into<String>, value: impl Into<Scalar>);
        /// Attaches a value by name; the checkpoint shows texts, numbers and booleans.
        configurable(key: impl Into<String>, value: impl Serialize);
        /// Adds a word to find the edit by.
        tag(tag: impl Into<String>);
        /// Works from a checkpoint of the thread instead of the newest.
        at(checkpoint: CheckpointId);
        /// Chooses the id of the edit.
        run_id(run: RunId);
        /// In the name of the entrypoint, or of a node of the graph.
        as_node(name: impl AsRef<str>);
        /// As a new input.
        as_input();
        /// As the end: nothing remains to be done.
        as_end();
        /// As a copy of the checkpoint.
        copy();
        /// Adds an update of another node in the same step.
        and(values: impl Serialize, node: impl Into<String>);
        /// Edits the graph that a pending task is.
        within(path: impl IntoIterator<Item = impl Into<String>>);
        /// What the next execution finds as `previous`, where that differs from the value.
        save(save: impl Serialize);
        /// Names the entrypoint of a thread that has never run.
        entrypoint(name: impl Into<String>);
    }

    /// Makes the edit; gives the checkpoint that it made.
    ///
    /// # Errors
    /// As [`Thread::update_state`](crate::Thread::update_state), and
    /// [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime).
    pub fn send(self) -> Result<CheckpointId> {
        self.runtime.block_on(self.request)?
    }
}

/// A request to run something of which nothing is kept; see
/// [`EphemeralRequest`](crate::EphemeralRequest).
#[must_use = "a request does nothing until it is sent or streamed"]
#[derive(Debug)]
pub struct EphemeralRequest<O> {
    request: crate::EphemeralRequest<O>,
    runtime: Arc<OwnRuntime>,
}

impl<O: Send + 'static> EphemeralRequest<O> {
    pub(super) fn new(request: crate::EphemeralRequest<O>, runtime: Arc<OwnRuntime>) -> Self {
        Self { request, runtime }
    }

    describes_a_run!();

    forwards! {
        /// Shows the events of child entrypoints in [`EphemeralRequest::stream`] as well.
        subgraphs(subgraphs: bool);
    }

    /// Sends the request and waits for the end of the run.
    ///
    /// # Errors
    /// As [`RunHandle::wait`] and [`Request::start`].
    pub fn send(self) -> Result<Outcome<O>> {
        self.runtime.block_on(self.request)?
    }

    /// Sends the request and iterates over what happens, in the chosen modes.
    ///
    /// # Errors
    /// As [`Request::start`].
    pub fn stream(
        self,
        modes: impl IntoIterator<Item = Mode>,
    ) -> Result<Events<crate::EphemeralStream<O>>> {
        let events = self.runtime.block_on(self.request.stream(modes))??;
        Ok(Events::new(events, self.runtime))
    }
}
