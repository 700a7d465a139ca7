//! States and events as JSON, with LangGraph's names.

use rethread_core::event::RunOutcome;
use rethread_core::failure::{Failure, kind};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::history::source_name;
use crate::json::from_payload;
use crate::outcome::OpenInterrupt;
use crate::state::{StateSnapshot, TaskState};
use crate::stream::{StreamData, StreamEvent, TaskEnd};

impl OpenInterrupt {
    /// `{"id", "value"}`.
    ///
    /// # Errors
    /// [`ClientError::Payload`](crate::ClientError::Payload) when JSON cannot say the value.
    pub fn to_json(&self) -> Result<Value> {
        Ok(json!({ "id": self.id.to_string(), "value": self.value.to_json()? }))
    }
}

impl StateSnapshot {
    /// `{"checkpoint", "parent", "created_at", "run", "values", "next", "metadata", "tasks",
    /// "interrupts"}`, with `source` and `step` among the metadata and the time in milliseconds
    /// since 1970; with `error` if the last run failed or was parked.
    ///
    /// # Errors
    /// [`ClientError::Payload`](crate::ClientError::Payload) when JSON cannot say a value.
    pub fn to_json(&self) -> Result<Value> {
        let mut metadata = Map::new();
        for (key, value) in &self.metadata {
            metadata.insert(key.clone(), value.to_json()?);
        }
        metadata.insert("source".to_owned(), json!(source_name(self.source)));
        metadata.insert("step".to_owned(), json!(self.step));
        let mut state = json!({
            "checkpoint": self.checkpoint.to_string(),
            "parent": self.parent.map(|parent| parent.to_string()),
            "created_at": self.created_at.0,
            "run": self.run.to_string(),
            "values": self.values.to_json()?,
            "next": self.next,
            "metadata": metadata,
            "tasks": self.tasks.iter().map(TaskState::to_json).collect::<Result<Vec<_>>>()?,
            "interrupts": all(&self.interrupts)?,
        });
        if let Some(error) = &self.error {
            state["error"] = failure(error);
        }
        Ok(state)
    }
}

impl TaskState {
    /// `{"name", "error", "interrupts", "result", "state"}`; what there is none of is left out.
    ///
    /// # Errors
    /// [`ClientError::Payload`](crate::ClientError::Payload) when JSON cannot say a value.
    pub fn to_json(&self) -> Result<Value> {
        let mut task = Map::from_iter([("name".to_owned(), json!(self.name))]);
        if let Some(error) = &self.error {
            task.insert("error".to_owned(), failure(error));
        }
        if !self.interrupts.is_empty() {
            task.insert("interrupts".to_owned(), all(&self.interrupts)?);
        }
        if let Some(result) = &self.result {
            task.insert("result".to_owned(), result.to_json()?);
        }
        if let Some(state) = &self.state {
            task.insert("state".to_owned(), state.to_json()?);
        }
        Ok(Value::Object(task))
    }
}

impl StreamEvent {
    /// `{"cursor", "mode", "ns", "data"}`.
    ///
    /// # Errors
    /// [`ClientError::Payload`](crate::ClientError::Payload) when JSON cannot say a value.
    pub fn to_json(&self) -> Result<Value> {
        Ok(json!({
            "cursor": self.cursor.to_string(),
            "mode": self.mode.name(),
            "ns": self.ns,
            "data": self.data.to_json()?,
        }))
    }
}

