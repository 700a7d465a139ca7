//! Values of programs as JSON.
//!
//! Programs may have values that JSON cannot say. Each of them is shown as something, so that a
//! thread with such a value is found, read and streamed like any other:
//!
//! | MessagePack | JSON |
//! |---|---|
//! | NaN, infinities | `null`, as Python's and JavaScript's own writers of JSON have it |
//! | binary, text that is not UTF-8 | list of its bytes |
//! | extension type | `{"type": NUMBER, "bytes": [..]}` |
//! | key of a map that is no text | the JSON text of it: `7`, `true`, `[1,2]`; of two keys with the same text the last one stands |
//! | values of more than 128 levels, bytes that are no value | the text `(N bytes that JSON cannot say)` |

use std::fmt;

use rethread_client::{AnyValue, Payload};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Number, Value, json};

use super::Object;

/// As deep as readers of JSON go. The store takes no deeper ones either.
const LEVELS_MAX: u32 = 128;

/// A value of a program as JSON.
pub(crate) fn shown(value: &AnyValue) -> Value {
    shown_payload(value.payload())
}

/// The same of an encoded value.
pub(crate) fn shown_payload(payload: &Payload) -> Value {
    match payload.decode::<Shown>("value") {
        Ok(Shown(value)) => value,
        Err(_) => json!(format!("({} bytes that JSON cannot say)", payload.len())),
    }
}

/// A value of a program, read as JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown(pub(crate) Value);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Levels(LEVELS_MAX).deserialize(deserializer).map(Self)
    }
}

/// Reads a value that may have so many levels.
#[derive(Clone, Copy)]
struct Levels(u32);

impl Levels {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        let below = self.0.checked_sub(1).map(Self);
        below.ok_or_else(|| E::custom(format_args!("nested deeper than {LEVELS_MAX} levels")))
    }
}

impl<'de> DeserializeSeed<'de> for Levels {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Levels {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(below)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Object::new();
        while let Some(key) = map.next_key_seed(below)? {
            let name = match key {
                Value::String(name) => name,
                key => key.to_string(),
            };
            members.insert(name, map.next_value_seed(below)?);
        }
        Ok(Value::Object(members))
    }

    /// An extension type: its number and its bytes.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Value, D::Error> {
        extension.deserialize_any(Extension)
    }
}

struct Extension;

impl<'de> Visitor<'de> for Extension {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an extension type")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Value, A::Error> {
        let number: i8 = parts.next_element()?.ok_or_else(|| A::Error::missing_field("type"))?;
        let bytes = parts.next_element_seed(Bytes)?;
        let bytes = bytes.ok_or_else(|| A::Error::missing_field("bytes"))?;
        Ok(json!({ "type": number, "bytes": bytes }))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(value: impl serde::Serialize) -> Value {
        shown_payload(&Payload::encode(&value, "x").expect("encodes"))
    }

    fn of_bytes(bytes: &[u8]) -> Value {
        shown_payload(&Payload::from_bytes(bytes.to_vec().into()))
    }

    #[test]
    fn json_stays_as_it_is() {
        let value = json!({
            "null": null, "yes": true, "min": i64::MIN, "max": u64::MAX, "third": 1.5,
            "text": "é\u{0}", "list": [[], {}, [1]], "": {"deep": {"er": -1}},
        });
        assert_eq!(of(&value), value);
    }

    #[test]
    fn what_json_cannot_say_is_shown_as_something() {
        assert_eq!(of((f64::NAN, f64::INFINITY, 1.5)), json!([null, null, 1.5]));
        assert_eq!(of(BTreeMap::from([(-3, "a"), (7, "b")])), json!({"-3": "a", "7": "b"}));
        assert_eq!(of(BTreeMap::from([((1, 2), "a")])), json!({"[1,2]": "a"}));
        assert_eq!(of(BTreeMap::from([((), 1)])), json!({"null": 1}));
        // 0xc4: binary; 0xa2: a text of two bytes that are not UTF-8; 0xd4: an extension type;
        // 0x81 0xcb: a map with a float as its key.
        assert_eq!(of_bytes(&[0xc4, 2, 0, 255]), json!([0, 255]));
        assert_eq!(of_bytes(&[0xa2, 0xff, 0xfe]), json!([255, 254]));
        assert_eq!(of_bytes(&[0x81, 0xa1, 0xff, 1]), json!({"[255]": 1}));
        assert_eq!(of_bytes(&[0xd4, 5, 9]), json!({"type": 5, "bytes": [9]}));
        let half = [&[0x81, 0xcb][..], &0.5_f64.to_be_bytes(), &[1]].concat();
        assert_eq!(of_bytes(&half), json!({"0.5": 1}));
        assert_eq!(of_bytes(&[0x82, 1, 1, 0xa1, b'1', 2]), json!({"1": 2}));
        assert_eq!(of_bytes(&[0x92, 1]), json!("(2 bytes that JSON cannot say)"));
        assert_eq!(of_bytes(&[]), json!("(0 bytes that JSON cannot say)"));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |levels: usize| of_bytes(&[vec![0x91; levels], vec![0xc0]].concat());
        assert!(nested(128).is_array());
        assert_eq!(nested(129), json!("(130 bytes that JSON cannot say)"));
        assert_eq!(nested(100_000), json!("(100001 bytes that JSON cannot say)"));
    }
}
