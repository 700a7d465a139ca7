//! The events of a run as LangGraph's stream modes show them.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::{self, BoxStream};
use rethread_core::event::{Event, EventKind, Interrupt, RunOutcome};
use rethread_core::failure::Failure;
use rethread_core::ids::{CallId, CheckpointId, ExecutionId};
use rethread_core::payload::Payload;

use crate::error::Result;
use crate::events::EventReader;
use crate::outcome::{OpenInterrupt, conclude};
use crate::run::RunHandle;
use crate::value::AnyValue;

/// Which events a stream shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// The result of each task and entrypoint when it ends well, and questions. Results that
    /// are replayed are not shown.
    Updates,
    /// The result of the run, or its questions; a resume and a retry begin with the value that
    /// the thread has.
    Values,
    /// What bodies write.
    Custom,
    /// The start and the end of each task and entrypoint. A replayed call shows its start only.
    Tasks,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A task or entrypoint gave its result ([`Mode::Updates`]).
    Update {
        /// The call.
        call: CallId,
        /// Name of the task or entrypoint.
        name: String,
        /// The result.
        value: AnyValue,
    },
    /// The run waits for answers ([`Mode::Updates`] or [`Mode::Values`]; once for both).
    Interrupted(Vec<OpenInterrupt>),
    /// The value of the thread ([`Mode::Values`]).
    Value(AnyValue),
    /// A body wrote to the custom stream ([`Mode::Custom`]).
    Custom {
        /// The task call that wrote, or none for the entrypoint's own body.
        call: Option<CallId>,
        /// The attempt of that call.
        attempt: u32,
        /// What it wrote.
        value: AnyValue,
    },
    /// A call was made ([`Mode::Tasks`]).
    TaskStarted {
        /// The call.
        call: CallId,
        /// Name of the task or entrypoint.
        name: String,
        /// The input: an array of the arguments for a task.
        input: AnyValue,
    },
    /// A call came to its end ([`Mode::Tasks`]).
    TaskFinished {
        /// The call.
        call: CallId,
        /// Name of the task or entrypoint.
        name: String,
        /// How it ended.
        end: TaskEnd,
    },
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TaskEnd {
    /// With a result.
    Result(AnyValue),
    /// With a failure.
    Failed(Failure),
    /// With questions; only the entrypoint of the run.
    Interrupted(Vec<OpenInterrupt>),
}

/// What happens in a run, as it happens, in the chosen modes.
///
/// It ends when the run has a result or questions; every other end of the run is its last item,
/// an error. [`RunStream::run`] gives the outcome in full.
///
/// It ends behind an error of the storage too; [`RunHandle::stream_from`] goes on from
/// [`RunStream::cursor`]. Dropping it does not stop the run.
#[must_use = "a stream does nothing until it is polled"]
pub struct RunStream<O> {
    run: RunHandle<O>,
    cursor: u64,
    events: BoxStream<'static, Result<(u64, StreamEvent)>>,
}

impl<O> RunStream<O> {
    pub(crate) fn new(run: RunHandle<O>, reader: EventReader, modes: Vec<Mode>) -> Self {
        let cursor = reader.after();
        let mapping = Mapping { reader, modes, shown: VecDeque::new(), begun: None, end: Ok(()) };
        let next = |mut mapping: Mapping| async move {
            Ok(mapping.next().await?.map(|event| (event, mapping)))
        };
        Self { run, cursor, events: Box::pin(stream::try_unfold(mapping, next)) }
    }

    /// The run.
    pub fn run(&self) -> &RunHandle<O> {
        &self.run
    }

    /// Where a new stream goes on: number of the last event of the run that was given out whole.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }
}

impl<O> Stream for RunStream<O> {
    type Item = Result<StreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.as_mut().poll_next(context).map(|item| {
            let (cursor, event) = match item? {
                Ok(shown) => shown,
                Err(error) => return Some(Err(error)),
            };
            self.cursor = cursor;
            Some(Ok(event))
        })
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

/// From the events of the log to those of the modes.
struct Mapping {
    reader: EventReader,
    modes: Vec<Mode>,
    /// What the last event of the log shows, each with the cursor behind it.
    shown: VecDeque<(u64, StreamEvent)>,
    /// The entrypoint of the run.
    begun: Option<Begun>,
    /// The error that the stream ends with once everything is shown.
    end: Result<()>,
}

/// What is known of the entrypoint of a run.
#[derive(Clone)]
struct Begun {
    call: CallId,
    name: String,
    input: Payload,
    /// The value of the thread, if the run continues an execution.
    continued: Option<Payload>,
}

impl Mapping {
    async fn next(&mut self) -> Result<Option<(u64, StreamEvent)>> {
        loop {
            if let Some(shown) = self.shown.pop_front() {
                return Ok(Some(shown));
            }
            std::mem::replace(&mut self.end, Ok(()))?;
            let Some(event) = self.reader.next().await? else { return Ok(None) };
            let seq = event.seq;
            let shown = self.map(event).await?;
            // A cursor behind a part of an event would skip the rest of it.
            let last = shown.len().saturating_sub(1);
            let cursor = |place| if place == last { seq } else { seq - 1 };
            self.shown = shown
                .into_iter()
                .enumerate()
                .map(|(place, event)| (cursor(place), event))
                .collect();
        }
    }

    fn shows(&self, mode: Mode) -> bool {
        self.modes.contains(&mode)
    }

