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
        /// What was given and what was expected, without the value.
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
        rmp_serde::from_slice(&self.0).map_err(|error| {
            let type_name = std::any::type_name::<T>();
            let reason = in_plain_words(&error.to_string(), type_name);
            PayloadError::Decode { what: what.to_string(), type_name, reason }
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

    /// A part of the bytes that is one encoded value itself.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self(self.0.slice(range))
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

/// What serde and the encoding say of a value that does not fit `type_name`, in plain words and
/// without the value, which is the user's and may end in a log. Texts that are neither theirs nor
/// known stay as they are.
pub fn in_plain_words(reason: &str, type_name: &str) -> String {
    if let Some(marker) = reason.strip_prefix("wrong msgpack marker ") {
        let expected = match type_name {
            "bool" => "a boolean",
            "f32" | "f64" => "a number",
            name if is_integer(name) => "a whole number",
            // Only numbers and booleans are read by their markers.
            _ => "a number or a boolean",
        };
        return format!("{} was given, expected {expected}", given_by_marker(marker));
    }
    // The value stands in front of the last separator, whatever is in it.
    let split = |rest: &str| {
        rest.rsplit_once(", expected ").map(|(given, expected)| {
            (given_by_serde(given), plain_expectation(expected), given.to_owned())
        })
    };
    if let Some((given, expected, _)) = reason.strip_prefix("invalid type: ").and_then(split) {
        return format!("{given} was given, expected {expected}");
    }
    if let Some((given, expected, _)) = reason.strip_prefix("invalid value: ").and_then(split) {
        return format!("{given} that does not fit was given, expected {expected}");
    }
    if let Some((_, expected, length)) = reason.strip_prefix("invalid length ").and_then(split) {
        return format!("a list or map of length {length} was given, expected {expected}");
    }
    if let Some(rest) = reason.strip_prefix("unknown variant `") {
        let known = rest.rsplit_once("`, expected ").map(|(_, known)| known);
        return match known {
            Some(known) => format!("a text that names no variant was given, expected {known}"),
            None => "a text was given for a variant, and there are no variants".to_owned(),
        };
    }
    if reason.starts_with("array had incorrect length") {
        return "a list or map with another number of elements was given".to_owned();
    }
    if reason.starts_with("IO error while reading ") {
        return "the value is cut off".to_owned();
    }
    match reason {
        "numeric cast found out of range" => "a number that does not fit was given".to_owned(),
        "depth limit exceeded" => "the value is nested too deeply".to_owned(),
        _ => reason.to_owned(),
    }
}

fn is_integer(type_name: &str) -> bool {
    matches!(
        type_name,
        "u8" | "u16"
            | "u32"
            | "u64"
            | "u128"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "i128"
            | "isize"
    )
}

/// `FixStr(5)`, `Str8`: the letters behind `Fix` tell the kind, the rest a size or a value.
fn given_by_marker(marker: &str) -> &'static str {
    let marker = marker.trim_start_matches("Fix");
    let end = marker.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(marker.len());
    match &marker[..end] {
        "Null" => "nothing",
        "True" | "False" => "a boolean",
        "Str" => "a text",
        "Array" => "a list",
        "Map" => "a map",
        "Bin" => "bytes",
        "Pos" | "Neg" | "U" | "I" => "a number",
        "F" => "a floating-point number",
        _ => "something else",
    }
}

/// The kind of value that serde's [`Unexpected`](serde::de::Unexpected) tells of.
fn given_by_serde(given: &str) -> &'static str {
    let kinds = [
        ("boolean", "a boolean"),
        ("integer", "a number"),
        ("floating point", "a floating-point number"),
        ("character", "a text"),
        ("string", "a text"),
        ("byte array", "bytes"),
        ("unit value", "nothing"),
        ("sequence", "a list"),
        ("map", "a map"),
        ("unit variant", "the name of a variant alone"),
    ];
    let found = kinds.iter().find(|(kind, _)| given.starts_with(kind));
    found.map_or("something else", |(_, plain)| plain)
}

fn plain_expectation(expected: &str) -> String {
    match expected {
        "a string" | "a borrowed string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "unit" => "nothing".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "variant identifier" => "the name of a variant".to_owned(),
        name if is_integer(name) => format!("a whole number (`{name}`)"),
        other => match other.strip_prefix("struct ") {
            Some(name) if !name.contains(' ') => format!("a map with the fields of `{name}`"),
            _ => other.to_owned(),
        },
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
    fn a_value_of_another_kind_is_told_in_plain_words_and_not_shown() {
        #[derive(Debug, Deserialize)]
        struct Review {
            #[serde(rename = "stars")]
            _stars: u8,
        }
        #[derive(Debug, Deserialize)]
        enum Answer {
            Yes,
            No,
        }
        fn reason<T: DeserializeOwned + fmt::Debug>(value: impl Serialize) -> String {
            let payload = Payload::encode(&value, "x").expect("encodes");
            match payload.decode::<T>("x") {
                Err(PayloadError::Decode { reason, .. }) => reason,
                other => panic!("no error of decoding: {other:?}"),
            }
        }
        let secret = "my, expected secret";
        let stars = |stars: i32| std::collections::BTreeMap::from([("stars", stars)]);
        let table = [
            (reason::<bool>(secret), "a text was given, expected a boolean"),
            (reason::<u64>([1, 2]), "a list was given, expected a whole number"),
            (reason::<f64>(stars(7)), "a map was given, expected a number"),
            (reason::<bool>(77), "a number was given, expected a boolean"),
            (reason::<Option<bool>>(secret), "a text was given, expected a number or a boolean"),
            (
                reason::<u8>(7.5),
                "a floating-point number was given, expected a whole number (`u8`)",
            ),
            (
                reason::<u8>(777),
                "a number that does not fit was given, expected a whole number (`u8`)",
            ),
            (reason::<String>(777), "a number was given, expected a text"),
            (reason::<String>(()), "nothing was given, expected a text"),
            (reason::<String>(true), "a boolean was given, expected a text"),
            (reason::<()>(secret), "a text was given, expected nothing"),
            (reason::<Vec<u8>>(secret), "a text was given, expected a list"),
            (
                reason::<Review>(secret),
                "a text was given, expected a map with the fields of `Review`",
            ),
            (
                reason::<Review>(stars(777)),
                "a number that does not fit was given, expected a whole number (`u8`)",
            ),
            (
                reason::<Answer>(secret),
                "a text that names no variant was given, expected `Yes` or `No`",
            ),
            (
                reason::<(u8, u8)>([1, 2, 3]),
                "a list or map with another number of elements was given",
            ),
            (
                reason::<(u8, u8)>([1]),
                "a list or map of length 1 was given, expected a tuple of size 2",
            ),
        ];
        for (reason, plain) in table {
            assert_eq!(reason, plain);
        }
        let cut = Payload::from_bytes(Bytes::new()).decode::<u8>("x").expect_err("no bytes");
        assert!(cut.to_string().ends_with("the value is cut off"), "{cut}");
        assert!(matches!(
            Payload::encode("Yes", "x").expect("encodes").decode("x"),
            Ok(Answer::Yes)
        ));
    }

    #[test]
    fn what_the_type_says_itself_stays() {
        assert_eq!(in_plain_words("no such card", "Card"), "no such card");
        assert_eq!(in_plain_words("missing field `a`", "Card"), "missing field `a`");
    }

    #[test]
    fn debug_hides_the_value() {
        let payload = Payload::encode("secret", "x").expect("encodes");
        assert_eq!(format!("{payload:?}"), "Payload(7 bytes)");
    }
}
