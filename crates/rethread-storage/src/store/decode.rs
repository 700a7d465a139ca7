//! Reading values, and no more of them than is asked for.

use std::fmt;

use rethread_core::extension::Extension;
use rethread_core::payload::{Payload, in_plain_words};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::value::Value;

/// Deeper values are not looked into.
const DEPTH_MAX: usize = 128;

/// Most elements that a length in front of them is believed before they are seen.
const TRUSTED_LENGTH_MAX: usize = 1_024;

const A_MAP: &str = "a map (a struct, or an object of JSON)";

impl Value {
    pub(super) fn decode(payload: &Payload) -> Result<Self, String> {
        decode(payload, |reader| Self::deserialize(reader))
    }
}

/// Checks that a payload is one value, and that it is a map.
pub(super) fn check_map(payload: &Payload) -> Result<(), String> {
    decode(payload, |reader| reader.deserialize_any(MapShape)).map(drop)
}

/// The entries of a map with these keys, in their order; the rest of it is not decoded.
pub(super) fn pick(payload: &Payload, keys: &[&str]) -> Result<Vec<Option<Value>>, String> {
    decode(payload, |reader| reader.deserialize_any(Pick { keys }))
}

fn decode<'p, T>(
    payload: &'p Payload,
    read: impl FnOnce(&mut Reader<'p>) -> Result<T, rmp_serde::decode::Error>,
) -> Result<T, String> {
    let mut reader = Reader::new(payload.as_bytes());
    reader.set_max_depth(DEPTH_MAX);
    let value = read(&mut reader).map_err(|error| in_plain_words(&error.to_string(), ""))?;
    if reader.into_inner().is_empty() {
        Ok(value)
    } else {
        Err("there are bytes behind it: encode one value".into())
    }
}

type Reader<'p> = rmp_serde::Deserializer<rmp_serde::decode::ReadReader<&'p [u8]>>;

struct MapShape;

impl<'de> Visitor<'de> for MapShape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A_MAP)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

struct Pick<'k> {
    keys: &'k [&'k str],
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Vec<Option<Value>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A_MAP)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut picked = vec![None; self.keys.len()];
        while let Some(key) = map.next_key::<Value>()? {
            let wanted = |wanted: &&str| matches!(&key, Value::Text(key) if key == wanted);
            let Some(first) = self.keys.iter().position(wanted) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value: Value = map.next_value()?;
            for (slot, name) in picked.iter_mut().zip(self.keys) {
                if *name == self.keys[first] {
                    *slot = Some(value.clone());
                }
            }
        }
        Ok(picked)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(None, value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(TRUSTED_LENGTH_MAX));
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0).min(TRUSTED_LENGTH_MAX));
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Value, D::Error> {
        let Extension { number, bytes } = Extension::deserialize(extension)?;
        Ok(Value::Bytes(Some(number), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;
    use serde_json::json;

    fn payload(value: impl Serialize) -> Payload {
        Payload::encode(&value, "a test value").expect("encodes")
    }

    fn value(value: impl Serialize) -> Value {
        Value::decode(&payload(value)).expect("decodes")
    }

    #[test]
    fn only_maps_are_maps() {
        assert_eq!(check_map(&payload(json!({"a": [1, {"b": null}], "c": 1.5}))), Ok(()));
        assert_eq!(check_map(&payload(json!({}))), Ok(()));
        for other in [json!(null), json!([]), json!("text"), json!(1), json!(true)] {
            let refused = check_map(&payload(&other)).expect_err("not a map");
            assert!(refused.contains("a map"), "{other}: {refused}");
        }
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        let whole = payload(json!({"a": "text", "b": [1, 2, 3]})).as_bytes().to_vec();
        for len in 0..whole.len() {
            let cut = Payload::from_bytes(whole[..len].to_vec().into());
            assert!(check_map(&cut).is_err() && pick(&cut, &["a"]).is_err(), "cut to {len}");
        }
        let long = Payload::from_bytes([&whole[..], &[0xc0]].concat().into());
        assert!(check_map(&long).is_err(), "something behind it");
        let mut deep = [0x81, 0xa1, b'a'].repeat(100_000);
        deep.push(0xc0);
        assert!(check_map(&Payload::from_bytes(deep.into())).is_err(), "too deep");
    }

    #[test]
    fn entries_are_picked() {
        let map = payload(json!({"a": 1, "b": {"c": "text"}, "d": [true, null]}));
        let picked = pick(&map, &["d", "x", "b", "d"]).expect("decodes");
        let d = Some(Value::List(vec![Value::Bool(true), Value::Null]));
        assert_eq!(picked, [d.clone(), None, Some(value(json!({"c": "text"}))), d]);
    }

    #[test]
    fn extensions_and_bytes_are_read() {
        for (bytes, expected) in [
            (&[0xd6, 0xff, 1, 2, 3, 4][..], Value::Bytes(Some(-1), vec![1, 2, 3, 4])),
            (&[0xc7, 3, 5, 1, 2, 3][..], Value::Bytes(Some(5), vec![1, 2, 3])),
            (&[0xc4, 2, 7, 8][..], Value::Bytes(None, vec![7, 8])),
        ] {
            let payload = Payload::from_bytes(bytes.to_vec().into());
            assert_eq!(Value::decode(&payload), Ok(expected));
            let map = [&[0x82, 0xa1, b'a'], bytes, &[0xa1, b'b', 0xc3]].concat();
            let map = Payload::from_bytes(map.into());
            assert_eq!(check_map(&map), Ok(()));
            assert_eq!(pick(&map, &["b"]), Ok(vec![Some(Value::Bool(true))]), "it is passed over");
        }
    }
}
