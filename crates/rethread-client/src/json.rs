//! JSON at the edges: values are MessagePack inside, and JSON for people and other programs.
//!
//! Every JSON value has a payload and comes back unchanged. The other way there are values that
//! JSON cannot say. [`from_payload`] says them like this, or refuses:
//!
//! | MessagePack | JSON |
//! |---|---|
//! | binary, text that is not UTF-8 | array of numbers, which serde reads back as bytes |
//! | map key that is a number or a boolean | its text |
//! | NaN, infinities | `null` |
//! | other map keys, two keys of the same text, extension types, more than 128 levels, bytes that are no value | an error |
//!
//! [`show`] and [`Shown`] are for who looks at values whatever they are, and say the rest as
//! something:
//!
//! | MessagePack | JSON |
//! |---|---|
//! | other map key | the JSON text of it: `0.5`, `[1,2]`; of two keys with the same text the last one stands |
//! | extension type | `{"type": NUMBER, "bytes": [..]}` |
//! | more than 128 levels, bytes that are no value | the text `(N bytes that JSON cannot say)` |

mod reader;
mod requests;
mod shown;

use std::fmt;

use rethread_core::payload::{Payload, PayloadError};
use serde::de::{Deserialize, DeserializeSeed, Deserializer};
use serde_json::{Value, json};

use reader::{Reader, Unsayable};
pub(crate) use requests::answers;

/// The payload as JSON; `what` names it in the error.
///
/// # Errors
/// [`PayloadError::Decode`] when JSON cannot say the value.
///
/// ```
/// use rethread_client::{Payload, json};
///
/// let payload = Payload::encode(&("essay", 3), "example")?;
/// assert_eq!(json::from_payload(&payload, "example")?, serde_json::json!(["essay", 3]));
/// # Ok::<(), rethread_client::PayloadError>(())
/// ```
pub fn from_payload(payload: &Payload, what: impl fmt::Display) -> Result<Value, PayloadError> {
    match payload.decode::<Json>(what) {
        Ok(Json(value)) => Ok(value),
        Err(PayloadError::Decode { what, reason, .. }) => {
            Err(PayloadError::Decode { what, type_name: "JSON", reason })
        }
        Err(error) => Err(error),
    }
}

/// JSON as a payload; `what` names it in the error.
///
/// # Errors
/// [`PayloadError::Encode`] when serde refuses the value.
pub fn to_payload(value: &Value, what: impl fmt::Display) -> Result<Payload, PayloadError> {
    Payload::encode(value, what)
}

/// The payload as JSON, whatever it is.
///
/// ```
/// use rethread_client::{Payload, json};
///
/// let map = std::collections::BTreeMap::from([((1, 2), "pair")]);
/// let payload = Payload::encode(&map, "example")?;
/// assert!(json::from_payload(&payload, "example").is_err());
/// assert_eq!(json::show(&payload), serde_json::json!({ "[1,2]": "pair" }));
/// # Ok::<(), rethread_client::PayloadError>(())
/// ```
pub fn show(payload: &Payload) -> Value {
    match payload.decode::<Shown>("value") {
        Ok(Shown(value)) => value,
        Err(_) => json!(format!("({} bytes that JSON cannot say)", payload.len())),
    }
}

/// A value read as JSON, whatever it is, as [`show`] does. Only values of too many levels, and
/// bytes that are no value, are an error.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown(pub Value);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader::new(Unsayable::Shown).deserialize(deserializer).map(Self)
    }
}

struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader::new(Unsayable::Refused).deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn strictly<T: serde::Serialize>(value: &T) -> Result<Value, PayloadError> {
        from_payload(&Payload::encode(value, "x")?, "the value")
    }

    fn of_bytes(bytes: &[u8]) -> Payload {
        Payload::from_bytes(bytes.to_vec().into())
    }

    fn encoded<T: serde::Serialize>(value: &T) -> Value {
        show(&Payload::encode(value, "x").expect("encodes"))
    }

    fn shown(bytes: &[u8]) -> Value {
        show(&of_bytes(bytes))
    }

    #[test]
    fn json_comes_back_unchanged() {
        let value = json!({
            "null": null, "yes": true, "min": i64::MIN, "max": u64::MAX, "third": 1.5,
            "text": "é\u{0}", "list": [[], {}, [1]], "": {"deep": {"er": -1}},
        });
        let payload = to_payload(&value, "x").expect("encodes");
        assert_eq!(show(&payload), value);
        assert_eq!(from_payload(&payload, "x"), Ok(value));
    }

    #[test]
    fn what_json_lacks_is_said_otherwise() {
        struct Binary;
        impl serde::Serialize for Binary {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&[0, 255])
            }
        }
        assert_eq!(strictly(&Binary), Ok(json!([0, 255])));
        assert_eq!(
            strictly(&BTreeMap::from([(-3, "a"), (7, "b")])),
            Ok(json!({"-3": "a", "7": "b"}))
        );
        assert_eq!(strictly(&BTreeMap::from([(true, ())])), Ok(json!({"true": null})));
        assert_eq!(strictly(&(f64::NAN, f64::INFINITY)), Ok(json!([null, null])));
    }

    #[test]
    fn what_json_cannot_say_is_an_error_that_names_the_value() {
        let error = strictly(&BTreeMap::from([((1, 2), "pair")])).expect_err("no key").to_string();
        assert!(error.starts_with("cannot decode the value as `JSON`: "), "{error}");
        assert!(error.contains("a list was given, expected a text"), "{error}");
        assert!(error.contains("key of a map"), "{error}");
        // 0x81 0xcb: a map with a float as its key; 0xd4: an extension type; 0x82: two keys with
        // the same text; 0x92: the second element is missing.
        let half = [&[0x81, 0xcb][..], &0.5_f64.to_be_bytes(), &[1]].concat();
        for bytes in [&half[..], &[0xd4, 5, 9], &[0x82, 1, 1, 0xa1, b'1', 2], &[0x92, 1], &[]] {
            assert!(from_payload(&of_bytes(bytes), "x").is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_shown_as_something() {
        assert_eq!(encoded(&(f64::NAN, f64::INFINITY, 1.5)), json!([null, null, 1.5]));
        assert_eq!(encoded(&BTreeMap::from([((1, 2), "a")])), json!({"[1,2]": "a"}));
        assert_eq!(encoded(&BTreeMap::from([((), 1)])), json!({"null": 1}));
        // 0xc4: binary; 0xa2: a text of two bytes that are not UTF-8.
        assert_eq!(shown(&[0xc4, 2, 0, 255]), json!([0, 255]));
        assert_eq!(shown(&[0xa2, 0xff, 0xfe]), json!([255, 254]));
        assert_eq!(shown(&[0x81, 0xa1, 0xff, 1]), json!({"[255]": 1}));
        assert_eq!(shown(&[0xd4, 5, 9]), json!({"type": 5, "bytes": [9]}));
        let half = [&[0x81, 0xcb][..], &0.5_f64.to_be_bytes(), &[1]].concat();
        assert_eq!(shown(&half), json!({"0.5": 1}));
        assert_eq!(shown(&[0x82, 1, 1, 0xa1, b'1', 2]), json!({"1": 2}));
        assert_eq!(shown(&[0x92, 1]), json!("(2 bytes that JSON cannot say)"));
        assert_eq!(shown(&[]), json!("(0 bytes that JSON cannot say)"));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |levels: usize| of_bytes(&[vec![0x91; levels], vec![0xc0]].concat());
        assert!(from_payload(&nested(128), "x").is_ok() && show(&nested(128)).is_array());
        let error = from_payload(&nested(129), "x").expect_err("too deep").to_string();
        assert!(error.contains("128 levels"), "{error}");
        assert!(from_payload(&nested(100_000), "x").is_err());
        assert_eq!(show(&nested(129)), json!("(130 bytes that JSON cannot say)"));
        assert_eq!(show(&nested(100_000)), json!("(100001 bytes that JSON cannot say)"));
    }
}