    async fn map(&mut self, event: Event) -> Result<Vec<StreamEvent>> {
        match event.kind {
            EventKind::RunStarted { entrypoint, checkpoint, .. } => {
                self.started(entrypoint, checkpoint).await
            }
            EventKind::CallStarted { call, name, input, .. } => {
                let what = format!("input of `{name}`");
                let input = AnyValue::new(input, what);
                Ok(self.only(Mode::Tasks, StreamEvent::TaskStarted { call, name, input }))
            }
            EventKind::Updated { call, name, value } => Ok(self.updated(call, name, value)),
            EventKind::CallFailed { call, name, failure } => {
                let end = TaskEnd::Failed(failure);
                Ok(self.only(Mode::Tasks, StreamEvent::TaskFinished { call, name, end }))
            }
            EventKind::Custom { call, attempt, value } => {
                let value = AnyValue::new(value, "custom event");
                Ok(self.only(Mode::Custom, StreamEvent::Custom { call, attempt, value }))
            }
            EventKind::RunEnded(outcome) => self.ended(outcome).await,
            _ => Ok(Vec::new()),
        }
    }

    fn only(&self, mode: Mode, event: StreamEvent) -> Vec<StreamEvent> {
        if self.shows(mode) { vec![event] } else { Vec::new() }
    }

    async fn started(
        &mut self,
        entrypoint: String,
        checkpoint: CheckpointId,
    ) -> Result<Vec<StreamEvent>> {
        if !self.shows(Mode::Tasks) && !self.shows(Mode::Values) {
            return Ok(Vec::new());
        }
        let Some(begun) = self.begin(entrypoint, checkpoint).await? else { return Ok(Vec::new()) };
        let mut shown = Vec::new();
        if let Some(value) = begun.continued {
            let what = format!("value of entrypoint `{}`", begun.name);
            shown.extend(self.only(Mode::Values, StreamEvent::Value(AnyValue::new(value, what))));
        }
        let input = AnyValue::new(begun.input, format!("input of `{}`", begun.name));
        let started = StreamEvent::TaskStarted { call: begun.call, name: begun.name, input };
        shown.extend(self.only(Mode::Tasks, started));
        Ok(shown)
    }

    /// Learns of the entrypoint from the checkpoint that the run works on.
    async fn begin(&mut self, name: String, checkpoint: CheckpointId) -> Result<Option<Begun>> {
        let Some(checkpoint) = self.reader.thread().read_checkpoint(checkpoint).await? else {
            return Ok(None);
        };
        let is_continued = checkpoint.run != self.reader.run();
        let begun = Begun {
            call: CallId::root(ExecutionId::from(checkpoint.run)),
            name,
            input: checkpoint.input.unwrap_or_default(),
            continued: is_continued.then_some(checkpoint.values),
        };
        self.begun = Some(begun.clone());
        Ok(Some(begun))
    }

    /// The entrypoint, also if the stream began behind its start.
    async fn begun(&mut self) -> Result<Option<Begun>> {
        if self.begun.is_none()
            && let Some(first) = self.reader.first().await?
            && let EventKind::RunStarted { entrypoint, checkpoint, .. } = first.kind
        {
            return self.begin(entrypoint, checkpoint).await;
        }
        Ok(self.begun.clone())
    }

    fn updated(&self, call: CallId, name: String, value: Payload) -> Vec<StreamEvent> {
        let value = AnyValue::new(value, format!("result of `{name}`"));
        let update = StreamEvent::Update { call, name: name.clone(), value: value.clone() };
        let end = TaskEnd::Result(value);
        let mut shown = self.only(Mode::Updates, update);
        shown.extend(self.only(Mode::Tasks, StreamEvent::TaskFinished { call, name, end }));
        shown
    }

    async fn ended(&mut self, outcome: RunOutcome) -> Result<Vec<StreamEvent>> {
        match outcome {
            RunOutcome::Done(value) => {
                let value = AnyValue::new(value, "result of the run");
                Ok(self.only(Mode::Values, StreamEvent::Value(value)))
            }
            RunOutcome::Interrupted(open) => self.interrupted(open).await,
            RunOutcome::Failed(failure) => {
                let shown = self.finished(TaskEnd::Failed(failure.clone())).await?;
                self.end = conclude(RunOutcome::Failed(failure)).map(drop);
                Ok(shown)
            }
            other => {
                self.end = conclude(other).map(drop);
                Ok(Vec::new())
            }
        }
    }

    async fn interrupted(&mut self, open: Vec<Interrupt>) -> Result<Vec<StreamEvent>> {
        let open = OpenInterrupt::all(open);
        let mut shown = Vec::new();
        if self.shows(Mode::Updates) || self.shows(Mode::Values) {
            shown.push(StreamEvent::Interrupted(open.clone()));
        }
        shown.extend(self.finished(TaskEnd::Interrupted(open)).await?);
        Ok(shown)
    }

    /// The end of the entrypoint, which has no event of its own but for a result.
    async fn finished(&mut self, end: TaskEnd) -> Result<Vec<StreamEvent>> {
        if !self.shows(Mode::Tasks) {
            return Ok(Vec::new());
        }
        let Some(Begun { call, name, .. }) = self.begun().await? else { return Ok(Vec::new()) };
        Ok(vec![StreamEvent::TaskFinished { call, name, end }])
    }
}
