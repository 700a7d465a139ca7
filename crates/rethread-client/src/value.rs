use std::borrow::Cow;
use std::fmt;

use rethread_core::payload::Payload;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::json;

/// A value of an application whose type the program does not need to know.
///
/// It is read as a type by [`AnyValue::decode`] or as JSON by [`AnyValue::to_json`]; either
/// error says which value it was.
#[derive(Clone, PartialEq, Eq)]
pub struct AnyValue {
    payload: Payload,
    what: Cow<'static, str>,
}

impl AnyValue {
    /// Wraps an encoded value; `what` names it in errors (`result of task charge`).
    pub fn new(payload: Payload, what: impl Into<Cow<'static, str>>) -> Self {
        Self { payload, what: what.into() }
    }

    /// The value as a `T`.
    ///
    /// # Errors
    /// [`crate::ClientError::Payload`] when it is not one.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(self.payload.decode(&self.what)?)
    }

    /// The value as JSON; see [`json`] for what that means for values JSON does not have.
    ///
    /// # Errors
    /// [`crate::ClientError::Payload`] when JSON cannot say it.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        Ok(json::from_payload(&self.payload, &self.what)?)
    }

    /// Whether it is nothing: `()`, `None`, JSON `null`.
    pub fn is_null(&self) -> bool {
        self.payload.is_null()
    }

    /// The value, encoded.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The value, encoded.
    pub fn into_payload(self) -> Payload {
        self.payload
    }
}

/// Names the value and its size; the value itself is the user's and never belongs in a log.
impl fmt::Debug for AnyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyValue({}, {} bytes)", self.what, self.payload.len())
    }
}
