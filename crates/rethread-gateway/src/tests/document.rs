use std::collections::BTreeSet;

use serde_json::Value;

use super::bench::Bench;
use crate::routes;

/// What a schema refers to, anywhere in it.
fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.insert(target);
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|it| references(it, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_describes_every_operation() {
    let bench = Bench::start().await;
    let document = bench.get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let operations = routes::all().operations;
    let mut ids = BTreeSet::new();
    for operation in &operations {
        assert!(ids.insert(operation.id), "{} is there twice", operation.id);
        let described = &document["paths"][operation.path][operation.method.name()];
        assert_eq!(described["operationId"], operation.id);
        let responses = described["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{}", operation.id);
        assert!(responses.contains_key("422"), "{}", operation.id);
    }
}

#[tokio::test]
async fn nothing_in_it_refers_to_nothing() {
    let bench = Bench::start().await;
    let document = bench.get("/openapi.json").await.expect(200);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 5, "{found:?}");
    for target in found {
        let pointer = target.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[tokio::test]
async fn what_may_be_left_out_may_be_null_and_answers_are_whole() {
    let bench = Bench::start().await;
    let document = bench.get("/openapi.json").await.expect(200);
    let schemas = &document["components"]["schemas"];
    let limit = &schemas["ThreadSearch"]["properties"]["limit"];
    assert_eq!(limit["anyOf"][1]["type"], "null", "{limit}");
    let required = schemas["Thread"]["required"].as_array().expect("required members");
    assert!(required.contains(&"values".into()), "{required:?}");
    assert!(!required.contains(&"extracted".into()), "{required:?}");
    assert_eq!(schemas["ThreadPart"]["required"], Value::Null);
}
