//! YAML as JSON values.

use serde_json::{Map, Value};
use yaml_rust2::{Yaml, YamlLoader};

/// Reads all documents of a file. Anchors are resolved, and `<<` merges as Compose does it.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents = YamlLoader::load_from_str(text).map_err(|error| format!("{error}"))?;
    documents.iter().map(value).collect()
}

fn value(yaml: &Yaml) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Real(text) | Yaml::String(text) => Value::String(text.clone()),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Boolean(claim) => Value::Bool(*claim),
        Yaml::Null => Value::Null,
        Yaml::Array(items) => Value::Array(items.iter().map(value).collect::<Result<_, _>>()?),
        Yaml::Hash(pairs) => {
            let mut merged = Map::new();
            let mut own = Map::new();
            for (key, of_key) in pairs {
                match key {
                    Yaml::String(key) if key == "<<" => merge(&mut merged, value(of_key)?)?,
                    Yaml::String(key) => drop(own.insert(key.clone(), value(of_key)?)),
                    Yaml::Integer(key) => drop(own.insert(key.to_string(), value(of_key)?)),
                    other => return Err(format!("a key that is not a text: {other:?}")),
                }
            }
            // What stands in a mapping itself wins over what it merges.
            merged.extend(own);
            Value::Object(merged)
        }
        Yaml::Alias(_) | Yaml::BadValue => return Err("an alias that leads nowhere".to_owned()),
    })
}

/// Of several mappings, the first one wins.
fn merge(into: &mut Map<String, Value>, from: Value) -> Result<(), String> {
    match from {
        Value::Object(pairs) => {
            for (key, value) in pairs {
                into.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(items) => items.into_iter().try_for_each(|item| merge(into, item)),
        _ => Err("`<<` merges mappings only".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_anchors_and_merges_are_read() {
        let text = "x: &base {a: 1, b: two}\ny:\n  <<: *base\n  b: 3\n---\n- true\n- null\n";
        let found = documents(text).expect("reads");
        let base = json!({"a": 1, "b": "two"});
        assert_eq!(found, [json!({"x": base, "y": {"a": 1, "b": 3}}), json!([true, null])]);
    }

    #[test]
    fn what_is_no_yaml_is_refused() {
        for text in ["a: [1", "a: *nobody", "a: 1\na: 2", "<<: 1"] {
            assert!(documents(text).is_err(), "{text}");
        }
    }
}
