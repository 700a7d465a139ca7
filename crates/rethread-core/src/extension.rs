//! Extension types, which values of other programs may have.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// A value of an extension type of MessagePack: who made it gave its type a number.
///
/// It is read by visitors of any value, which meet one as a newtype struct
/// ([`Visitor::visit_newtype_struct`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The number of the type.
    pub number: i8,
    /// The value, in a form that the type says.
    pub bytes: Vec<u8>,
}

impl<'de> Deserialize<'de> for Extension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parts)
    }
}

/// Reads the number and the bytes, which come as a list.
struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Extension;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an extension type of MessagePack")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Extension, A::Error> {
        let number = parts.next_element()?.ok_or_else(|| A::Error::missing_field("number"))?;
        let bytes = parts.next_element_seed(Bytes)?;
        let bytes = bytes.ok_or_else(|| A::Error::missing_field("bytes"))?;
        Ok(Extension { number, bytes })
    }
}

struct Bytes;

impl<'de> DeserializeSeed<'de> for Bytes {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}
