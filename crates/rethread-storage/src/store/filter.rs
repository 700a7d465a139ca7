//! Conditions of a search.

use rethread_core::payload::Payload;
use rethread_core::store::{Comparison, Condition};

use super::StoreFailure;
use super::decode::pick;
use super::value::Value;

/// Conditions that are ready to be checked. All must hold.
#[derive(Debug, Default)]
pub(super) struct Filter {
    tests: Vec<(String, Test)>,
}

#[derive(Debug)]
enum Test {
    Compare(Comparison, Value),
    /// A map that has at least entries that pass.
    Entries(Vec<(String, Self)>),
    /// A list whose elements pass, one by one.
    Elements(Vec<Self>),
    All(Vec<Self>),
}

impl Filter {
    pub(super) fn new(conditions: &[Condition]) -> Result<Self, StoreFailure> {
        let mut tests = Vec::with_capacity(conditions.len());
        for Condition { key, comparison, operand } in conditions {
            let test = Value::decode(operand).and_then(|operand| match comparison {
                Comparison::Eq => Test::like(operand),
                _ => Ok(Test::Compare(*comparison, operand)),
            });
            let unclear = |reason| StoreFailure::Filter { key: key.clone(), reason };
            tests.push((key.clone(), test.map_err(unclear)?));
        }
        Ok(Self { tests })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether a value passes. One that is no map passes nothing.
    pub(super) fn passes(&self, value: &Payload) -> bool {
        if self.is_empty() {
            return true;
        }
        let keys: Vec<_> = self.tests.iter().map(|(key, _)| key.as_str()).collect();
        pick(value, &keys).is_ok_and(|entries| {
            let mut tested = self.tests.iter().zip(&entries);
            tested.all(|((_, test), entry)| test.passes(entry.as_ref()))
        })
    }
}

impl Test {
    /// Equality in LangGraph's sense: maps match by subset, and may hold operators.
    fn like(operand: Value) -> Result<Self, String> {
        let entries = match operand {
            Value::Map(entries) => entries,
            Value::List(values) => {
                let tests = values.into_iter().map(Self::like);
                return Ok(Self::Elements(tests.collect::<Result<_, _>>()?));
            }
            scalar => return Ok(Self::Compare(Comparison::Eq, scalar)),
        };
        let mut named = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let Value::Text(key) = key else {
                return Err("a key of its map is not a text".into());
            };
            named.push((key, value));
        }
        if named.iter().any(|(key, _)| key.starts_with('$')) {
            let tests =
                named.into_iter().map(|(key, value)| Ok(Self::Compare(operator(&key)?, value)));
            return Ok(Self::All(tests.collect::<Result<_, String>>()?));
        }
        let tests = named.into_iter().map(|(key, value)| Ok((key, Self::like(value)?)));
        Ok(Self::Entries(tests.collect::<Result<_, String>>()?))
    }

    /// Whether a value passes; one that is not there counts as null.
    fn passes(&self, value: Option<&Value>) -> bool {
        let value = value.unwrap_or(&Value::Null);
        match self {
            Self::Compare(comparison, operand) => compare(value, *comparison, operand),
            Self::Entries(tests) => {
                matches!(value, Value::Map(_))
                    && tests.iter().all(|(key, test)| test.passes(value.get(key)))
            }
            Self::Elements(tests) => match value {
                Value::List(values) if values.len() == tests.len() => {
                    tests.iter().zip(values).all(|(test, value)| test.passes(Some(value)))
                }
                _ => false,
            },
            Self::All(tests) => tests.iter().all(|test| test.passes(Some(value))),
        }
    }
}

fn operator(name: &str) -> Result<Comparison, String> {
    match name {
        "$eq" => Ok(Comparison::Eq),
        "$ne" => Ok(Comparison::Ne),
        "$gt" => Ok(Comparison::Gt),
        "$gte" => Ok(Comparison::Gte),
        "$lt" => Ok(Comparison::Lt),
        "$lte" => Ok(Comparison::Lte),
        _ => Err(format!("`{name}` is no operator: use $eq, $ne, $gt, $gte, $lt or $lte")),
    }
}

