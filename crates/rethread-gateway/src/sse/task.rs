//! Tasks as clients see them.

use rethread_client::{CallId, StreamData, TaskEnd};
use serde_json::{Value, json};

use super::showing::open;
use super::source::RunEvents;
use crate::ids;
use crate::json::shown;

/// The start or the end of a task or an entrypoint; none of what is neither.
/// A node of a graph shows what it sees and what it wrote.
pub(crate) fn task_data(run: &RunEvents, data: &StreamData, is_node: bool) -> Option<Value> {
    let is_entrypoint = |id: &CallId| run.call(Some(*id)).is_some_and(|it| it.is_entrypoint);
    Some(match data {
        StreamData::TaskStarted { id, name, input } => {
            let input = shown(input);
            let (input, trigger) = match is_entrypoint(id) {
                _ if is_node => (input, format!("branch:to:{name}")),
                true => (input, "__start__".to_owned()),
                false => (json!([input, {}]), "__pregel_push".to_owned()),
            };
            json!({
                "id": ids::task(*id), "name": name, "input": input, "triggers": [trigger],
                "metadata": {},
            })
        }
        StreamData::TaskFinished { id, name, end } => {
            let result_name = if is_entrypoint(id) { "__end__" } else { "__return__" };
            let (error, result, interrupts) = match end {
                TaskEnd::Result(result) if is_node => (Value::Null, shown(result), json!([])),
                TaskEnd::Result(result) => {
                    (Value::Null, json!({ result_name: shown(result) }), json!([]))
                }
                TaskEnd::Failed(failure) => {
                    let error = json!({ "error": failure.kind, "message": failure.message });
                    (error, json!({}), json!([]))
                }
                TaskEnd::Interrupted(asked) => (Value::Null, json!({}), open(asked)),
                _ => (Value::Null, json!({}), json!([])),
            };
            json!({
                "id": ids::task(*id), "name": name, "error": error, "result": result,
                "interrupts": interrupts,
            })
        }
        _ => return None,
    })
}