impl StreamData {
    /// What happened:
    ///
    /// | of mode | JSON |
    /// |---|---|
    /// | `updates` | `{"name", "value"}`, with `"cached": true` for a hit; or `{"interrupts"}` |
    /// | `values` | `{"value"}` or `{"interrupts"}`, or both of a graph |
    /// | `custom` | `{"value"}`, or `{"event": "reset", "id", "attempt"}` |
    /// | `messages` | `{"value", "metadata"}`, or the same |
    /// | `tasks` | `{"event": "start", "id", "name", "input"}` or `{"event": "finish", "id", "name"}` with `result`, `error` or `interrupts` |
    /// | `checkpoints` | as [`StateSnapshot::to_json`] |
    /// | `debug` | `{"step", "timestamp", "type", "payload"}` |
    /// | `lifecycle` | `{"event": "began", "id", "name"}`, or `{"event": "ended", "id", "name"}` and `{"event": "run_ended"}` with `result`, `error` or `interrupts` |
    ///
    /// # Errors
    /// [`ClientError::Payload`](crate::ClientError::Payload) when JSON cannot say a value.
    pub fn to_json(&self) -> Result<Value> {
        Ok(match self {
            Self::Update { name, value, cached: false, .. } => {
                json!({ "name": name, "value": value.to_json()? })
            }
            Self::Update { name, value, cached: true, .. } => {
                json!({ "name": name, "value": value.to_json()?, "cached": true })
            }
            Self::Interrupts(open) => json!({ "interrupts": all(open)? }),
            Self::Paused { value, interrupts } => {
                json!({ "value": value.to_json()?, "interrupts": all(interrupts)? })
            }
            Self::Value(value) | Self::Custom { value, .. } => {
                json!({ "value": value.to_json()? })
            }
            Self::Message { value, metadata, .. } => {
                json!({ "value": value.to_json()?, "metadata": metadata.to_json()? })
            }
            Self::Reset { call, attempt } => json!({
                "event": "reset", "id": call.map(|call| call.to_string()), "attempt": attempt,
            }),
            Self::TaskStarted { id, name, input } => json!({
                "event": "start", "id": id.to_string(), "name": name, "input": input.to_json()?,
            }),
            Self::TaskFinished { id, name, end } => {
                let finish = json!({ "event": "finish", "id": id.to_string(), "name": name });
                ended(finish, end)?
            }
            Self::Checkpoint(state) => state.to_json()?,
            Self::Debug { step, timestamp, kind, payload } => json!({
                "step": step,
                "timestamp": timestamp.0,
                "type": kind.name(),
                "payload": payload.to_json()?,
            }),
            Self::Began { id, name } => {
                json!({ "event": "began", "id": id.to_string(), "name": name })
            }
            Self::Ended { id, name, end } => {
                ended(json!({ "event": "ended", "id": id.to_string(), "name": name }), end)?
            }
            Self::RunEnded(outcome) => run_ended(outcome)?,
        })
    }
}

/// Adds how something ended.
fn ended(mut shown: Value, end: &TaskEnd) -> Result<Value> {
    let (key, value) = match end {
        TaskEnd::Result(result) => ("result", result.to_json()?),
        TaskEnd::Failed(error) => ("error", failure(error)),
        TaskEnd::Interrupted(open) => ("interrupts", all(open)?),
    };
    shown[key] = value;
    Ok(shown)
}

/// How a run ended, also in ways in which no task does.
fn run_ended(outcome: &RunOutcome) -> Result<Value> {
    let mut shown = json!({ "event": "run_ended" });
    let error = |kind: &str, message: String| json!({ "kind": kind, "message": message });
    match outcome {
        RunOutcome::Done(value) => {
            shown["result"] = from_payload(value, "result of the run")?;
        }
        RunOutcome::Interrupted(open) => {
            shown["interrupts"] = all(&OpenInterrupt::all(open.clone()))?;
        }
        RunOutcome::Failed(failed) => shown["error"] = failure(failed),
        RunOutcome::Parked(mismatch) => {
            shown["error"] = error(kind::REPLAY_MISMATCH, mismatch.to_string());
        }
        RunOutcome::Cancelled => {
            shown["error"] = error("Cancelled", "the run was cancelled".to_owned());
        }
        RunOutcome::Refused(refusal) => shown["error"] = error("Refused", refusal.to_string()),
        _ => {}
    }
    Ok(shown)
}

fn failure(failure: &Failure) -> Value {
    json!({ "kind": failure.kind, "message": failure.message })
}

fn all(open: &[OpenInterrupt]) -> Result<Value> {
    open.iter().map(OpenInterrupt::to_json).collect()
}
