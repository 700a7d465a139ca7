use std::ops::{Deref, DerefMut};

use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::inject::Injected;
use crate::outside::current_scope;

/// The context object that the caller gave with the run; none if there is none, or null.
///
/// All entrypoints and tasks of the run see the same one. It is not saved: a resume must bring it
/// again. A body can also ask for it with a parameter: [`Context`].
///
/// # Errors
/// Outside a run, and when the object is not a `C`.
pub fn context<C: DeserializeOwned>() -> Result<Option<C>> {
    let scope = current_scope("`context`")?;
    match &scope.info().context {
        Some(context) if !context.is_null() => Ok(Some(context.decode("context of the run")?)),
        Some(_) | None => Ok(None),
    }
}

/// A parameter that [`entrypoint`](macro@crate::entrypoint) and [`task`](macro@crate::task) fill
/// with the context object of the run.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Tenant {
///     name: String,
/// }
///
/// #[task]
/// async fn bill(cents: u64, tenant: Context<Tenant>) -> Result<String> {
///     let tenant = tenant.into_inner().ok_or_else(|| Error::msg("the run names no tenant"))?;
///     Ok(format!("{} owes {cents}", tenant.name))
/// }
///
/// #[entrypoint]
/// async fn monthly(cents: u64) -> Result<String> {
///     bill(cents).await
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<C>(pub Option<C>);

impl<C> Context<C> {
    /// The context object, if there is one.
    pub fn into_inner(self) -> Option<C> {
        self.0
    }
}

impl<C> Deref for Context<C> {
    type Target = Option<C>;

    fn deref(&self) -> &Option<C> {
        &self.0
    }
}

impl<C> DerefMut for Context<C> {
    fn deref_mut(&mut self) -> &mut Option<C> {
        &mut self.0
    }
}

impl<C: DeserializeOwned> Injected for Context<C> {
    fn inject() -> Result<Self> {
        context().map(Self)
    }
}
