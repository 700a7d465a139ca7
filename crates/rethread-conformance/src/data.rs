//! Values of programs, and how they travel.

use serde::de::Deserializer;
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The key that marks a value no serializer takes.
const OPAQUE: &str = "$opaque";

/// A value that no serializer takes, as programs hold it.
pub(crate) fn opaque() -> Value {
    json!({ OPAQUE: "Opaque" })
}

fn is_opaque(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_opaque),
        Value::Object(entries) => {
            (entries.len() == 1 && entries.contains_key(OPAQUE)) || entries.values().any(is_opaque)
        }
        _ => false,
    }
}

/// A value on its way into or out of a body.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Data(pub(crate) Value);

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if is_opaque(&self.0) {
            return Err(S::Error::custom("the value cannot be serialized"));
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

/// False are null, false, zero and what is empty.
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// A text is itself; everything else is JSON with sorted keys and a space behind `,` and `:`.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            write_json(other, &mut out);
            out
        }
    }
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { ", " });
                write_json(item, out);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (place, (key, item)) in sorted.into_iter().enumerate() {
                out.push_str(if place == 0 { "" } else { ", " });
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push_str(": ");
                write_json(item, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// An element by key or by index, negative from the end; null where there is nothing.
pub(crate) fn element(value: &Value, key: &Value) -> Value {
    let found = match value {
        Value::Object(entries) => entries.get(&text(key)),
        Value::Array(items) => {
            let place = key.as_i64().or_else(|| key.as_str()?.parse().ok());
            place.and_then(|place| {
                let from_start = if place < 0 { place + items.len() as i64 } else { place };
                items.get(usize::try_from(from_start).ok()?)
            })
        }
        _ => None,
    };
    found.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_values() {
        assert_eq!(text(&json!("é")), "é");
        assert_eq!(
            text(&json!({"b": [1, "x", null], "a": {}})),
            r#"{"a": {}, "b": [1, "x", null]}"#
        );
    }

    #[test]
    fn elements_are_found_by_key_and_index() {
        let value = json!({"a": [1, 2, 3]});
        let list = element(&value, &json!("a"));
        assert_eq!(element(&list, &json!(-1)), json!(3));
        assert_eq!(element(&list, &json!("1")), json!(2));
        assert_eq!(element(&list, &json!(-4)), Value::Null);
        assert_eq!(element(&json!(7), &json!(0)), Value::Null);
    }

    #[test]
    fn an_opaque_value_does_not_travel() {
        assert!(serde_json::to_value(Data(json!([1, {"a": opaque()}]))).is_err());
        assert!(serde_json::to_value(Data(json!([1, {"a": 2}]))).is_ok());
    }
}
