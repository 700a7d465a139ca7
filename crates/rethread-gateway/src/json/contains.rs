use serde_json::{Number, Value};

/// Whether a value has at least what `part` has: objects have its members, lists have its
/// elements somewhere, and everything else is equal.
pub(super) fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| value.get(name).is_some_and(|value| contains(value, part))),
        (Value::Array(value), Value::Array(part)) => {
            part.iter().all(|part| value.iter().any(|value| contains(value, part)))
        }
        (Value::Number(value), Value::Number(part)) => is_equal(value, part),
        _ => value == part,
    }
}

/// Whether two numbers are the same, however they are written.
fn is_equal(a: &Number, b: &Number) -> bool {
    a == b || (a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_contains_its_parts() {
        let value = json!({"a": {"b": [1, 2, {"c": null}], "d": "x"}, "n": 7});
        for part in [
            json!({}),
            json!({"n": 7.0}),
            json!({"a": {}}),
            json!({"a": {"d": "x"}, "n": 7}),
            json!({"a": {"b": [2]}}),
            json!({"a": {"b": [{"c": null}, 1]}}),
        ] {
            assert!(contains(&value, &part), "{part}");
        }
        for part in [
            json!({"m": 7}),
            json!({"n": "7"}),
            json!({"n": [7]}),
            json!({"a": {"b": [3]}}),
            json!({"a": {"b": 1}}),
            json!({"a": null}),
            json!([]),
            json!(null),
        ] {
            assert!(!contains(&value, &part), "{part}");
        }
        assert!(contains(&json!(3), &json!(3)), "scalars are values too");
        assert!(!contains(&json!(u64::MAX), &json!(u64::MAX - 1)), "no rounding");
    }
}
