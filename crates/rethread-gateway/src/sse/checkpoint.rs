//! Checkpoints as streams show them.

use rethread_client::{CallId, CheckpointId, StateSnapshot};
use serde_json::{Value, json};
use uuid::Uuid;

use super::showing::open;
use crate::ids;
use crate::json::{Object, shown};
use crate::state::source_name;

/// A checkpoint, of the thread or of a child at a path. `task` is the body that starts there, for
/// tasks that have no calls yet or are that body.
pub(super) fn checkpoint_data(
    state: &StateSnapshot,
    thread: Uuid,
    path: &[String],
    task: Option<CallId>,
) -> Value {
    let config = |checkpoint: CheckpointId| {
        json!({ "configurable": {
            "thread_id": thread, "checkpoint_ns": path.join("|"), "checkpoint_id": checkpoint,
        } })
    };
    let mut metadata = Object::new();
    for (key, value) in &state.metadata {
        metadata.insert(key.clone(), shown(value));
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
        let mut told = json!({
            "id": it.id.or(task).map(ids::task), "name": it.name,
            "interrupts": open(&it.interrupts),
            "state": null,
        });
        if let Some(failure) = &it.error {
            told["error"] = json!(failure.message);
        }
        tasks.push(told);
    }
    json!({
        "config": config(state.checkpoint),
        "parent_config": state.parent.map(config),
        "values": shown(&state.values),
        "metadata": metadata,
        "next": state.next,
        "tasks": tasks,
    })
}
