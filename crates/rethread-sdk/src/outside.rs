use std::fmt;
use std::sync::Arc;

use rethread_core::failure::kind;
use rethread_core::replay::Scope;

use crate::error::{Error, Result};

/// The scope of the body that is being polled; `caller` is named in the error if there is none.
///
/// # Errors
/// Of kind [`kind::OUTSIDE_RUN`].
pub(crate) fn current_scope(caller: impl fmt::Display) -> Result<Arc<Scope>> {
    Scope::current().map_err(|_| {
        Error::new(
            kind::OUTSIDE_RUN,
            format!(
                "{caller} was called where no entrypoint or task is running; call it from the \
                 body of one, not from a spawned future or thread"
            ),
        )
        .retryable(false)
    })
}
