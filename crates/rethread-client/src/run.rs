use std::fmt;
use std::time::Duration;

use rethread_core::event::{Event, EventKind, RunOutcome};
use rethread_core::ids::{CheckpointId, RunId};
use rethread_core::message::Cancel;
use rethread_core::payload::{Payload, PayloadError};
use serde::de::DeserializeOwned;

use crate::error::{ClientError, Result};
use crate::events::{EventReader, EventStream, RunEnd};
use crate::json;
use crate::outcome::{Outcome, conclude};
use crate::search;
use crate::stream::{Cursor, Mode, RunStream};
use crate::thread::Thread;
use crate::value::AnyValue;

/// How a result is read.
pub(crate) struct Decode<O> {
    /// The text names the value in errors.
    read: fn(Payload, String) -> Result<O, PayloadError>,
    /// Whether what is read keeps the text, so that it is needed for more than an error.
    keeps_name: bool,
}

impl<O: DeserializeOwned> Decode<O> {
    pub(crate) fn typed() -> Self {
        Self { read: |payload, what| payload.decode(what), keeps_name: false }
    }
}

impl Decode<AnyValue> {
    pub(crate) fn untyped() -> Self {
        Self { read: |payload, what| Ok(AnyValue::new(payload, what)), keeps_name: true }
    }
}

impl Decode<serde_json::Value> {
    pub(crate) fn json() -> Self {
        Self { read: |payload, what| json::from_payload(&payload, what), keeps_name: false }
    }
}

impl<O> Clone for Decode<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Decode<O> {}

/// A run that was asked for. It goes on without the handle.
pub struct RunHandle<O> {
    thread: Thread,
    run: RunId,
    decode: Decode<O>,
}

impl RunHandle<AnyValue> {
    pub(crate) fn untyped(thread: Thread, run: RunId) -> Self {
        Self::new(thread, run, Decode::untyped())
    }
}

impl<O> RunHandle<O> {
    pub(crate) fn new(thread: Thread, run: RunId, decode: Decode<O>) -> Self {
        Self { thread, run, decode }
    }

    /// The id of the run; with the thread's id it finds the run again ([`Thread::run`]).
    pub fn run_id(&self) -> RunId {
        self.run
    }

    /// The thread it runs on.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Gives the result its type: that of the entrypoint's result.
    pub fn typed<T: DeserializeOwned>(self) -> RunHandle<T> {
        RunHandle::new(self.thread, self.run, Decode::typed())
    }

    /// Gives the result as JSON; see [`crate::json`] for values that JSON does not have.
    pub fn json(self) -> RunHandle<serde_json::Value> {
        RunHandle::new(self.thread, self.run, Decode::json())
    }

    /// Waits for the end of the run, or of the run in progress that its answers were given to.
    /// May be called any number of times, also after the end, for as long as the storage keeps
    /// the run's events.
    ///
    /// It waits for as long as it takes. Without a coordinator for the namespace a run that was
    /// accepted does not start: after ten seconds that is logged as a warning, once, and
    /// [`RunHandle::wait_for`] sets a limit. A run that is not young any more and stands nowhere
    /// is not waited for: its events are gone, or it never was.
    ///
    /// # Errors
    /// Every end but a result and questions: [`ClientError::RunFailed`],
    /// [`ClientError::ReplayMismatch`], [`ClientError::Cancelled`], [`ClientError::Refused`].
    /// [`ClientError::Payload`] when the result is not an `O`, [`ClientError::EventsGone`] when
    /// the events are no longer stored, [`ClientError::Storage`] when the storage cannot be
    /// reached.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing; the run goes on.
    pub async fn wait(&self) -> Result<Outcome<O>> {
        let mut run = self.run;
        let RunEnd { outcome, stopped } = loop {
            match RunEnd::of(&self.thread, run).await? {
                RunEnd { outcome: RunOutcome::Joined(joined), .. } => run = joined,
                end => break end,
            }
        };
        Ok(match conclude(self.run, outcome, stopped)? {
            Outcome::Done(value) => Outcome::Done(self.decode_result(run, value).await?),
            Outcome::Interrupted(asks) => Outcome::Interrupted(asks),
        })
    }

