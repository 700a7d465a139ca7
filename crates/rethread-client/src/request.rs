use std::fmt;
use std::future::IntoFuture;

use futures::future::BoxFuture;
use rethread_core::message::{Action, Multitask};
use rethread_core::payload::PayloadError;
use serde::de::DeserializeOwned;

use crate::draft::{Draft, describes_itself, names_a_checkpoint, sets_its_run};
use crate::error::Result;
use crate::outcome::Outcome;
use crate::run::{Decode, RunHandle};
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
/// ```no_run
/// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
/// use rethread_client::{EntrypointRef, Outcome, RunDurability};
///
/// let essay = EntrypointRef::<String, String>::named("essay");
/// let outcome = thread
///     .invoke(&essay, "cat".into())
///     .configurable("user_id", "ada")
///     .tag("nightly")
///     .context(serde_json::json!({"locale": "en"}))
///     .durability(RunDurability::Exit)
///     .await?;
/// if let Outcome::Done(text) = outcome {
///     println!("{text}");
/// }
/// // Once more from where the thread was before the newest run.
/// let states = thread.history(rethread_client::HistoryQuery::new().limit(3)).await?;
/// if let Some(older) = states.last() {
///     let _branch = thread.invoke(&essay, "dog".into()).at(older.checkpoint).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// A run that was asked for goes on when the future is dropped; [`Request::run_id`] names it
/// beforehand, so that it can be found again.
#[must_use = "a request does nothing until it is awaited, started or streamed"]
pub struct Request<O> {
    thread: Thread,
    draft: Draft,
    action: Result<Action, PayloadError>,
    subgraphs: bool,
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
        Self { thread, draft: Draft::new(), action, subgraphs: false, decode }
    }

    /// Gives the result its type: that of the entrypoint's result.
    pub fn typed<T: DeserializeOwned>(self) -> Request<T> {
        self.decoded(Decode::typed())
    }

    /// Gives the result as JSON; see [`crate::json`] for values that JSON does not have.
    pub fn json(self) -> Request<serde_json::Value> {
        self.decoded(Decode::json())
    }

    fn decoded<T>(self, decode: Decode<T>) -> Request<T> {
        let Self { thread, draft, action, subgraphs, .. } = self;
        Request { thread, draft, action, subgraphs, decode }
    }

    describes_itself!();
    names_a_checkpoint!();
    sets_its_run!();

    /// Chooses what happens if a run of the thread is in progress: the request is refused (the
    /// default), waits for its turn, or ends the run in progress. An answer to a question that
    /// the run in progress has open is given to it in any case.
    ///
    /// ```no_run
    /// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
    /// use rethread_client::{EntrypointRef, Multitask};
    ///
    /// let essay = EntrypointRef::<String, String>::named("essay");
    /// let run = thread.invoke(&essay, "dog".into()).multitask(Multitask::Enqueue).start().await?;
    /// let _outcome = run.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn multitask(mut self, strategy: Multitask) -> Self {
        self.draft.multitask = strategy;
        self
    }

    /// Takes the request as LangGraph does: a null input goes on with what the thread has left
    /// to do; answers to questions that are not open are passed over; an answer that nobody
    /// waits for changes nothing and gives the thread's value.
    pub fn lenient(mut self) -> Self {
        self.draft.is_lenient = true;
        self
    }

    /// Shows the events of child entrypoints in [`Request::stream`] as well.
    pub fn subgraphs(mut self, subgraphs: bool) -> Self {
        self.subgraphs = subgraphs;
        self
    }

    /// Sends the request. When it returns, the run is accepted: it goes on whatever happens to
    /// this program.
    ///
    /// A refusal is the outcome of the run, not an error here.
    ///
    /// # Errors
    /// [`ClientError::Payload`] when a value could not be encoded,
    /// [`ClientError::PayloadTooLarge`] when one is too large,
    /// [`ClientError::CheckpointNotFound`] when [`Request::at`] names no checkpoint,
    /// [`ClientError::Overloaded`] when too much waits already,
    /// [`ClientError::Storage`] or [`ClientError::Unconfirmed`] when the storage could not be
    /// reached in time.
    ///
    /// [`ClientError::Payload`]: crate::ClientError::Payload
    /// [`ClientError::PayloadTooLarge`]: crate::ClientError::PayloadTooLarge
    /// [`ClientError::CheckpointNotFound`]: crate::ClientError::CheckpointNotFound
    /// [`ClientError::Overloaded`]: crate::ClientError::Overloaded
    /// [`ClientError::Storage`]: crate::ClientError::Storage
    /// [`ClientError::Unconfirmed`]: crate::ClientError::Unconfirmed
    pub async fn start(self) -> Result<RunHandle<O>> {
        let Self { thread, draft, action, decode, .. } = self;
        let action = match action? {
            Action::Start { input, .. } if draft.is_lenient && input.is_null() => Action::Retry,
            action => action,
        };
        let run = draft.send(&thread, action).await?;
        Ok(RunHandle::new(thread, run, decode))
    }

    /// Sends the request and streams what happens, in the chosen modes.
    ///
    /// # Errors
    /// As [`Request::start`]. How the run ends is told by the stream.
    pub async fn stream(self, modes: impl IntoIterator<Item = Mode>) -> Result<RunStream<O>> {
        let modes: Vec<_> = modes.into_iter().collect();
        let subgraphs = self.subgraphs;
        Ok(self.start().await?.stream(modes).subgraphs(subgraphs))
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
            .field("run", &self.draft.run)
            .finish_non_exhaustive()
    }
}
