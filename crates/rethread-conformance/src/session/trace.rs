//! What traces show of questions, events and states.

use rethread::StreamEvent;
use rethread::client::{
    ClientError, OpenInterrupt, Source, StateSnapshot, StreamData, TaskEnd, TaskState,
};
use serde_json::{Value, json};

use super::object;
use crate::case::Object;
use crate::errors;

pub(super) type Result<T> = std::result::Result<T, ClientError>;

pub(super) fn interrupts(open: &[OpenInterrupt]) -> Result<Value> {
    let rows = open
        .iter()
        .map(|open| Ok(json!({ "id": open.id.to_string(), "value": open.value.to_json()? })));
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
            let row = json!({ "name": name, "value": value.to_json()? });
            if *cached { with(row, "cached", true.into()) } else { row }
        }
        StreamData::Interrupts(open) => json!({ "interrupts": interrupts(open)? }),
        StreamData::Value(value) => json!({ "value": value.to_json()? }),
        StreamData::Custom { value, .. } => json!({ "value": value.to_json()? }),
        StreamData::TaskStarted { id, name, input } => {
            let input = input.to_json()?;
            json!({ "event": "start", "id": id.to_string(), "name": name, "input": input })
        }
        StreamData::TaskFinished { id, name, end } => {
            let row = json!({ "event": "finish", "id": id.to_string(), "name": name });
            match end {
                TaskEnd::Result(value) => with(row, "result", value.to_json()?),
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
        "values": state.values.to_json()?,
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
        row = with(row, "result", result.to_json()?);
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

fn with(mut row: Value, key: &str, value: Value) -> Value {
    row[key] = value;
    row
}
