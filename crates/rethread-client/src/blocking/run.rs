use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use rethread_core::ids::RunId;
use serde::de::DeserializeOwned;

use crate::RunStream;
use crate::blocking::runtime::OwnRuntime;
use crate::error::Result;
use crate::events::EventStream;
use crate::outcome::Outcome;
use crate::stream::{Cursor, Mode};

/// A run that was asked for. It goes on without the handle. See
/// [`RunHandle`](crate::RunHandle).
#[derive(Debug, Clone)]
pub struct RunHandle<O> {
    run: crate::RunHandle<O>,
    runtime: Arc<OwnRuntime>,
}

impl<O> RunHandle<O> {
    pub(super) fn new(run: crate::RunHandle<O>, runtime: Arc<OwnRuntime>) -> Self {
        Self { run, runtime }
    }

    /// The id of the run.
    pub fn run_id(&self) -> RunId {
        self.run.run_id()
    }

    /// Gives the result its type: that of the entrypoint's result.
    pub fn typed<T: DeserializeOwned>(self) -> RunHandle<T> {
        RunHandle { run: self.run.typed(), runtime: self.runtime }
    }

    /// Waits for the end of the run.
    ///
    /// # Errors
    /// As [`RunHandle::wait`](crate::RunHandle::wait), and
    /// [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime).
    pub fn wait(&self) -> Result<Outcome<O>> {
        self.runtime.block_on(self.run.wait())?
    }

    /// Waits for the end of the run, but not for longer than `limit`.
    ///
    /// # Errors
    /// As [`RunHandle::wait_for`](crate::RunHandle::wait_for), and
    /// [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime).
    pub fn wait_for(&self, limit: Duration) -> Result<Outcome<O>> {
        self.runtime.block_on(self.run.wait_for(limit))?
    }

    /// Stops the run; see [`RunHandle::cancel`](crate::RunHandle::cancel).
    ///
    /// # Errors
    /// As there.
    pub fn cancel(&self) -> Result<()> {
        self.runtime.block_on(self.run.cancel())?
    }

    /// Stops the run and takes it back; see [`RunHandle::roll_back`](crate::RunHandle::roll_back).
    ///
    /// # Errors
    /// As there.
    pub fn roll_back(&self) -> Result<()> {
        self.runtime.block_on(self.run.roll_back())?
    }

    /// All events of the run with numbers greater than `after`, as they happen.
    pub fn events_from(&self, after: u64) -> Events<EventStream> {
        Events::new(self.run.events_from(after), Arc::clone(&self.runtime))
    }

    /// What happens in the run behind a [`cursor`](crate::StreamEvent::cursor), in the chosen
    /// modes.
    pub fn stream_from(
        &self,
        modes: impl IntoIterator<Item = Mode>,
        cursor: Cursor,
    ) -> Events<RunStream<O>> {
        Events::new(self.run.stream_from(modes, cursor), Arc::clone(&self.runtime))
    }
}

/// Events, one after the other; each step waits for the next one. It ends behind an error.
#[derive(Debug)]
pub struct Events<S> {
    events: S,
    runtime: Arc<OwnRuntime>,
    is_over: bool,
}

impl<S> Events<S> {
    pub(super) fn new(events: S, runtime: Arc<OwnRuntime>) -> Self {
        Self { events, runtime, is_over: false }
    }
}

impl<O> Events<RunStream<O>> {
    /// Shows the events of child entrypoints as well. No effect once it has given an event.
    #[must_use]
    pub fn subgraphs(mut self, subgraphs: bool) -> Self {
        self.events = self.events.subgraphs(subgraphs);
        self
    }

    /// Where a new stream goes on; see [`RunStream::cursor`].
    pub fn cursor(&self) -> Cursor {
        self.events.cursor()
    }

    /// The run.
    pub fn run(&self) -> RunHandle<O> {
        RunHandle::new(self.events.run().clone(), Arc::clone(&self.runtime))
    }
}

impl<T, S: Stream<Item = Result<T>> + Unpin> Iterator for Events<S> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.is_over {
            return None;
        }
        let item = match self.runtime.block_on(self.events.next()) {
            Ok(item) => item,
            Err(error) => Some(Err(error)),
        };
        self.is_over = !matches!(item, Some(Ok(_)));
        item
    }
}
