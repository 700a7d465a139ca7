//! What traces show of questions, events and states.

use rethread::StreamEvent;
use rethread::client::{
    AnyValue, ClientError, OpenInterrupt, Source, StateSnapshot, StreamData, TaskEnd, TaskState,
};
use serde_json::{Value, json};

use super::object;
use crate::case::Object;
use crate::errors;

pub(super) type Result<T> = std::result::Result<T, ClientError>;

/// A value of the program, without the ids that the engine made up for messages.
pub(super) fn value(of: &AnyValue) -> Result<Value> {
    of.to_json().map(shown)
}

pub(super) fn interrupts(open: &[OpenInterrupt]) -> Result<Value> {
    let rows = open
        .iter()
        .map(|open| Ok(json!({ "id": open.id.to_string(), "value": value(&open.value)? })));
    rows.collect()
}

/// The row of an event.
pub(super) fn event(event: &StreamEvent, subgraphs: bool) -> Result<Value> {
    let mut row = data(&event.data)?;
    row.insert("mode".into(), event.mode.name().into());
    if subgraphs {
        row.insert("ns".into(), json!(event.ns));
    }
    Ok(Value::Object(row))
}

fn data(data: &StreamData) -> Result<Object> {
    Ok(object(match data {
        StreamData::Update { name, value, cached, .. } => {
            let row = json!({ "name": name, "value": self::value(value)? });
            if *cached { with(row, "cached", true.into()) } else { row }
        }
        StreamData::Interrupts(open) => json!({ "interrupts": interrupts(open)? }),
        StreamData::Paused { value, interrupts } => {
            let row = json!({ "interrupts": self::interrupts(interrupts)? });
            match self::value(value)? {
                // What has no value yet is not shown.
                Value::Object(fields) if fields.is_empty() => row,
                value => with(row, "value", value),
            }
        }
        StreamData::Value(value) => json!({ "value": self::value(value)? }),
        StreamData::Custom { value, .. } => json!({ "value": self::value(value)? }),
        StreamData::TaskStarted { id, name, input } => {
            let input = value(input)?;
            json!({ "event": "start", "id": id.to_string(), "name": name, "input": input })
        }
        StreamData::TaskFinished { id, name, end } => {
            let row = json!({ "event": "finish", "id": id.to_string(), "name": name });
            match end {
                TaskEnd::Result(result) => with(row, "result", value(result)?),
                TaskEnd::Failed(failure) => {
                    with(row, "error", errors::raised(&failure.kind, &failure.message))
                }
                TaskEnd::Interrupted(open) => with(row, "interrupts", interrupts(open)?),
                _ => row,
            }
        }
        StreamData::Checkpoint(state) => checkpoint(state)?,
        StreamData::Debug { step, kind, payload, .. } => {
            json!({ "step": step, "type": kind.name(), "payload": self::data(payload)? })
        }
        _ => json!({}),
    }))
}

/// A state, of a thread or in its history.
pub(super) fn state(state: &StateSnapshot) -> Result<Value> {
    Ok(with(checkpoint(state)?, "interrupts", interrupts(&state.interrupts)?))
}

fn checkpoint(state: &StateSnapshot) -> Result<Value> {
    let mut metadata = Object::new();
    for (key, value) in &state.metadata {
        metadata.insert(key.clone(), value.to_json()?);
    }
    metadata.insert("source".into(), source(state.source).into());
    metadata.insert("step".into(), state.step.into());
    Ok(json!({
        "checkpoint": state.checkpoint.to_string(),
        "parent": state.parent.map(|id| id.to_string()),
        "values": value(&state.values)?,
        "next": state.next,
        "metadata": metadata,
        "tasks": state.tasks.iter().map(task).collect::<Result<Vec<_>>>()?,
    }))
}

fn task(task: &TaskState) -> Result<Value> {
    let mut row = json!({ "name": task.name });
    if let Some(failure) = &task.error {
        row = with(row, "error", errors::raised(&failure.kind, &failure.message));
    }
    if !task.interrupts.is_empty() {
        row = with(row, "interrupts", interrupts(&task.interrupts)?);
    }
    if let Some(result) = &task.result {
        row = with(row, "result", value(result)?);
    }
    if let Some(inner) = &task.state {
        row = with(row, "state", state(inner)?);
    }
    Ok(row)
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Input => "input",
        Source::Loop => "loop",
        Source::Fork => "fork",
        Source::Update => "update",
        _ => "unknown",
    }
}

/// Hides the ids that the engine made up for messages: they are chance.
pub(super) fn shown(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(shown).collect(),
        Value::Object(entries) => {
            let is_message = ["type", "content", "id"].iter().all(|key| entries.contains_key(*key));
            let shown = entries.into_iter().map(|(key, value)| match value {
                Value::String(id) if is_message && key == "id" && is_made_up(&id) => {
                    (key, "auto".into())
                }
                value => (key, shown(value)),
            });
            Value::Object(shown.collect())
        }
        scalar => scalar,
    }
}

/// Whether it is of the form 8-4-4-4-12, in hexadecimal digits.
fn is_made_up(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let is_hexadecimal = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(is_hexadecimal)
}

fn with(mut row: Value, key: &str, value: Value) -> Value {
    row[key] = value;
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_were_made_up_are_hidden() {
        let said = |id: &str| json!([{"type": "human", "content": "x", "id": id}]);
        let made_up = "0f51db4b-a3a5-4b1c-96c7-df727dcbb9bd";
        assert_eq!(shown(said(made_up)), said("auto"));
        assert_eq!(shown(said("m-1")), said("m-1"));
        assert_eq!(shown(json!({"id": made_up})), json!({"id": made_up}), "no message");
    }
}
