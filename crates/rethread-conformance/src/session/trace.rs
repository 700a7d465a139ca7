//! What traces show of questions, events and states.

use rethread::client::{ClientError, OpenInterrupt, TaskEnd};
use rethread::StreamEvent;
use serde_json::{Value, json};

use crate::errors;
use crate::operation::StreamMode;

pub(super) fn interrupts(open: &[OpenInterrupt]) -> Result<Value, ClientError> {
    let rows = open
        .iter()
        .map(|open| Ok(json!({ "id": open.id.to_string(), "value": open.value.to_json()? })));
    rows.collect()
}

/// Adds the rows of one event.
pub(super) fn event(
    event: &StreamEvent,
    modes: &[StreamMode],
    rows: &mut Vec<Value>,
) -> Result<(), ClientError> {
    match event {
        StreamEvent::Update { name, value, .. } => {
            rows.push(json!({ "mode": "updates", "name": name, "value": value.to_json()? }));
        }
        StreamEvent::Interrupted(open) => {
            for mode in [StreamMode::Updates, StreamMode::Values] {
                if modes.contains(&mode) {
                    rows.push(json!({ "mode": mode.name(), "interrupts": interrupts(open)? }));
                }
            }
        }
        StreamEvent::Value(value) => {
            rows.push(json!({ "mode": "values", "value": value.to_json()? }));
        }
        StreamEvent::Custom { value, .. } => {
            rows.push(json!({ "mode": "custom", "value": value.to_json()? }));
        }
        StreamEvent::TaskStarted { call, name, input } => {
            let (id, input) = (call.to_string(), input.to_json()?);
            rows.push(json!({
                "mode": "tasks", "event": "start", "id": id, "name": name, "input": input,
            }));
        }
        StreamEvent::TaskFinished { call, name, end } => {
            let mut row = json!({
                "mode": "tasks", "event": "finish", "id": call.to_string(), "name": name,
            });
            match end {
                TaskEnd::Result(value) => row["result"] = value.to_json()?,
                TaskEnd::Failed(failure) => {
                    row["error"] = errors::raised(&failure.kind, &failure.message);
                }
                TaskEnd::Interrupted(open) => row["interrupts"] = interrupts(open)?,
                _ => {}
            }
            rows.push(row);
        }
        _ => {}
    }
    Ok(())
}
