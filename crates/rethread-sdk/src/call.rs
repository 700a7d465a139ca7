use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use rethread_core::replay::CallRequest;
use serde::de::DeserializeOwned;

use crate::awaited::{Awaited, What};
use crate::error::Result;
use crate::outside::current_scope;

/// A call that has been made: a future of its result.
///
/// The call counts from the moment it is made, not from when it is awaited: several calls made
/// one after the other run at the same time. Calling never fails; what is wrong with a call
/// (made outside a run, arguments that cannot be encoded) is the error it gives when awaited.
///
/// # Cancel safety
/// Dropping a `Call` detaches it: it runs to its end, its result is recorded, the run waits
/// for it, and its error is ignored. So it is safe in `select!` and `timeout`. Say
/// [`Call::detach`] where that is the intent.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[task]
/// async fn square(n: u64) -> Result<u64> {
///     Ok(n * n)
/// }
///
/// #[entrypoint]
/// async fn sum_of_squares(n: u64) -> Result<u64> {
///     let calls: Vec<_> = (1..=n).map(square).collect(); // all of them run from here on
///     let mut sum = 0;
///     for call in calls {
///         sum += call.await?;
///     }
///     Ok(sum)
/// }
/// ```
pub struct Call<T>(Awaited<T>);

impl<T> Call<T> {
    /// Makes a call; `encode` gives the request, or why there is none.
    pub(crate) fn make(
        what: What,
        key: Option<&str>,
        encode: impl FnOnce() -> Result<CallRequest>,
    ) -> Self {
        let caller = what.clone();
        Self(Awaited::ask(what, || {
            let scope = current_scope(caller)?;
            let slot = scope.call(encode()?, key);
            Ok((scope, slot))
        }))
    }

    /// Whether awaiting it would give its outcome without a wait.
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }

    /// Lets it run to its end without being awaited; its error is ignored.
    pub fn detach(self) {}
}

impl<T: DeserializeOwned> Future for Call<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.0.poll(context)
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.0).finish()
    }
}
