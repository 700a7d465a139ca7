//! Values of users, looked into: only here does the storage know what its bytes mean.

use std::cmp::Ordering;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Any value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    /// Bytes; for an extension of MessagePack, with its tag.
    Bytes(Option<i8>, Vec<u8>),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
}

impl Value {
    /// An entry of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let entry =
            entries.iter().find(|(name, _)| matches!(name, Self::Text(name) if name == key));
        entry.map(|(_, value)| value)
    }

    /// Equality of what is meant: numbers by their value, maps in any order.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => {
                self.order(other) == Some(Ordering::Equal)
            }
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Self::Map(a), Self::Map(b)) => {
                let has = |(key, value): &(Self, Self)| {
                    b.iter().any(|(k, v)| k.equals(key) && v.equals(value))
                };
                a.len() == b.len() && a.iter().all(has)
            }
            _ => self == other,
        }
    }

    /// The order of two numbers or two texts; other values have none.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Float(b)) => order_mixed(*a, *b),
            (Self::Float(a), Self::Int(b)) => order_mixed(*b, *a).map(Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// The value as a text to be embedded; none if there is nothing to say about it.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Null | Self::Bytes(..) => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Text(value) => Some(value.clone()),
            Self::List(_) | Self::Map(_) => serde_json::to_string(&Json(self)).ok(),
        }
    }
}

/// The exact order of an integer and a float.
fn order_mixed(int: i128, float: f64) -> Option<Ordering> {
    const BEYOND: f64 = 1e30;
    if float.is_nan() {
        return None;
    }
    if float.abs() > BEYOND {
        // Integers of MessagePack have 64 bits.
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let whole = float.trunc();
    let fraction = 0.0_f64.partial_cmp(&(float - whole))?;
    Some(int.cmp(&(whole as i128)).then(fraction))
}

/// A value as JSON with sorted keys: equal values have equal texts.
struct Json<'v>(&'v Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null | Value::Bytes(..) => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i128(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(value) => serializer.serialize_str(value),
            Value::List(values) => serializer.collect_seq(values.iter().map(Json)),
            Value::Map(entries) => {
                let named = entries.iter().filter_map(|(key, value)| Some((key.text()?, value)));
                let mut named: Vec<_> = named.collect();
                named.sort_by(|(a, _), (b, _)| a.cmp(b));
                let mut map = serializer.serialize_map(Some(named.len()))?;
                for (key, value) in named {
                    map.serialize_entry(&key, &Json(value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rethread_core::payload::Payload;
    use serde_json::json;

    fn value(value: impl Serialize) -> Value {
        let payload = Payload::encode(&value, "a test value").expect("encodes");
        Value::decode(&payload).expect("decodes")
    }

    #[test]
    fn numbers_are_ordered_exactly() {
        use Ordering::{Equal, Greater, Less};
        let big = (1_u64 << 53) + 1;
        for (a, b, expected) in [
            (value(1), value(1.0), Some(Equal)),
            (value(1), value(1.5), Some(Less)),
            (value(-1), value(-1.5), Some(Greater)),
            (value(big), value(big as f64), Some(Greater)),
            (value(u64::MAX), value(u64::MAX as f64), Some(Less)),
            (value(i64::MIN), value(i64::MIN as f64), Some(Equal)),
            (value(0), value(f64::NAN), None),
            (value(u64::MAX), value(f64::INFINITY), Some(Less)),
            (value(i64::MIN), value(f64::NEG_INFINITY), Some(Greater)),
            (value("a"), value("b"), Some(Less)),
            (value("1"), value(1), None),
            (value(true), value(1), None),
            (value(json!(null)), value(json!(null)), None),
        ] {
            assert_eq!(a.order(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.order(&a), expected.map(Ordering::reverse), "{b:?} {a:?}");
        }
    }

    #[test]
    fn equality_is_that_of_what_is_meant() {
        let equal = [
            (json!({"a": 1, "b": [1.0, null]}), json!({"b": [1, null], "a": 1.0})),
            (json!("é"), json!("é")),
        ];
        let different = [
            (json!(1), json!(true)),
            (json!(1), json!("1")),
            (json!([1, 2]), json!([2, 1])),
            (json!([1]), json!([1, 1])),
            (json!({"a": 1}), json!({"a": 1, "b": 1})),
            (json!({"a": null}), json!({"b": null})),
            (json!(null), json!(false)),
        ];
        for (a, b) in equal {
            assert!(value(&a).equals(&value(&b)), "{a} {b}");
        }
        for (a, b) in different {
            assert!(!value(&a).equals(&value(&b)), "{a} {b}");
        }
    }

    #[test]
    fn texts_say_what_the_value_is() {
        for (given, text) in [
            (json!("plain \"text\""), Some("plain \"text\"")),
            (json!(7), Some("7")),
            (json!(1.5), Some("1.5")),
            (json!(true), Some("true")),
            (json!(null), None),
            (json!({"b": [1, "x"], "a": {"é": null}}), Some(r#"{"a":{"é":null},"b":[1,"x"]}"#)),
        ] {
            assert_eq!(value(&given).text().as_deref(), text, "{given}");
        }
    }
}
