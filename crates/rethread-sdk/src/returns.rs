use std::fmt;

use rethread_core::failure::Failure;
use rethread_core::payload::Payload;
use rethread_core::replay::BodyOutput;

use crate::error::{Error, Result};
use crate::value::Value;

/// What the body of a task may return: a `Result` of a [`Value`].
///
/// The error may be any type that turns into [`Error`], as every standard error does.
#[diagnostic::on_unimplemented(
    message = "a task cannot return `{Self}`",
    label = "expected `Result<T>` of a serializable type",
    note = "return `rethread::Result<T>`; `T` derives `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Returns {
    /// The result's type.
    type Value: Value;

    /// The result, or why there is none.
    ///
    /// # Errors
    /// The error of the body.
    fn into_result(self) -> Result<Self::Value>;
}

impl<T: Value, E: Into<Error>> Returns for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T> {
        self.map_err(Into::into)
    }
}

/// What the body of an entrypoint may return: a `Result` of a [`Value`] or of a [`Final`].
///
/// `Form` tells the two apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "an entrypoint cannot return `{Self}`",
    label = "expected `Result<T>` or `Result<Final<T, S>>` of serializable types",
    note = "return `rethread::Result<T>`; `T` derives `serde::Serialize` and `serde::Deserialize`"
)]
pub trait EntrypointReturns<Form> {
    /// The result's type.
    type Value: Value;

    /// Encodes what the body gave; the name of the entrypoint is for the error.
    ///
    /// # Errors
    /// The error of the body, or that its value cannot be encoded.
    fn into_output(self, entrypoint: &str) -> Result<BodyOutput, Failure>;
}

/// The form of a body that saves what it returns.
#[derive(Debug)]
pub enum Plain {}

/// The form of a body that returns a [`Final`].
#[derive(Debug)]
pub enum Saved {}

impl<T: Value, E: Into<Error>> EntrypointReturns<Plain> for Result<T, E> {
    type Value = T;

    fn into_output(self, entrypoint: &str) -> Result<BodyOutput, Failure> {
        let value = self.map_err(|error| error.into().into_failure())?;
        let value = encode("result", &value, entrypoint)?;
        Ok(BodyOutput { value, save: None, step: None })
    }
}

impl<T: Value, S: Value, E: Into<Error>> EntrypointReturns<Saved> for Result<Final<T, S>, E> {
    type Value = T;

    fn into_output(self, entrypoint: &str) -> Result<BodyOutput, Failure> {
        let Final { value, save } = self.map_err(|error| error.into().into_failure())?;
        Ok(BodyOutput {
            value: encode("result", &value, entrypoint)?,
            save: Some(encode("saved value", &save, entrypoint)?),
            step: None,
        })
    }
}

fn encode<T: Value>(what: &str, value: &T, entrypoint: &str) -> Result<Payload, Failure> {
    let what: fmt::Arguments<'_> = format_args!("{what} of entrypoint `{entrypoint}`");
    Ok(Payload::encode(value, what)?)
}

/// A result of an entrypoint that differs from what the next run finds as
/// [`previous`](crate::previous()).
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// /// Returns the total before this run and saves the one after it.
/// #[entrypoint]
/// async fn accumulate(amount: i64, previous: Previous<i64>) -> Result<Final<i64, i64>> {
///     let total = previous.unwrap_or_default();
///     Ok(Final::new(total, total + amount))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Final<T, S> {
    /// What the caller gets.
    pub value: T,
    /// What the next run finds as `previous`.
    pub save: S,
}

impl<T, S> Final<T, S> {
    /// Gives `value` to the caller and `save` to the next run.
    pub fn new(value: T, save: S) -> Self {
        Self { value, save }
    }
}
