use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::Pin;

use rethread_core::replay::CallRequest;
use rethread_core::store::{StoreReply, StoreRequest};

use crate::awaited::{Awaited, What};
use crate::error::Result;
use crate::outside::current_scope;

/// Carries the requests of a [`Store`](crate::Store) to where the items are.
///
/// Applications have no need of it: [`store()`](crate::store()) and the client bring theirs.
pub trait StoreBackend: Debug + Send + Sync {
    /// Makes a request. It is called when the request is first polled.
    fn request(&self, request: StoreRequest) -> StoreFuture;
}

/// The reply to a request, to be awaited.
pub type StoreFuture = Pin<Box<dyn Future<Output = Result<StoreReply>> + Send>>;

/// The engine, asked by the body that is running.
#[derive(Debug)]
pub(super) struct Ambient;

impl StoreBackend for Ambient {
    fn request(&self, request: StoreRequest) -> StoreFuture {
        let mut reply = Awaited::<StoreReply>::ask(What::Store, || {
            let scope = current_scope(What::Store)?;
            let slot = scope.call(CallRequest::Store(request), None);
            Ok((scope, slot))
        });
        Box::pin(poll_fn(move |context| reply.poll(context)))
    }
}
