use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use crate::event::Refusal;
use crate::failure::Failure;
use crate::payload::Payload;

/// The code that an execution runs: entrypoints by name.
pub trait Program: Debug + Send + Sync {
    /// Makes the body of an entrypoint for an input. The body starts when it is first polled,
    /// inside of its scope.
    ///
    /// # Errors
    /// [`Refusal::UnknownEntrypoint`], or [`Refusal::InvalidInput`] when the input is not a
    /// value of the entrypoint's input type.
    fn start(&self, entrypoint: &str, input: &Payload) -> Result<BodyFuture, Refusal>;
}

/// The body of an entrypoint, running.
pub type BodyFuture = Pin<Box<dyn Future<Output = Result<BodyOutput, Failure>> + Send>>;

/// What an entrypoint gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyOutput {
    /// The result.
    pub value: Payload,
    /// What the next execution finds as `previous`, where it differs from the result.
    pub save: Option<Payload>,
}
