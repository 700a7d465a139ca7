use std::ops::{Deref, DerefMut};

use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::inject::Injected;
use crate::outside::current_scope;

/// What the last completed run on the thread saved; none on a new thread, if that was nothing
/// (`()`, `None`, JSON `null`), and in tasks.
///
/// All executions of the body within one run see the same value. An entrypoint can also ask for
/// it with a parameter: [`Previous`].
///
/// # Errors
/// Outside a run, and when the saved value is not an `S`.
pub fn previous<S: DeserializeOwned>() -> Result<Option<S>> {
    let scope = current_scope("`previous`")?;
    match &scope.info().previous {
        Some(saved) if !saved.is_null() => {
            let what = format_args!("previous value of entrypoint `{}`", scope.info().name);
            Ok(Some(saved.decode(what)?))
        }
        Some(_) | None => Ok(None),
    }
}

/// A parameter that [`entrypoint`](macro@crate::entrypoint) fills with what the last completed
/// run on the thread saved.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[entrypoint]
/// async fn chat(said: String, previous: Previous<Vec<String>>) -> Result<Vec<String>> {
///     let mut history = previous.into_inner().unwrap_or_default();
///     history.push(said);
///     Ok(history)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous<S>(pub Option<S>);

impl<S> Previous<S> {
    /// The saved value, if there is one.
    pub fn into_inner(self) -> Option<S> {
        self.0
    }
}

impl<S> Deref for Previous<S> {
    type Target = Option<S>;

    fn deref(&self) -> &Option<S> {
        &self.0
    }
}

impl<S> DerefMut for Previous<S> {
    fn deref_mut(&mut self) -> &mut Option<S> {
        &mut self.0
    }
}

impl<S: DeserializeOwned> Injected for Previous<S> {
    fn inject() -> Result<Self> {
        previous().map(Self)
    }
}
