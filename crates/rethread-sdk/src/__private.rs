//! What the attributes expand to. No part of the public interface: it changes without notice.

pub use std::sync::OnceLock;
pub use std::time::Duration;

pub use crate::inject::Injected;
pub use crate::{Call, Entrypoint, Error, Result, Task};

use crate::Value;

/// Fails to compile, at the span of the type, for what cannot be an argument or a result.
pub const fn assert_value<T: Value>() {}

/// Fills a parameter that no caller passes.
///
/// # Errors
/// When the engine does not have it; see [`Injected`].
pub fn inject<T: Injected>() -> Result<T> {
    T::inject()
}
