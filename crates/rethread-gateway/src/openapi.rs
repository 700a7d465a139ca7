//! The OpenAPI document, made of the operations and the types they read and write.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::error::ErrorBody;
use crate::operation::{Content, Operation};

/// What any operation may answer.
const COMMON_FAULTS: [(u16, &str); 7] = [
    (401, "No token, or one that is not known."),
    (403, "The token does not allow this."),
    (422, "The request is not of the form it should have."),
    (429, "Too many requests; try again later."),
    (500, "Something failed that should not; the gateway's log tells more."),
    (503, "The storage cannot take the request now, or no coordinator runs; try again later."),
    (507, "The storage has no room."),
];
/// What an operation with a body may answer.
const TOO_LARGE: (u16, &str) = (413, "The body is too large.");

/// The document that describes these operations.
pub(crate) fn document(operations: &[Operation]) -> Value {
    Schemas::new().document(operations)
}

/// What is sent and what is received have schemas of their own: a member with a default may be
/// left out of a request, and is never left out of an answer.
struct Schemas {
    received: SchemaGenerator,
    sent: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let generator = |contract| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
            settings.into_generator()
        };
        Self { received: generator(Contract::Deserialize), sent: generator(Contract::Serialize) }
    }

    fn document(mut self, operations: &[Operation]) -> Value {
        let mut paths = Map::new();
        let mut bodies = Vec::new();
        for operation in operations {
            let described = self.operation(operation, &mut bodies);
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            path[operation.method.name()] = described;
        }
        let mut schemas = self.received.take_definitions(true);
        for name in bodies {
            if let Some(schema) = schemas.get_mut(&name) {
                admit_nulls(schema);
            }
        }
        schemas.extend(self.sent.take_definitions(true));
        schemas.sort_keys();
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Rethread",
                "description": "Durable execution over HTTP, in the form that clients of \
                    LangGraph's server know.",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "api_key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
                    "bearer": { "type": "http", "scheme": "bearer" },
                },
            },
            "security": [{}, { "api_key": [] }, { "bearer": [] }],
        });
        spell_out_ids(&mut document);
        document
    }

    /// Describes one operation; the schema that its body refers to is added to `bodies`.
    fn operation(&mut self, operation: &Operation, bodies: &mut Vec<String>) -> Value {
        let mut parameters: Vec<_> = path_parameters(operation.path).collect();
        if let Some(query) = operation.query {
            parameters.extend(self.query_parameters(query));
        }
        let mut described = json!({
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "parameters": parameters,
            "responses": self.responses(operation),
        });
        if let Some(body) = &operation.body {
            let mut schema = (body.schema)(&mut self.received).to_value();
            bodies.extend(reference(&schema));
            // A batch.
            bodies.extend(schema.get("items").and_then(reference));
            admit_nulls(&mut schema);
            described["requestBody"] = json!({
                "required": body.is_required,
                "content": { "application/json": { "schema": schema } },
            });
        }
        described
    }

    fn responses(&mut self, operation: &Operation) -> Value {
        let mut responses = Map::new();
        let with_body = operation.body.is_some().then_some(TOO_LARGE);
        for (status, description) in COMMON_FAULTS.into_iter().chain(with_body) {
            responses.insert(status.to_string(), self.fault(description));
        }
        for answer in &operation.answers {
            let response = match answer.content {
                Content::Nothing => json!({ "description": answer.description }),
                Content::Fault => self.fault(answer.description),
                Content::Json(schema) => json!({
                    "description": answer.description,
                    "content": { "application/json": { "schema": schema(&mut self.sent) } },
                }),
                Content::Events => json!({
                    "description": answer.description,
                    "content": { "text/event-stream": { "schema": { "type": "string" } } },
                }),
            };
            responses.insert(answer.status.to_string(), response);
        }
        responses.sort_keys();
        Value::Object(responses)
    }

    fn fault(&mut self, description: &str) -> Value {
        let schema = self.sent.subschema_for::<ErrorBody>();
        json!({
            "description": description,
            "content": { "application/json": { "schema": schema } },
        })
    }

    fn query_parameters(
        &mut self,
        query: fn(&mut SchemaGenerator) -> Schema,
    ) -> impl Iterator<Item = Value> {
        let mut schema = query(&mut self.received).to_value();
        if let Some(name) = reference(&schema) {
            schema = self.received.definitions_mut().remove(&name).unwrap_or_default();
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let members = schema["properties"].as_object().cloned().unwrap_or_default();
        members.into_iter().map(move |(name, mut schema)| {
            let description = schema.as_object_mut().and_then(|it| it.remove("description"));
            // A query string has no null: what is not given is left out.
            drop_null(&mut schema);
            let is_required = required.contains(&json!(name));
            json!({
                "name": name, "in": "query", "required": is_required, "schema": schema,
                "description": description.unwrap_or_default(),
            })
        })
    }
}

