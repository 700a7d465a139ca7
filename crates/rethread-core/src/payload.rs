//! User values, as opaque MessagePack bytes.
//!
//! A payload is encoded once where the value is made and decoded once where it is used. What
//! lies between (queues, storage, coordinators) moves the bytes. The form is named MessagePack:
//! fields may be added, removed and given defaults between two versions of the user's code.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One value of the user, encoded.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(Bytes);

/// A value that could not be turned into bytes or back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value cannot be serialized.
    #[error("cannot encode {what} of type `{type_name}`: {reason}")]
    Encode {
        /// Which value it was.
        what: String,
        /// Rust type of the value.
        type_name: &'static str,
        /// What serde said.
        reason: String,
    },
    /// The bytes are not a value of the wanted type.
    #[error("cannot decode {what} as `{type_name}`: {reason}")]
    Decode {
        /// Which value it was.
        what: String,
        /// Rust type that was wanted.
        type_name: &'static str,
        /// What serde said.
        reason: String,
    },
}

impl Payload {
    /// The encoding of nothing: `()`, `None` and JSON `null` are this one byte.
    pub const NULL: Self = Self(Bytes::from_static(&[0xc0]));

    /// Encodes `value`; `what` names it in the error (`input of task charge`).
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when serde refuses the value.
    pub fn encode<T: Serialize + ?Sized>(
        value: &T,
        what: impl fmt::Display,
    ) -> Result<Self, PayloadError> {
        match rmp_serde::to_vec_named(value) {
            Ok(bytes) => Ok(Self(Bytes::from(bytes))),
            Err(error) => Err(PayloadError::Encode {
                what: what.to_string(),
                type_name: std::any::type_name::<T>(),
                reason: error.to_string(),
            }),
        }
    }

    /// Decodes the value; `what` names it in the error.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] when the bytes do not fit the type. It never guesses a default.
    pub fn decode<T: DeserializeOwned>(&self, what: impl fmt::Display) -> Result<T, PayloadError> {
        rmp_serde::from_slice(&self.0).map_err(|error| PayloadError::Decode {
            what: what.to_string(),
            type_name: std::any::type_name::<T>(),
            reason: error.to_string(),
        })
    }

    /// Takes bytes that are already one encoded value.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The encoded value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Size of the encoded value in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all, which no value encodes to.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the value is nothing.
    pub fn is_null(&self) -> bool {
        self.as_bytes() == Self::NULL.as_bytes()
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::NULL
    }
}

/// Shows the size only: payloads are the users' data and never belong in a log.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_unit_and_none() {
        assert_eq!(Payload::encode(&(), "x").expect("encodes"), Payload::NULL);
        assert_eq!(Payload::encode(&None::<u8>, "x").expect("encodes"), Payload::NULL);
        Payload::NULL.decode::<()>("x").expect("decodes");
    }

    #[test]
    fn decode_names_value_and_type() {
        let error = Payload::NULL.decode::<u64>("result of task charge").expect_err("null");
        let text = error.to_string();
        assert!(text.contains("result of task charge") && text.contains("`u64`"), "{text}");
    }

    #[test]
    fn debug_hides_the_value() {
        let payload = Payload::encode("secret", "x").expect("encodes");
        assert_eq!(format!("{payload:?}"), "Payload(7 bytes)");
    }
}
