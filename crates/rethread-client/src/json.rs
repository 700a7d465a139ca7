//! JSON at the edges: values are MessagePack inside, and JSON for people and other programs.
//!
//! Every JSON value has a payload and comes back unchanged. The other way, what JSON cannot say
//! is said like this:
//!
//! | MessagePack | JSON |
//! |---|---|
//! | binary | array of numbers, which serde reads back as bytes |
//! | map key that is a number or a boolean | its text |
//! | NaN, infinities | `null` |
//! | other map keys, extension types, more than 128 levels | an error |

mod requests;
mod shown;

use std::fmt;

use rethread_core::payload::{Payload, PayloadError};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

pub(crate) use requests::answers;

/// As deep as serde_json reads text.
const DEPTH_MAX: u32 = 128;

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

struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Level(DEPTH_MAX).deserialize(deserializer).map(Json)
    }
}

/// Reads one value that may have this many levels.
#[derive(Clone, Copy)]
struct Level(u32);

impl Level {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.0.checked_sub(1) {
            Some(below) => Ok(Self(below)),
            None => Err(E::custom(format_args!("nested deeper than {DEPTH_MAX} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can say")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(value.iter().copied().collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Map::new();
        while let Some(key) = map.next_key_seed(Key)? {
            let value = map.next_value_seed(below)?;
            if values.contains_key(&key) {
                return Err(A::Error::custom(format_args!("key `{key}` is there twice")));
            }
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

/// Reads the key of a map as text.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, number or boolean as the key of a map")
    }

    fn visit_str<E>(self, key: &str) -> Result<String, E> {
        Ok(key.to_owned())
    }

    fn visit_bool<E>(self, key: bool) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_i64<E>(self, key: i64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_u64<E>(self, key: u64) -> Result<String, E> {
        Ok(key.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn shown<T: serde::Serialize>(value: &T) -> Result<Value, PayloadError> {
        from_payload(&Payload::encode(value, "x")?, "the value")
    }

    #[test]
    fn json_comes_back_unchanged() {
        let value = json!({
            "null": null, "yes": true, "min": i64::MIN, "max": u64::MAX, "third": 1.5,
            "text": "é\u{0}", "list": [[], {}, [1]], "": {"deep": {"er": -1}},
        });
        let payload = to_payload(&value, "x").expect("encodes");
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
        assert_eq!(shown(&Binary), Ok(json!([0, 255])));
        assert_eq!(shown(&BTreeMap::from([(-3, "a"), (7, "b")])), Ok(json!({"-3": "a", "7": "b"})));
        assert_eq!(shown(&BTreeMap::from([(true, ())])), Ok(json!({"true": null})));
        assert_eq!(shown(&(f64::NAN, f64::INFINITY)), Ok(json!([null, null])));
    }

    #[test]
    fn what_json_cannot_say_is_an_error_that_names_the_value() {
        let error = shown(&BTreeMap::from([((1, 2), "pair")])).expect_err("no key").to_string();
        assert!(error.starts_with("cannot decode the value as `JSON`: "), "{error}");
        assert!(error.contains("key of a map"), "{error}");
    }

    #[test]
    fn depth_is_limited() {
        let nested = |levels: usize| {
            let mut bytes = vec![0x91; levels];
            bytes.push(0xc0);
            from_payload(&Payload::from_bytes(bytes.into()), "x")
        };
        assert!(nested(128).is_ok());
        assert!(nested(129).expect_err("too deep").to_string().contains("128 levels"));
        assert!(nested(100_000).is_err());
    }
}
