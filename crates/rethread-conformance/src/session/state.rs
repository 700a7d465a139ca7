//! States of threads, and edits of them.

use rethread::client::{CheckpointId, ClientError, Source, StateSnapshot};
use serde_json::{Value, json};

use super::{Observed, Session, Stop, object, trace};
use crate::case::Object;
use crate::errors;
use crate::operation::{At, Common};

impl Session<'_> {
    pub(super) async fn state(&mut self, common: &Common) -> Observed {
        let thread = self.kept_thread(common)?;
        let state = match &common.at {
            None => thread.state().await?,
            Some(at) => thread.state_at(self.checkpoint(common, at).await?).await?,
        };
        let Some(state) = state else {
            return Ok(object(json!({ "state": { "checkpoint": null } })));
        };
        self.report(common, &state.interrupts)?;
        Ok(object(json!({ "state": snapshot(&state)? })))
    }

    pub(super) async fn history(
        &mut self,
        common: &Common,
        limit: Option<usize>,
        filter: Option<&Object>,
        before: Option<&At>,
    ) -> Observed {
        if filter.is_some() || common.at.is_some() {
            return Err(Stop::NotImplemented("history with arguments".into()));
        }
        let thread = self.kept_thread(common)?;
        let before = match before {
            Some(at) => Some(self.checkpoint(common, at).await?),
            None => None,
        };
        let states = thread.history(before, limit.unwrap_or(usize::MAX)).await?;
        let states: Vec<Value> = states.iter().map(snapshot).collect::<Result<_, _>>()?;
        Ok(object(json!({ "history": states })))
    }

    /// The checkpoint that an operation names, as the history of the thread is now.
    pub(super) async fn checkpoint(
        &self,
        common: &Common,
        at: &At,
    ) -> Result<CheckpointId, Stop> {
        match at {
            At::Place(place) => {
                let history = self.kept_thread(common)?.history(None, usize::MAX).await?;
                let missing = || Stop::Trouble(format!("the history has no entry {place}"));
                history.get(*place).map(|state| state.checkpoint).ok_or_else(missing)
            }
            At::Id(id) => id.parse().map_err(|_| Stop::engine("CheckpointNotFound")),
        }
    }

    pub(super) async fn update(
        &mut self,
        _common: &Common,
        _values: &Value,
        _node: Option<&str>,
    ) -> Observed {
        Err(Stop::NotImplemented("update".into()))
    }

    pub(super) async fn delete_thread(&mut self, _common: &Common) -> Observed {
        Err(Stop::NotImplemented("delete_thread".into()))
    }
}

fn snapshot(state: &StateSnapshot) -> Result<Value, ClientError> {
    let mut task = Object::new();
    if let Some(failure) = &state.error {
        task.insert("error".into(), errors::raised(&failure.kind, &failure.message));
    }
    if !state.interrupts.is_empty() {
        task.insert("interrupts".into(), trace::interrupts(&state.interrupts)?);
    }
    if let Some(result) = &state.result {
        task.insert("result".into(), result.to_json()?);
    }
    let tasks = state.next.iter().map(|name| {
        let mut task = task.clone();
        task.insert("name".into(), name.as_str().into());
        Value::Object(task)
    });
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
        "tasks": tasks.collect::<Vec<_>>(),
        "interrupts": trace::interrupts(&state.interrupts)?,
    }))
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