/// Says with a pattern what a UUID is, since a format is only a hint.
fn spell_out_ids(value: &mut Value) {
    const PATTERN: &str = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";
    match value {
        Value::Object(members) => {
            if members.get("format").is_some_and(|format| format == "uuid") {
                members.insert("pattern".to_owned(), json!(PATTERN));
            }
            members.values_mut().for_each(spell_out_ids);
        }
        Value::Array(elements) => elements.iter_mut().for_each(spell_out_ids),
        _ => {}
    }
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = Value> {
    let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    named.map(|name| {
        let schema = match name {
            "thread_id" | "run_id" | "checkpoint_id" => {
                json!({ "type": "string", "format": "uuid" })
            }
            _ => json!({ "type": "string", "minLength": 1 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    })
}

/// The definition that a schema refers to.
fn reference(schema: &Value) -> Option<String> {
    let (_, name) = schema.get("$ref")?.as_str()?.rsplit_once('/')?;
    Some(name.to_owned())
}

/// Says that a member that may be left out may be null as well, which means the same.
fn admit_nulls(schema: &mut Value) {
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, member) in members {
        if !required.contains(&json!(name)) && !admits_null(member) {
            *member = json!({ "anyOf": [member.take(), { "type": "null" }] });
        }
    }
}

fn admits_null(schema: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return true };
    let any_of = schema.get("anyOf").and_then(Value::as_array);
    match (schema.get("type"), any_of) {
        (Some(Value::Array(types)), _) => types.contains(&json!("null")),
        (Some(only), _) => only == "null",
        (None, Some(schemas)) => schemas.iter().any(admits_null),
        (None, None) => {
            !["$ref", "enum", "const", "oneOf", "allOf"].iter().any(|it| schema.contains_key(*it))
        }
    }
}

/// Takes null out of what a schema admits.
fn drop_null(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(schemas)) = members.get_mut("anyOf") {
        schemas.retain(|schema| schema["type"] != "null");
        if let [only] = &schemas[..] {
            let only = only.clone();
            *schema = only;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_may_be_left_out_may_be_null() {
        let mut schema = json!({
            "required": ["a"],
            "properties": {
                "a": { "type": "string" },
                "b": { "type": "string" },
                "c": { "type": ["string", "null"] },
                "d": true,
                "e": { "$ref": "#/components/schemas/E" },
            },
        });
        admit_nulls(&mut schema);
        let nothing = json!({ "type": "null" });
        assert_eq!(
            schema["properties"],
            json!({
                "a": { "type": "string" },
                "b": { "anyOf": [{ "type": "string" }, nothing] },
                "c": { "type": ["string", "null"] },
                "d": true,
                "e": { "anyOf": [{ "$ref": "#/components/schemas/E" }, nothing] },
            })
        );
    }

    #[test]
    fn a_query_has_no_null() {
        for (mut schema, expected) in [
            (json!({ "type": ["integer", "null"] }), json!({ "type": "integer" })),
            (json!({ "anyOf": [{ "enum": ["a"] }, { "type": "null" }] }), json!({ "enum": ["a"] })),
        ] {
            drop_null(&mut schema);
            assert_eq!(schema, expected);
        }
    }
}
