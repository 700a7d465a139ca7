//! Compares the trace of a candidate with the expected one.
//!
//! Ids correspond one to one over the whole trace, whatever they are. Questions are compared as
//! multisets. A missing field, null and an empty list are the same, except inside values of the
//! program. Events that are listed with what precedes them may come in any order that keeps it.

mod events;
mod ids;

use std::collections::BTreeSet;

use serde_json::Value;

use self::ids::{IdKind, Ids};

/// Fields that hold values of the program.
const PROGRAM_VALUES: [&str; 5] = ["value", "values", "result", "input", "message"];
/// Fields that say how to compare, not what was observed.
const NOTES: [&str; 3] = ["after", "order", "loose"];

/// What an object lacks.
static NOTHING: Value = Value::Null;

/// Tells the differences, one line each; none if the candidate is as expected.
pub(crate) fn differences(expected: &Value, candidate: &Value) -> Vec<String> {
    let mut ids = Ids::default();
    let mut found = Vec::new();
    let (wanted, given) = (list(expected, "ops"), list(candidate, "ops"));
    if wanted.len() != given.len() {
        found.push(format!("{} operations expected, got {}", wanted.len(), given.len()));
    }
    for (place, (wanted, given)) in wanted.iter().zip(given).enumerate() {
        let path = format!("op {place} ({})", wanted["op"].as_str().unwrap_or_default());
        // The case says what is loose, and each trace may repeat it.
        let loose = list(wanted, "loose").iter().chain(list(given, "loose"));
        let loose: Vec<&str> = loose.filter_map(Value::as_str).collect();
        for key in keys(wanted, given) {
            if loose.contains(&key) || NOTES.contains(&key) {
                continue;
            }
            let path = format!("{path}.{key}");
            if key == "events" {
                let (wanted, given) = (list(wanted, key), list(given, key));
                found.extend(events::compare(wanted, given, &mut ids, &path));
            } else {
                field(key, at(wanted, key), at(given, key), &path, &mut ids, &mut found);
            }
        }
    }
    found
}

/// Compares what stands under a key.
fn field(
    key: &str,
    wanted: &Value,
    given: &Value,
    path: &str,
    ids: &mut Ids,
    found: &mut Vec<String>,
) {
    let differs = || format!("{path}: expected {}, got {}", shown(wanted), shown(given));
    if PROGRAM_VALUES.contains(&key) {
        if !is_equal(wanted, given) {
            found.push(differs());
        }
        return;
    }
    if is_nothing(wanted) && is_nothing(given) {
        return;
    }
    let is_same = match key {
        "checkpoint" | "parent" if !wanted.is_object() => {
            ids.same(IdKind::Checkpoint, wanted, given)
        }
        "id" => ids.same(IdKind::Task, wanted, given),
        "ns" => is_same_path(wanted, given, ids),
        "error" => is_same_error(wanted, given),
        "interrupts" => {
            let empty = Vec::new();
            let wanted = wanted.as_array().unwrap_or(&empty);
            return interrupts(wanted, given.as_array().unwrap_or(&empty), path, ids, found);
        }
        "metadata" => {
            let Some(entries) = wanted.as_object() else { return found.push(differs()) };
            for (key, value) in entries {
                let given = at(given, key);
                if !is_equal(value, given) {
                    let (value, given) = (shown(value), shown(given));
                    found.push(format!("{path}.{key}: expected {value}, got {given}"));
                }
            }
            return;
        }
        _ => match (wanted, given) {
            (Value::Object(_), Value::Object(_)) => {
                return object(wanted, given, path, ids, found);
            }
            (Value::Array(wanted), Value::Array(given)) => {
                if wanted.len() != given.len() {
                    let (wanted, given) = (wanted.len(), given.len());
                    found.push(format!("{path}: {wanted} items expected, got {given}"));
                }
                for (place, (wanted, given)) in wanted.iter().zip(given).enumerate() {
                    field("", wanted, given, &format!("{path}[{place}]"), ids, found);
                }
                return;
            }
            _ => is_equal(wanted, given),
        },
    };
    if !is_same {
        found.push(differs());
    }
}

/// Compares the fields of an object.
fn object(wanted: &Value, given: &Value, path: &str, ids: &mut Ids, found: &mut Vec<String>) {
    for key in keys(wanted, given) {
        if !NOTES.contains(&key) {
            let path = format!("{path}.{key}");
            field(key, at(wanted, key), at(given, key), &path, ids, found);
        }
    }
}

fn is_same_error(wanted: &Value, given: &Value) -> bool {
    if !wanted.is_object() || !given.is_object() {
        return is_equal(wanted, given);
    }
    let message = at(wanted, "message");
    at(wanted, "kind") == at(given, "kind")
        && (message.is_null() || message == at(given, "message"))
}

