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
/// [`Call::detach`] where that is the intent, and [`Call::cancel_on_drop`] where it is not.
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
pub struct Call<T> {
    awaited: Awaited<T>,
    ends_on_drop: bool,
}

impl<T> Call<T> {
    /// Makes a call; `encode` gives the request, or why there is none.
    pub(crate) fn make(
        what: What,
        key: Option<&str>,
        encode: impl FnOnce() -> Result<CallRequest>,
    ) -> Self {
        let caller = what.clone();
        let awaited = Awaited::ask(what, || {
            let scope = current_scope(caller)?;
            let slot = scope.call(encode()?, key);
            Ok((scope, slot))
        });
        Self { awaited, ends_on_drop: false }
    }

    /// Whether awaiting it would give its outcome without a wait.
    pub fn is_done(&self) -> bool {
        self.awaited.is_done()
    }

    /// Lets it run to its end without being awaited; its error is ignored.
    pub fn detach(mut self) {
        self.ends_on_drop = false;
    }

    /// Ends the call: awaiting it gives an error of kind [`kind::CANCELLED`](crate::kind), and
    /// a body that runs is dropped where it waits.
    ///
    /// A call whose outcome was recorded before keeps it, so what awaiting gives may as well be
    /// a result. Calls that a cancelled body made itself go on.
    pub fn cancel(&self) {
        self.awaited.cancel();
    }

    /// Ends the call when it is dropped before its outcome is here, instead of detaching it.
    ///
    /// ```
    /// # extern crate rethread_sdk as rethread;
    /// use futures::future::{Either, select};
    /// use rethread::prelude::*;
    ///
    /// #[task]
    /// async fn ask_model(prompt: String) -> Result<String> {
    ///     Ok(prompt)
    /// }
    ///
    /// /// A lost race need not pay for its model.
    /// #[entrypoint]
    /// async fn fastest(prompt: String) -> Result<String> {
    ///     let small = ask_model(format!("small: {prompt}")).cancel_on_drop();
    ///     let large = ask_model(format!("large: {prompt}")).cancel_on_drop();
    ///     match select(small, large).await {
    ///         Either::Left((answer, _)) | Either::Right((answer, _)) => answer,
    ///     }
    /// }
    /// ```
    #[must_use = "dropping the call ends it"]
    pub fn cancel_on_drop(mut self) -> Self {
        self.ends_on_drop = true;
        self
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if self.ends_on_drop {
            self.awaited.cancel();
        }
    }
}

impl<T: DeserializeOwned> Future for Call<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.awaited.poll(context)
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.awaited).finish()
    }
}
