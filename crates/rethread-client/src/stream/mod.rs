//! The events of a run as LangGraph's stream modes show them.

mod cursor;
mod event;
mod held;
mod mapping;
mod scopes;
mod view;
mod writes;
mod written;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::{self, BoxStream};

use crate::error::Result;
use crate::run::RunHandle;

pub use cursor::Cursor;
pub use event::{DebugKind, Mode, StreamData, StreamEvent, TaskEnd};
use mapping::Mapping;
use view::View;

/// What happens in a run, as it happens, in the chosen modes.
///
/// A resume that answers a question of a run in progress shows that run, from its start.
///
/// It ends when the run has a result or questions; every other end of the run is its last item,
/// an error. [`RunStream::run`] gives the outcome in full.
///
/// It ends behind an error of the storage too; [`RunHandle::stream_from`] goes on from
/// [`RunStream::cursor`]. Dropping it does not stop the run.
#[must_use = "a stream does nothing until it is polled"]
pub struct RunStream<O> {
    run: RunHandle<O>,
    view: View,
    cursor: Cursor,
    /// Made when the stream is first polled.
    events: Option<BoxStream<'static, Result<StreamEvent>>>,
}

impl<O> RunStream<O> {
    pub(crate) fn new(run: RunHandle<O>, modes: Vec<Mode>, cursor: Cursor) -> Self {
        Self { run, view: View::new(modes), cursor, events: None }
    }

    /// Shows the events of child entrypoints as well; [`StreamEvent::ns`] tells them apart. No
    /// effect once the stream was polled.
    pub fn subgraphs(mut self, subgraphs: bool) -> Self {
        self.view.subgraphs = subgraphs;
        self
    }

    /// Shows no checkpoints: those of a thread that nobody can come back to.
    pub(crate) fn without_checkpoints(mut self) -> Self {
        self.view.checkpoints = false;
        self
    }

    /// The run.
    pub fn run(&self) -> &RunHandle<O> {
        &self.run
    }

    /// Where a new stream goes on, behind what was given out so far: nothing is lost, and nothing
    /// comes twice.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }
}

impl<O> Stream for RunStream<O> {
    type Item = Result<StreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { run, view, cursor, events } = &mut *self;
        let events = events.get_or_insert_with(|| {
            let mapping = Mapping::new(run, *cursor, view.clone());
            let next = |mut mapping: Mapping| async move {
                Ok(mapping.next().await?.map(|event| (event, mapping)))
            };
            Box::pin(stream::try_unfold(mapping, next))
        });
        let polled = events.as_mut().poll_next(context);
        if let Poll::Ready(Some(Ok(event))) = &polled {
            *cursor = event.cursor;
        }
        polled
    }
}

impl<O> fmt::Debug for RunStream<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunStream")
            .field("run", &self.run)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
