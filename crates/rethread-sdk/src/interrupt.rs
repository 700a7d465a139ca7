use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use rethread_core::payload::Payload;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::awaited::{Awaited, What};
use crate::error::Result;
use crate::outside::current_scope;

/// Asks a person, and waits for the answer for as long as it takes.
///
/// `value` is shown to whoever answers. The future stays pending until a resume brings the
/// answer: there is no error that `?` or a catch-all could swallow. When all that a run waits
/// for are questions, the run ends as interrupted and holds no resources.
///
/// Several questions may be open at once. They are told apart by the order in which a body asks
/// them, so a body must ask the same number of questions in the same order on each replay; what
/// a question says may change. A task that asks is run again from its start with the answer.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[entrypoint]
/// async fn publish(essay: String) -> Result<String> {
///     let is_approved: bool = interrupt(json!({ "approve": essay })).await?;
///     Ok(if is_approved { essay } else { String::new() })
/// }
/// ```
///
/// # Errors
/// When awaited: outside a run, when `value` cannot be encoded, and when the answer is not an
/// `A`.
pub fn interrupt<A>(value: impl Serialize) -> Interrupt<A> {
    Interrupt(Awaited::ask(What::Interrupt, || {
        let scope = current_scope(What::Interrupt)?;
        let slot = scope.interrupt(Payload::encode(&value, "value of `interrupt`")?);
        Ok((scope, slot))
    }))
}

/// An open question: a future of its answer. See [`interrupt`].
///
/// # Cancel safety
/// Dropping it stops waiting for the answer.
pub struct Interrupt<A>(Awaited<A>);

impl<A: DeserializeOwned> Future for Interrupt<A> {
    type Output = Result<A>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<A>> {
        self.0.poll(context)
    }
}

impl<A> fmt::Debug for Interrupt<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.0).finish()
    }
}
