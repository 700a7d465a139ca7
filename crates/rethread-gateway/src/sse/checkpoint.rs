//! Checkpoints as streams show them.

use rethread_client::{CallId, CheckpointId, StateSnapshot};
use serde_json::{Value, json};
use uuid::Uuid;

use super::showing::open;
use crate::error::ApiResult;
use crate::ids;
use crate::json::Object;
use crate::state::source_name;

/// A checkpoint, of the thread or of a child at a path. `task` is the body that starts there.
pub(super) fn checkpoint_data(
    state: &StateSnapshot,
    thread: Uuid,
    path: &[String],
    task: Option<CallId>,
) -> ApiResult<Value> {
    let config = |checkpoint: CheckpointId| {
        json!({ "configurable": {
            "thread_id": thread, "checkpoint_ns": path.join("|"), "checkpoint_id": checkpoint,
        } })
    };
    let mut metadata = Object::new();
    for (key, value) in &state.metadata {
        metadata.insert(key.clone(), value.to_json()?);
    }
    for (key, value) in [
        ("source", json!(source_name(state.source))),
        ("step", json!(state.step)),
        ("parents", json!({})),
    ] {
        metadata.insert(key.to_owned(), value);
    }
    let mut tasks = Vec::new();
    for it in &state.tasks {
        let mut shown = json!({
            "id": task.map(ids::task), "name": it.name, "interrupts": open(&it.interrupts)?,
            "state": null,
        });
        if let Some(failure) = &it.error {
            shown["error"] = json!(failure.message);
        }
        tasks.push(shown);
    }
    Ok(json!({
        "config": config(state.checkpoint),
        "parent_config": state.parent.map(config),
        "values": state.values.to_json()?,
        "metadata": metadata,
        "next": state.next,
        "tasks": tasks,
    }))
}
