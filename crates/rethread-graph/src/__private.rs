//! What the derives expand to. No part of the public interface: it changes without notice.

pub use rethread_sdk::{Error, Result};
pub use serde;

pub use crate::{Change, Field, Messages, Reducer, Route, State, Update};

/// Reads a member that is there, also if it is null.
///
/// # Errors
/// When it is of another type.
pub fn some<'de, T: serde::Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What a reducer function may return: the value, or a result of it.
pub trait Reduced<T> {
    /// As a result.
    ///
    /// # Errors
    /// The error of the function.
    fn reduced(self) -> Result<T>;
}

impl<T> Reduced<T> for T {
    fn reduced(self) -> Result<T> {
        Ok(self)
    }
}

impl<T, E: Into<Error>> Reduced<T> for std::result::Result<T, E> {
    fn reduced(self) -> Result<T> {
        self.map_err(Into::into)
    }
}
