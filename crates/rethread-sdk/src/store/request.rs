use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rethread_core::failure::kind;
use rethread_core::store::{StoreReply, StoreRequest};

use crate::error::{Error, Result};
use crate::store::backend::{StoreBackend, StoreFuture};

/// A request to the store: a future of what comes of it.
///
/// # Cancel safety
/// Nothing is asked until it is first polled. From then on dropping it gives up the reply, and
/// takes nothing back.
#[must_use = "nothing is asked until it is awaited"]
pub struct StoreCall<T> {
    state: State,
    read: fn(StoreReply) -> Result<T>,
}

enum State {
    Made { backend: Arc<dyn StoreBackend>, request: Result<StoreRequest> },
    Asked(StoreFuture),
    Given,
}

impl<T> StoreCall<T> {
    /// A request, or why it cannot be made, and what to make of the reply.
    pub(super) fn new(
        backend: Arc<dyn StoreBackend>,
        request: Result<StoreRequest>,
        read: fn(StoreReply) -> Result<T>,
    ) -> Self {
        Self { state: State::Made { backend, request }, read }
    }

    /// Changes the request before it is asked.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut StoreRequest) -> Result<()>) {
        if let State::Made { request, .. } = &mut self.state
            && let Ok(content) = request
            && let Err(error) = change(content)
        {
            *request = Err(error);
        }
    }
}

impl<T> Future for StoreCall<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut reply = match mem::replace(&mut self.state, State::Given) {
            State::Made { backend, request } => match request {
                Ok(request) => backend.request(request),
                Err(error) => return Poll::Ready(Err(error)),
            },
            State::Asked(reply) => reply,
            State::Given => panic!("a request to the store was polled after it gave its reply"),
        };
        match reply.as_mut().poll(context) {
            Poll::Ready(reply) => Poll::Ready(reply.and_then(self.read)),
            Poll::Pending => {
                self.state = State::Asked(reply);
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for StoreCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Made { request: Ok(_), .. } => "made",
            State::Made { request: Err(_), .. } => "refused",
            State::Asked(_) => "asked",
            State::Given => "given",
        };
        write!(f, "StoreCall ({state})")
    }
}

/// The error for a reply to another question.
pub(super) fn unexpected<T>(reply: &StoreReply) -> Result<T> {
    let got = match reply {
        StoreReply::Item(_) => "an item",
        StoreReply::Done => "nothing",
        StoreReply::Items(_) => "items",
        StoreReply::Namespaces(_) => "namespaces",
        _ => "something unknown",
    };
    Err(Error::new(kind::STORE, format!("the store replied with {got} to another question"))
        .retryable(false))
}

/// Makes a request with options a future of what the [`StoreCall`] in it gives.
macro_rules! awaits_its_call {
    ($type:ident $(<$arg:ident>)?, $output:ty) => {
        impl $(<$arg: serde::de::DeserializeOwned>)? std::future::Future for $type $(<$arg>)? {
            type Output = crate::error::Result<$output>;

            fn poll(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                std::pin::Pin::new(&mut self.0).poll(context)
            }
        }
    };
}
pub(super) use awaits_its_call;
