//! What the attributes expand to. No part of the public interface: it changes without notice.

pub use std::sync::OnceLock;
pub use std::time::Duration;

pub use crate::{Call, Entrypoint, Error, Previous, Result, Task};

use crate::{Value, previous};

/// Fails to compile, at the span of the type, for what cannot be an argument or a result.
pub const fn assert_value<T: Value>() {}

/// Fills the parameter `Previous<S>` of an entrypoint.
///
/// # Errors
/// See [`previous()`].
pub fn load_previous<S: Value>() -> Result<Previous<S>> {
    previous().map(Previous)
}
