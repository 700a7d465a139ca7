use std::any::{Any, type_name};
use std::error::Error as StdError;
use std::fmt;

use rethread_core::failure::{Failure, kind};
use rethread_core::ids::CallId;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::replay::OutsideRun;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A result whose error is [`Error`] unless another one is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// Why a body failed: a kind that retry policies match on, and a message for people.
///
/// Every standard error turns into it through `?`. Its kind is then the name of its type, its
/// message what it displays. Only kind, message and details are recorded; the source is for the
/// log of the process where it happened.
///
/// ```
/// use rethread_sdk::{Error, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     if text.is_empty() {
///         return Err(Error::new("NoPort", "no port is configured").retryable(false));
///     }
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(port("").expect_err("empty").kind(), "NoPort");
/// assert_eq!(port("x").expect_err("no digits").kind(), "ParseIntError");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    failure: Failure,
    origin: Origin,
}

enum Origin {
    /// Made here.
    Own,
    /// This error is the other one, told in our words.
    Converted(Source),
    /// This error came of the other one.
    CausedBy(Source),
}

impl Error {
    /// An error of a kind of your own, with a message: lower case, no full stop.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self::from_failure(Failure::new(kind, message))
    }

    /// An error without a kind of its own: [`kind::ERROR`].
    pub fn msg(message: impl fmt::Display) -> Self {
        Self::new(kind::ERROR, message.to_string())
    }

    /// The error for an HTTP response that is no success: of kind [`kind::HTTP_STATUS`], and
    /// retried only for the statuses of servers, 500 to 599.
    ///
    /// ```
    /// use rethread_sdk::{Error, kind};
    ///
    /// assert_eq!(Error::http(404).kind(), kind::HTTP_STATUS);
    /// assert!(!Error::http(404).is_retryable());
    /// assert!(Error::http(503).is_retryable());
    /// ```
    pub fn http(status: u16) -> Self {
        let message = format!("the HTTP request was answered with status {status}");
        Self::new(kind::HTTP_STATUS, message).retryable((500..=599).contains(&status))
    }

    /// Takes a recorded failure.
    pub fn from_failure(failure: Failure) -> Self {
        Self(Box::new(Inner { failure, origin: Origin::Own }))
    }

    /// The part that is recorded. The source is lost.
    pub fn into_failure(self) -> Failure {
        self.0.failure
    }

    /// The part that is recorded.
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// Overrides what retry policies think of the kind: `false` is never retried.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.failure.retryable = Some(retryable);
        self
    }

    /// Adds the error that this one came of, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.origin = Origin::CausedBy(source.into());
        self
    }

    /// Adds a typed value, which is recorded; [`Error::details`] gives it back to the caller.
    ///
    /// A value that cannot be encoded gives the error that says so instead.
    #[must_use]
    pub fn with_details(mut self, details: &impl Serialize) -> Self {
        match Payload::encode(details, format_args!("details of error `{}`", self.kind())) {
            Ok(payload) => {
                self.0.failure.details = Some(payload);
                self
            }
            Err(error) => Self::from(error),
        }
    }

    /// The class of the error.
    pub fn kind(&self) -> &str {
        &self.0.failure.kind
    }

    /// What happened, without the errors it came of.
    pub fn message(&self) -> &str {
        &self.0.failure.message
    }

    /// The typed value that came with the error; none if there is none.
    ///
    /// # Errors
    /// When the value is not a `T`.
    pub fn details<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(payload) = &self.0.failure.details else { return Ok(None) };
        Ok(Some(payload.decode(format_args!("details of error `{}`", self.kind()))?))
    }

    /// The call whose failure this is, if it came out of one.
    pub fn cause(&self) -> Option<CallId> {
        self.0.failure.cause
    }

    /// Whether a policy may retry it; `false` if it says of itself that it is final.
    pub fn is_retryable(&self) -> bool {
        self.0.failure.retryable != Some(false)
    }

    /// Whether an attempt took longer than the timeout of its task.
    pub fn is_timeout(&self) -> bool {
        self.kind() == kind::TIMEOUT
    }

    /// Whether the call was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.kind() == kind::CANCELLED
    }

    /// Whether a body panicked.
    pub fn is_panic(&self) -> bool {
        self.kind() == kind::PANIC
    }

    /// The error of type `E` that this one was converted from or came of, in this process.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match &self.0.origin {
            Origin::Own => None,
            Origin::Converted(error) | Origin::CausedBy(error) => error.downcast_ref(),
        }
    }

    /// The error below this one, in this process.
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.origin {
            Origin::Own => None,
            Origin::Converted(error) => error.source(),
            Origin::CausedBy(error) => Some(&**error),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let mut error = Some(error);
        // The engine's own errors know their kind better than their type's name does.
        if let Some(failure) = take::<E, Failure>(&mut error) {
            return Self::from_failure(failure);
        }
        if let Some(payload) = take::<E, PayloadError>(&mut error) {
            return Self::from_failure(Failure::from(payload));
        }
        if let Some(outside) = take::<E, OutsideRun>(&mut error) {
            return Self::new(kind::OUTSIDE_RUN, outside.to_string()).retryable(false);
        }
        // Taken by none of the above, so it is still there.
        let Some(error) = error else { return Self::msg("unknown error") };
        let failure = Failure::new(short_name(type_name::<E>()), error.to_string());
        Self(Box::new(Inner { failure, origin: Origin::Converted(Box::new(error)) }))
    }
}

