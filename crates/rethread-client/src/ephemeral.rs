use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::future::BoxFuture;
use rethread_core::message::Action;
use rethread_core::payload::{Payload, PayloadError};
use rethread_sdk::{EntrypointRef, Value};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::client::Client;
use crate::draft::{Draft, describes_itself, sets_its_run};
use crate::error::{ClientError, Result};
use crate::outcome::Outcome;
use crate::run::{Decode, RunHandle};
use crate::stream::{Mode, RunStream, StreamEvent};
use crate::thread::Thread;

/// How long a run is waited for, to be removed, of which nobody knows whether it was ever taken.
const UNCERTAIN_MAX: Duration = Duration::from_secs(3_600);

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
/// by the runtime that it was asked for in, once the run has ended, and stays if that runtime
/// ends before.
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
        let (run, remains) = self.start().await?;
        let events = run.stream(modes).subgraphs(subgraphs).without_checkpoints();
        Ok(EphemeralStream { events, remains: Some(remains), removal: None })
    }

    async fn start(self) -> Result<(RunHandle<O>, Remains)> {
        let Self { thread, draft, action, decode, .. } = self;
        let action = action?;
        let run = RunHandle::new(thread.clone(), draft.run, decode);
        // From here on the request may be taken, whether or not anybody hears of it.
        let mut remains = Remains::new(&run);
        match draft.send(&thread, action).await {
            Ok(_) => remains.is_certain = true,
            Err(error @ ClientError::Unconfirmed { .. }) => return Err(error),
            Err(error) => {
                remains.run = None;
                return Err(error);
            }
        }
        Ok((run, remains))
    }
}

impl<O: Send + 'static> IntoFuture for EphemeralRequest<O> {
    type Output = Result<Outcome<O>>;
    type IntoFuture = BoxFuture<'static, Result<Outcome<O>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (run, remains) = self.start().await?;
            let outcome = run.wait().await;
            match outcome {
                // It goes on, and is removed when it has ended.
                Err(ClientError::Storage(_)) => drop(remains),
                _ => remains.remove().await,
            }
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
    /// None once it is removed.
    run: Option<RunHandle<crate::AnyValue>>,
    /// Whether the request was taken for sure.
    is_certain: bool,
    /// Where it was asked for: whoever drops it may be somewhere else, or nowhere.
    runtime: Option<Handle>,
}

impl Remains {
    fn new<O>(run: &RunHandle<O>) -> Self {
        let run = RunHandle::untyped(run.thread().clone(), run.run_id());
        Self { run: Some(run), is_certain: false, runtime: Handle::try_current().ok() }
    }

    /// Removes it now. That it may stay is no error of the run.
    async fn remove(mut self) {
        if let Some(run) = &self.run {
            remove(run).await;
        }
        self.run = None;
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        let (Some(run), Some(runtime)) = (self.run.take(), &self.runtime) else { return };
        let is_certain = self.is_certain;
        runtime.spawn(async move {
            let ended = match is_certain {
                true => run.wait().await,
                false => run.wait_for(UNCERTAIN_MAX).await,
            };
            // Whatever else the run came to, it is over then.
            if !matches!(ended, Err(ClientError::Timeout { .. })) {
                remove(&run).await;
            }
        });
    }
}

async fn remove(run: &RunHandle<crate::AnyValue>) {
    if let Err(error) = run.thread().delete().await {
        tracing::warn!(thread_id = %run.thread().id(), %error, "the thread of a run stays");
    }
}