    /// Reads the result of a run. What it is called stands at the other end of the log, so that is
    /// read only if somebody gets to see it.
    async fn decode_result(&self, run: RunId, value: Payload) -> Result<O> {
        let Decode { read, keeps_name } = self.decode;
        if !keeps_name && let Ok(decoded) = read(value.clone(), String::new()) {
            return Ok(decoded);
        }
        let what = match EventReader::new(self.thread.clone(), run, 0).next().await? {
            Some(Event { kind: EventKind::RunStarted { entrypoint, .. }, .. }) => {
                format!("result of entrypoint `{entrypoint}`")
            }
            _ => format!("result of run {run}"),
        };
        Ok(read(value, what)?)
    }

    /// Waits for the end of the run, but not for longer than `limit`.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] when the run has not ended by then, and as [`RunHandle::wait`].
    pub async fn wait_for(&self, limit: Duration) -> Result<Outcome<O>> {
        let timeout = || ClientError::Timeout { run: self.run, waited: limit };
        tokio::time::timeout(limit, self.wait()).await.map_err(|_| timeout())?
    }

    /// Stops the run, in progress or waiting for its turn: what it has recorded is kept, and a
    /// retry of the thread goes on with it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with [`Refusal::NotRunning`](crate::Refusal::NotRunning) when it
    /// has ended or was never accepted; [`ClientError::Storage`] and
    /// [`ClientError::Unconfirmed`] when the storage cannot be reached.
    pub async fn cancel(&self) -> Result<()> {
        self.thread.stop(Cancel { run: Some(self.run), roll_back: false }).await
    }

    /// Stops the run and puts the thread back to where it was before it.
    ///
    /// # Errors
    /// As [`RunHandle::cancel`].
    pub async fn roll_back(&self) -> Result<()> {
        self.thread.stop(Cancel { run: Some(self.run), roll_back: true }).await
    }

    /// All events of the run, from the first, as they happen.
    pub fn events(&self) -> EventStream {
        self.events_from(0)
    }

    /// The events of the run with numbers greater than `after`, as they happen: what a reader
    /// missed that has seen those up to `after`.
    pub fn events_from(&self, after: u64) -> EventStream {
        EventStream::new(self.reader(after))
    }

    /// What happens in the run, from its start, in the chosen modes. Events of child entrypoints
    /// are shown if [`RunStream::subgraphs`] is set.
    pub fn stream(&self, modes: impl IntoIterator<Item = Mode>) -> RunStream<O> {
        self.stream_from(modes, Cursor::START)
    }

    /// What happens in the run behind a [`RunStream::cursor`], in the chosen modes.
    ///
    /// The cursor may come from another client, or another process. That the storage or the
    /// coordinators are away for a while is waited for
    /// ([`ClientOptions::retry_for`](crate::ClientOptions::retry_for)); nothing is lost by it, and
    /// nothing comes twice.
    pub fn stream_from(
        &self,
        modes: impl IntoIterator<Item = Mode>,
        cursor: Cursor,
    ) -> RunStream<O> {
        RunStream::new(self.clone(), modes.into_iter().collect(), cursor)
    }

    /// Whether something is known of the run: it was accepted, is in progress, or has events. Of
    /// one that was just asked for, or whose thread has very many requests waiting, it may say yes
    /// also where there is nothing.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub async fn is_known(&self) -> Result<bool> {
        search::stands_somewhere(&self.thread, self.run).await
    }

    /// Waits for the end of an edit: the checkpoint that it made, if any.
    pub(crate) async fn edited(&self) -> Result<Option<CheckpointId>> {
        match RunEnd::of(&self.thread, self.run).await?.outcome {
            RunOutcome::Edited(checkpoint) => Ok(checkpoint),
            outcome => {
                let unknown = ClientError::Unknown { what: "the end of the edit" };
                conclude(self.run, outcome, None).and(Err(unknown))
            }
        }
    }

    pub(crate) fn reader(&self, after: u64) -> EventReader {
        EventReader::new(self.thread.clone(), self.run, after)
    }
}

impl<O> Clone for RunHandle<O> {
    fn clone(&self) -> Self {
        Self::new(self.thread.clone(), self.run, self.decode)
    }
}

impl<O> fmt::Debug for RunHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle")
            .field("thread", self.thread.id())
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