/// Takes the error out if it is a `T`.
fn take<E: 'static, T: 'static>(error: &mut Option<E>) -> Option<T> {
    (error as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take)
}

/// `my::module::Kind<a::B>` is `Kind`.
fn short_name(type_name: &str) -> &str {
    let plain = type_name.split('<').next().unwrap_or(type_name);
    plain.rsplit("::").next().unwrap_or(plain)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), self.message())?;
        let mut below = self.source();
        while let Some(error) = below {
            write!(f, "\n  caused by: {error}")?;
            below = error.source();
        }
        Ok(())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        error.into_failure()
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync + 'static> {
    fn from(error: Error) -> Self {
        Box::new(Standard(error))
    }
}

impl From<Error> for Box<dyn StdError + 'static> {
    fn from(error: Error) -> Self {
        Box::new(Standard(error))
    }
}

/// [`Error`] as a standard error, which it cannot be itself: `From` would convert it to itself.
struct Standard(Error);

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl StdError for Standard {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("card was declined")]
    struct Declined<T: fmt::Debug>(T, #[source] std::num::ParseIntError);

    fn declined() -> Declined<Vec<String>> {
        Declined(Vec::new(), "x".parse::<u8>().expect_err("no number"))
    }

    #[test]
    fn foreign_error_keeps_name_message_and_chain() {
        let error = Error::from(declined());
        assert_eq!(error.kind(), "Declined");
        assert_eq!(error.to_string(), "card was declined");
        assert_eq!(
            format!("{error:?}"),
            "Declined: card was declined\n  caused by: invalid digit found in string"
        );
        assert!(error.downcast_ref::<Declined<Vec<String>>>().is_some());
    }

    #[test]
    fn failure_passes_through_question_mark_unchanged() {
        fn inner() -> Result<(), Failure> {
            let mut failure = Failure::new("Mine", "m").final_();
            failure.cause = Some(CallId::from_bytes([7; 16]));
            failure.details = Some(Payload::NULL);
            Err(failure)
        }
        fn outer() -> Result<()> {
            Ok(inner()?)
        }
        let failure = outer().expect_err("fails").into_failure();
        assert_eq!(Err(failure), inner());
    }

    #[test]
    fn engine_errors_get_the_engine_kinds() {
        let payload = Payload::NULL.decode::<u8>("x").expect_err("null");
        let error = Error::from(payload);
        assert_eq!((error.kind(), error.is_retryable()), (kind::SERIALIZATION, false));
        assert_eq!(Error::from(OutsideRun).kind(), kind::OUTSIDE_RUN);
    }

    #[test]
    fn details_survive() {
        let error = Error::msg("declined").with_details(&("visa", 12));
        let back = Error::from(error.into_failure());
        assert_eq!(back.details::<(String, u8)>().expect("decodes"), Some(("visa".into(), 12)));
        assert_eq!(back.details::<u8>().expect_err("no number").kind(), kind::SERIALIZATION);
        assert_eq!(Error::msg("x").details::<u8>().expect("none"), None);
    }

    #[test]
    fn becomes_a_standard_error() {
        let cause = std::io::Error::other("disk full");
        let error = Error::new("Save", "cannot save").with_source(cause);
        let boxed: Box<dyn StdError + Send + Sync> = error.into();
        assert_eq!(boxed.to_string(), "cannot save");
        assert_eq!(boxed.source().map(ToString::to_string).as_deref(), Some("disk full"));
    }
}
