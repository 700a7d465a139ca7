use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;

use futures::future::BoxFuture;
use rethread_core::ids::RunId;
use rethread_core::message::{Action, Command};
use rethread_core::payload::{Payload, PayloadError};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::Result;
use crate::outcome::Outcome;
use crate::run::{Decode, RunHandle};
use crate::scalar::Scalar;
use crate::stream::{Mode, RunStream};
use crate::thread::Thread;
use crate::value::AnyValue;

/// A request to run something on a thread. Nothing happens until it is
///
/// * awaited: sends it and waits for the [`Outcome`],
/// * [started](Request::start): sends it and gives the [`RunHandle`], or
/// * [streamed](Request::stream): sends it and gives the events as they happen.
///
/// What could not be encoded is an error of these.
///
/// # Cancel safety
/// A run that was asked for goes on when the future is dropped; [`Request::run_id`] names it
/// beforehand, so that it can be found again.
#[must_use = "a request does nothing until it is awaited, started or streamed"]
pub struct Request<O> {
    thread: Thread,
    run: RunId,
    command: Result<(Action, BTreeMap<String, Payload>), PayloadError>,
    decode: Decode<O>,
}

impl<O: DeserializeOwned> Request<O> {
    pub(crate) fn typed_as(thread: Thread, action: Result<Action, PayloadError>) -> Self {
        Self::new(thread, action, Decode::typed())
    }
}

impl Request<AnyValue> {
    pub(crate) fn untyped(thread: Thread, action: Result<Action, PayloadError>) -> Self {
        Self::new(thread, action, Decode::untyped())
    }
}

impl<O> Request<O> {
    fn new(thread: Thread, action: Result<Action, PayloadError>, decode: Decode<O>) -> Self {
        let run = RunId::from_uuid(Uuid::now_v7());
        Self { thread, run, command: action.map(|action| (action, BTreeMap::new())), decode }
    }

    /// Gives the result its type: that of the entrypoint's result.
    pub fn typed<T: DeserializeOwned>(self) -> Request<T> {
        let Self { thread, run, command, .. } = self;
        Request { thread, run, command, decode: Decode::typed() }
    }

    /// Attaches a scalar to the checkpoints of a new execution; a resume and a retry keep those
    /// of the execution's start.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Scalar>) -> Self {
        let key = key.into();
        self.command = self.command.and_then(|(action, mut metadata)| {
            let value = value.into().to_payload(&key)?;
            metadata.insert(key, value);
            Ok((action, metadata))
        });
        self
    }

    /// Chooses the id of the run; a fresh UUID by default.
    ///
    /// A request with the same id on the same thread has its effect once, so a program that
    /// keeps the id may send the request again after a crash of its own: for at least ten
    /// minutes, and for longer while no other run has followed on the thread.
    pub fn run_id(mut self, run: RunId) -> Self {
        self.run = run;
        self
    }

    /// Sends the request. When it returns, the run is accepted: it goes on whatever happens to
    /// this program.
    ///
    /// A refusal is the outcome of the run, not an error here.
    ///
    /// # Errors
    /// [`ClientError::Payload`] when a value could not be encoded, [`ClientError::Storage`] or
    /// [`ClientError::Unconfirmed`] when the storage could not be reached in time.
    ///
    /// [`ClientError::Payload`]: crate::ClientError::Payload
    /// [`ClientError::Storage`]: crate::ClientError::Storage
    /// [`ClientError::Unconfirmed`]: crate::ClientError::Unconfirmed
    pub async fn start(self) -> Result<RunHandle<O>> {
        let Self { thread, run, command, decode } = self;
        let (action, metadata) = command?;
        let command = Command { thread: thread.id().clone(), run, metadata, action };
        thread.client().submit(command).await?;
        Ok(RunHandle::new(thread, run, decode))
    }

    /// Sends the request and streams what happens, in the chosen modes.
    ///
    /// # Errors
    /// As [`Request::start`]. How the run ends is told by the stream.
    pub async fn stream(self, modes: impl IntoIterator<Item = Mode>) -> Result<RunStream<O>> {
        let modes: Vec<_> = modes.into_iter().collect();
        Ok(self.start().await?.stream(modes))
    }
}

impl<O: Send + 'static> IntoFuture for Request<O> {
    type Output = Result<Outcome<O>>;
    type IntoFuture = BoxFuture<'static, Result<Outcome<O>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.start().await?.wait().await })
    }
}

impl<O> fmt::Debug for Request<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("thread", self.thread.id())
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