/// Compares questions as multisets.
fn interrupts(
    wanted: &[Value],
    given: &[Value],
    path: &str,
    ids: &mut Ids,
    found: &mut Vec<String>,
) {
    let mut left: Vec<&Value> = given.iter().collect();
    for question in wanted {
        let place = left.iter().position(|other| {
            is_equal(at(question, "value"), at(other, "value"))
                && ids.same(IdKind::Interrupt, at(question, "id"), at(other, "id"))
        });
        match place {
            Some(place) => drop(left.remove(place)),
            None => {
                let (question, given) = (shown(question), shown(&Value::from(given.to_vec())));
                found.push(format!("{path}: expected {question} among {given}"));
            }
        }
    }
    if wanted.len() < given.len() {
        found.extend(left.iter().map(|other| format!("{path}: unexpected {}", shown(other))));
    }
}

/// Compares paths of bodies: `name`, `name:task id` or the number of a call.
fn is_same_path(wanted: &Value, given: &Value, ids: &mut Ids) -> bool {
    let empty = Vec::new();
    let wanted = wanted.as_array().unwrap_or(&empty);
    let given = given.as_array().unwrap_or(&empty);
    let parts = |part: &Value| {
        let text = part.as_str().unwrap_or_default();
        let (name, id) = text.split_once(':').unwrap_or((text, ""));
        (name.to_owned(), if id.is_empty() { Value::Null } else { Value::from(id) })
    };
    wanted.len() == given.len()
        && wanted.iter().zip(given).all(|(wanted, given)| {
            let ((wanted, wanted_id), (given, given_id)) = (parts(wanted), parts(given));
            wanted == given && ids.same(IdKind::Task, &wanted_id, &given_id)
        })
}

/// Whether two values of the program are the same: numbers by value, objects in any order.
fn is_equal(wanted: &Value, given: &Value) -> bool {
    match (wanted, given) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_equal(a, b)))
        }
        _ => wanted == given,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

fn at<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&NOTHING)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The keys of either object, in order.
fn keys<'a>(one: &'a Value, other: &'a Value) -> BTreeSet<&'a str> {
    [one, other]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|entries| entries.keys().map(String::as_str))
        .collect()
}

/// The start of the text of a value.
fn shown(value: &Value) -> String {
    const LENGTH: usize = 300;
    let text = value.to_string();
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(wanted: Value, given: Value) -> Vec<String> {
        differences(&json!({ "ops": [wanted] }), &json!({ "ops": [given] }))
    }

    #[test]
    fn ids_correspond_one_to_one_over_the_whole_trace() {
        let state = |checkpoint: &str, parent: Value| json!({"op": "state", "state": {"checkpoint": checkpoint, "parent": parent}});
        let wanted = json!({"ops": [state("c1", json!("c2")), state("c2", Value::Null)]});
        let given = json!({"ops": [state("x", json!("y")), state("y", Value::Null)]});
        assert_eq!(differences(&wanted, &given), Vec::<String>::new());
        let given = json!({"ops": [state("x", json!("y")), state("x", Value::Null)]});
        assert_eq!(differences(&wanted, &given).len(), 1);
    }

    #[test]
    fn nothing_is_the_same_in_all_its_forms_but_in_values() {
        assert!(found(json!({"op": "x", "tasks": []}), json!({"op": "x"})).is_empty());
        assert_eq!(found(json!({"op": "x", "result": []}), json!({"op": "x"})).len(), 1);
        assert!(found(json!({"op": "x", "result": null}), json!({"op": "x"})).is_empty());
    }

    #[test]
    fn questions_are_a_multiset() {
        let asked = |list: Value| json!({"op": "invoke", "interrupts": list});
        let two = asked(json!([{"id": "i1", "value": 1}, {"id": "i2", "value": 2}]));
        let turned = asked(json!([{"id": "b", "value": 2}, {"id": "a", "value": 1}]));
        assert!(found(two.clone(), turned).is_empty());
        let doubled = asked(json!([{"id": "b", "value": 2}, {"id": "b", "value": 1}]));
        assert_eq!(found(two.clone(), doubled).len(), 1);
        assert_eq!(found(asked(json!([{"id": "i1", "value": 1}])), two).len(), 1);
    }

    #[test]
    fn messages_of_the_engine_and_further_metadata_do_not_count() {
        let error = |message: Value| json!({"error": {"kind": "K", "message": message}});
        assert!(found(error(Value::Null), error(json!("m"))).is_empty());
        assert_eq!(found(error(json!("m")), error(json!("n"))).len(), 1);
        assert_eq!(found(error(json!("m")), json!({"result": 1})).len(), 2);
        let wanted = json!({"state": {"metadata": {"step": 1}}});
        assert!(
            found(wanted.clone(), json!({"state": {"metadata": {"step": 1, "x": 2}}})).is_empty()
        );
        assert_eq!(found(wanted, json!({"state": {"metadata": {"step": 2}}})).len(), 1);
    }

    #[test]
    fn loose_observations_are_not_compared() {
        let wanted = json!({"op": "state", "state": {"next": ["a"]}, "loose": ["state"]});
        assert!(found(wanted, json!({"op": "state", "state": {}})).is_empty());
    }
}