/// Whether a comparison holds; one of values without an order does not.
fn compare(value: &Value, comparison: Comparison, operand: &Value) -> bool {
    let order = || value.order(operand);
    match comparison {
        Comparison::Eq => value.equals(operand),
        Comparison::Ne => !value.equals(operand),
        Comparison::Gt => order().is_some_and(|order| order.is_gt()),
        Comparison::Gte => order().is_some_and(|order| order.is_ge()),
        Comparison::Lt => order().is_some_and(|order| order.is_lt()),
        Comparison::Lte => order().is_some_and(|order| order.is_le()),
        // One that this version does not know.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn payload(value: &Json) -> Payload {
        Payload::encode(value, "a test value").expect("encodes")
    }

    fn condition(key: &str, comparison: Comparison, operand: &Json) -> Condition {
        Condition { key: key.into(), comparison, operand: payload(operand) }
    }

    fn passes(value: &Json, conditions: &[Condition]) -> bool {
        Filter::new(conditions).expect("a filter").passes(&payload(value))
    }

    #[test]
    fn comparisons_hold_as_in_langgraph() {
        use Comparison::{Eq, Gt, Gte, Lt, Lte, Ne};
        let value = json!({
            "n": 5, "f": 5.5, "t": "m", "b": true, "z": null,
            "m": {"x": 1, "y": {"u": "v", "w": 2}}, "l": [1, {"k": 2, "j": 3}],
        });
        let table = [
            ("n", Eq, json!(5), true),
            ("n", Eq, json!(5.0), true),
            ("n", Eq, json!("5"), false),
            ("n", Ne, json!(5), false),
            ("n", Ne, json!("5"), true),
            ("n", Gt, json!(4.9), true),
            ("n", Gt, json!(5), false),
            ("n", Gte, json!(5), true),
            ("n", Lt, json!(5.1), true),
            ("n", Lte, json!(4), false),
            ("f", Lte, json!(6), true),
            ("t", Gt, json!("a"), true),
            ("t", Lt, json!("a"), false),
            ("t", Gt, json!(1), false),
            ("t", Lt, json!(1), false),
            ("b", Eq, json!(true), true),
            ("b", Eq, json!(1), false),
            ("b", Gte, json!(true), false),
            ("z", Eq, json!(null), true),
            ("absent", Eq, json!(null), true),
            ("absent", Ne, json!(1), true),
            ("absent", Gt, json!(0), false),
            ("m", Eq, json!({"x": 1}), true),
            ("m", Eq, json!({}), true),
            ("m", Eq, json!({"y": {"w": 2}}), true),
            ("m", Eq, json!({"y": {"w": 3}}), false),
            ("m", Eq, json!({"x": 1, "q": 1}), false),
            ("m", Eq, json!({"y": {"w": {"$gt": 1, "$lte": 2}}}), true),
            ("m", Eq, json!({"y": {"w": {"$gt": 2}}}), false),
            ("m", Eq, json!({"$eq": {"x": 1}}), false),
            ("m", Ne, json!({"x": 1}), true),
            ("n", Eq, json!({"$gte": 5, "$ne": 6}), true),
            ("n", Eq, json!({"x": 1}), false),
            ("l", Eq, json!([1, {"k": 2}]), true),
            ("l", Eq, json!([1]), false),
            ("l", Eq, json!([1, {"k": {"$lt": 2}}]), false),
        ];
        for (key, comparison, operand, expected) in table {
            let condition = condition(key, comparison, &operand);
            assert_eq!(passes(&value, &[condition]), expected, "{key} {comparison:?} {operand}");
        }
    }

    #[test]
    fn all_conditions_must_hold() {
        let value = json!({"a": 1, "b": 2});
        let a = |operand| condition("a", Comparison::Gt, &json!(operand));
        let b = condition("b", Comparison::Eq, &json!(2));
        assert!(passes(&value, &[a(0), b.clone(), a(-1)]));
        assert!(!passes(&value, &[a(0), b, a(1)]));
        assert!(passes(&value, &[]));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let unknown = condition("a", Comparison::Eq, &json!({"$near": 1}));
        let mixed = condition("a", Comparison::Eq, &json!({"$gt": 1, "b": 2}));
        let damaged =
            Condition { operand: Payload::from_bytes(vec![0xc1].into()), ..unknown.clone() };
        for condition in [unknown, mixed, damaged] {
            let refused = Filter::new(&[condition]).expect_err("it means nothing");
            assert!(
                matches!(&refused, StoreFailure::Filter { key, .. } if key == "a"),
                "{refused}"
            );
        }
    }
}
