use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::BoxFuture;
use rethread_core::message::Action;
use rethread_core::payload::{Payload, PayloadError};
use rethread_sdk::{EntrypointRef, Value};
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::draft::{Draft, describes_itself, sets_its_run};
use crate::error::Result;
use crate::outcome::Outcome;
use crate::run::{Decode, RunHandle};
use crate::stream::{Mode, RunStream, StreamEvent};
use crate::thread::Thread;

/// Runs of which nothing is kept: LangGraph's runs without a checkpointer.
///
/// Each is a thread of its own, which is deleted when the run has ended and was read: `previous`
/// is none, and questions are reported but cannot be answered.
///
/// ```no_run
/// # async fn example(client: rethread_client::Client) -> rethread_client::Result<()> {
/// use rethread_client::EntrypointRef;
///
/// let greet = EntrypointRef::<String, String>::named("greet");
/// let outcome = client.ephemeral().invoke(&greet, "Ada".into()).await?;
/// println!("{:?}", outcome.done());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Ephemeral {
    client: Client,
}

impl Ephemeral {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Runs an entrypoint with an input.
    pub fn invoke<I: Value, O: Value>(
        &self,
        entrypoint: impl Into<EntrypointRef<I, O>>,
        input: I,
    ) -> EphemeralRequest<O> {
        let entrypoint = entrypoint.into();
        let name = entrypoint.name();
        let input = Payload::encode(&input, format_args!("input of entrypoint `{name}`"));
        self.request(name, input, Decode::typed())
    }

    /// Runs the entrypoint of this name with a JSON input, and gives the result as JSON.
    pub fn invoke_json(
        &self,
        entrypoint: impl AsRef<str>,
        input: &serde_json::Value,
    ) -> EphemeralRequest<serde_json::Value> {
        let name = entrypoint.as_ref();
        let what = format_args!("input of entrypoint `{name}`");
        self.request(name, crate::json::to_payload(input, what), Decode::json())
    }

    fn request<O>(
        &self,
        entrypoint: &str,
        input: Result<Payload, PayloadError>,
        decode: Decode<O>,
    ) -> EphemeralRequest<O> {
        let entrypoint = entrypoint.to_owned();
        let action = input.map(|input| Action::Start { entrypoint, input });
        let thread = self.client.new_thread();
        EphemeralRequest { thread, draft: Draft::new(), action, subgraphs: false, decode }
    }
}

/// A request to run something of which nothing is kept. Nothing happens until it is awaited or
/// streamed.
///
/// # Cancel safety
/// A run that was asked for goes on when the future or stream is dropped. Its thread is deleted
/// by the runtime in which it was dropped, once the run has ended; without one it stays.
#[must_use = "a request does nothing until it is awaited or streamed"]
pub struct EphemeralRequest<O> {
    thread: Thread,
    draft: Draft,
    action: Result<Action, PayloadError>,
    subgraphs: bool,
    decode: Decode<O>,
}

impl<O> EphemeralRequest<O> {
    describes_itself!();
    sets_its_run!();

    /// Gives the result its type: that of the entrypoint's result.
    pub fn typed<T: DeserializeOwned>(self) -> EphemeralRequest<T> {
        let Self { thread, draft, action, subgraphs, .. } = self;
        EphemeralRequest { thread, draft, action, subgraphs, decode: Decode::typed() }
    }

    /// Shows the events of child entrypoints in [`EphemeralRequest::stream`] as well.
    pub fn subgraphs(mut self, subgraphs: bool) -> Self {
        self.subgraphs = subgraphs;
        self
    }

    /// Sends the request and streams what happens, in the chosen modes. There are no checkpoints
    /// to be shown.
    ///
    /// # Errors
    /// As [`crate::Request::start`]. How the run ends is told by the stream.
    pub async fn stream(self, modes: impl IntoIterator<Item = Mode>) -> Result<EphemeralStream<O>> {
        let modes: Vec<_> = modes.into_iter().collect();
        let subgraphs = self.subgraphs;
        let run = self.start().await?;
        let events = run.stream(modes).subgraphs(subgraphs).without_checkpoints();
        Ok(EphemeralStream { events, remains: Some(Remains::new(run)), removal: None })
    }

    async fn start(self) -> Result<RunHandle<O>> {
        let Self { thread, draft, action, decode, .. } = self;
        let run = draft.send(&thread, action?).await?;
        Ok(RunHandle::new(thread, run, decode))
    }
}

impl<O: Send + 'static> IntoFuture for EphemeralRequest<O> {
    type Output = Result<Outcome<O>>;
    type IntoFuture = BoxFuture<'static, Result<Outcome<O>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let run = self.start().await?;
            let remains = Remains::new(run.clone());
            let outcome = run.wait().await;
            remains.remove().await;
            outcome
        })
    }
}

impl<O> fmt::Debug for EphemeralRequest<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralRequest").field("run", &self.draft.run).finish_non_exhaustive()
    }
}

/// What happens in a run of which nothing is kept; as [`RunStream`], but it cannot be read again.
#[must_use = "a stream does nothing until it is polled"]
pub struct EphemeralStream<O> {
    events: RunStream<O>,
    remains: Option<Remains>,
    removal: Option<BoxFuture<'static, ()>>,
}

impl<O> Stream for EphemeralStream<O> {
    type Item = Result<StreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.removal.is_none() {
            let Poll::Ready(item) = Pin::new(&mut self.events).poll_next(context) else {
                return Poll::Pending;
            };
            if item.is_some() {
                return Poll::Ready(item);
            }
            self.removal = self
                .remains
                .take()
                .map(|remains| -> BoxFuture<'static, ()> { Box::pin(remains.remove()) });
        }
        if let Some(removal) = &mut self.removal
            && removal.as_mut().poll(context).is_pending()
        {
            return Poll::Pending;
        }
        self.removal = None;
        Poll::Ready(None)
    }
}

impl<O> fmt::Debug for EphemeralStream<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralStream").field("events", &self.events).finish_non_exhaustive()
    }
}

/// The thread of a run that nobody comes back to. Dropped, it is removed once the run has ended.
struct Remains {
    run: Option<RunHandle<crate::AnyValue>>,
}

impl Remains {
    fn new<O>(run: RunHandle<O>) -> Self {
        Self { run: Some(RunHandle::untyped(run.thread().clone(), run.run_id())) }
    }

    /// Removes it now. That it may stay is no error of the run.
    async fn remove(mut self) {
        if let Some(run) = self.run.take() {
            remove(&run).await;
        }
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if let (Some(run), Ok(runtime)) = (self.run.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                // Whatever the run came to, it is over then.
                let _ended = run.wait().await;
                remove(&run).await;
            });
        }
    }
}

async fn remove(run: &RunHandle<crate::AnyValue>) {
    if let Err(error) = run.thread().delete().await {
        tracing::warn!(thread = %run.thread().id(), %error, "the thread of a run stays");
    }
}
