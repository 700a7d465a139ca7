//! What happens in a run, in the modes that a client asks for (v1 of the streaming protocol).

use std::collections::BTreeMap;

use rethread_client::{AnyValue, CallId, Mode, OpenInterrupt, Refusal, RunOutcome, StreamData};
use rethread_core::event::Interrupt;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Frame;
use super::checkpoint::checkpoint_data;
use super::chunk::{Chunks, Message};
use super::modes::{StreamMode, StreamModes};
use super::position::Position;
use super::source::{Happened, RunEvents};
use super::task::task_data;
use crate::ids;
use crate::json::{Object, shown};
use crate::times;

/// Turns what happens in a run into frames.
#[derive(Debug)]
pub(crate) struct Showing {
    thread: Uuid,
    modes: StreamModes,
    /// Whether what child entrypoints do is shown.
    has_children: bool,
    chunks: Chunks,
    /// The messages that bodies have begun, by their ids.
    writers: BTreeMap<String, Option<CallId>>,
}

/// Frames with their positions.
type Placed = Vec<(Position, Frame)>;

impl Showing {
    pub(crate) fn new(thread: Uuid, modes: StreamModes, has_children: bool) -> Self {
        let (chunks, writers) = (Chunks::default(), BTreeMap::new());
        Self { thread, modes, has_children, chunks, writers }
    }

    /// What is sent of it.
    pub(crate) fn show(&mut self, run: &RunEvents, happened: &Happened) -> Placed {
        let Happened { position, path, data, .. } = happened;
        match data {
            StreamData::Began { .. } if path.is_empty() => {
                vec![(*position, frame("metadata", metadata_frame(run.run())))]
            }
            StreamData::Message { call, attempt, value, metadata }
                if self.is_visible(run, *call) =>
            {
                let message = Message::new(run.run(), *call, *attempt, value, metadata);
                self.show_message(run, happened, *call, &message)
            }
            StreamData::Message { .. } | StreamData::Began { .. } | StreamData::Ended { .. } => {
                Vec::new()
            }
            StreamData::Reset { call, attempt } if self.is_visible(run, *call) => {
                self.show_reset(run, happened, *call, *attempt)
            }
            StreamData::RunEnded(outcome) => self.show_end(*position, outcome),
            _ => self.show_in_mode(run, happened),
        }
    }

    /// Whether what a body writes is shown.
    fn is_visible(&self, run: &RunEvents, call: Option<CallId>) -> bool {
        self.has_children || run.call(call).is_none_or(|call| call.path.is_empty())
    }

    /// The path as a part of the name of an event.
    fn suffix(&self, path: &[String]) -> String {
        match self.has_children && !path.is_empty() {
            true => format!("|{}", path.join("|")),
            false => String::new(),
        }
    }

    fn show_in_mode(&self, run: &RunEvents, happened: &Happened) -> Placed {
        let Happened { position, mode, path, data, is_node, .. } = happened;
        let is_visible = match data {
            StreamData::Custom { call, .. } => self.is_visible(run, *call),
            _ => self.has_children || path.is_empty(),
        };
        if !is_visible || !self.modes.want(*mode) {
            return Vec::new();
        }
        let Some(data) = self.data(run, data, path, *is_node) else { return Vec::new() };
        let event = format!("{}{}", mode.name(), self.suffix(path));
        vec![(*position, frame(event, data))]
    }

    /// What a mode says of it.
    fn data(
        &self,
        run: &RunEvents,
        data: &StreamData,
        path: &[String],
        is_node: bool,
    ) -> Option<Value> {
        Some(match data {
            StreamData::Value(value) | StreamData::Custom { value, .. } => shown(value),
            StreamData::Update { name, value, cached, .. } => {
                let mut update = Object::from_iter([(name.clone(), shown(value))]);
                if *cached {
                    update.insert("__metadata__".to_owned(), json!({ "cached": true }));
                }
                Value::Object(update)
            }
            StreamData::Interrupts(asked) => interrupts(asked),
            StreamData::Paused { value, interrupts: asked } => {
                merged(shown(value), interrupts(asked))
            }
            StreamData::TaskStarted { .. } | StreamData::TaskFinished { .. } => {
                return task_data(run, data, is_node);
            }
            StreamData::Checkpoint(state) => {
                let task = run.root().filter(|_| path.is_empty());
                checkpoint_data(state, self.thread, path, task)
            }
            StreamData::Debug { step, timestamp, kind, payload } => {
                let payload = self.data(run, payload, path, is_node);
                json!({
                    "step": step, "timestamp": times::text(*timestamp), "type": kind.name(),
                    "payload": payload,
                })
            }
            _ => return None,
        })
    }

    fn show_message(
        &mut self,
        run: &RunEvents,
        Happened { position, path, .. }: &Happened,
        call: Option<CallId>,
        message: &Message,
    ) -> Placed {
        let metadata = self.facts(run, call, message.metadata.clone());
        self.writers.insert(message.id.clone(), call);
        let suffix = self.suffix(path);
        let mut placed = Vec::new();
        if self.modes.has(StreamMode::Messages) {
            let (whole, is_new) = self.chunks.add(message);
            if is_new {
                let facts = json!({ message.id.as_str(): { "metadata": metadata } });
                placed.push((*position, frame(format!("messages/metadata{suffix}"), facts)));
            }
            let name = if message.is_chunk() { "partial" } else { "complete" };
            if !message.is_chunk() {
                self.chunks.remove(&message.id);
            }
            let event = format!("messages/{name}{suffix}");
            placed.push((position.part(1), frame(event, json!([whole]))));
        }
        if self.modes.has(StreamMode::MessagesTuple) {
            let data = json!([message.chunk, metadata]);
            placed.push((position.part(2), frame(format!("messages{suffix}"), data)));
        }
        placed
    }

    /// What is said about a message.
    fn facts(&self, run: &RunEvents, call: Option<CallId>, mut metadata: Object) -> Object {
        let node = run.call(call).map(|call| call.name.clone());
        for (name, value) in [
            ("langgraph_node", json!(node)),
            ("run_id", json!(run.run())),
            ("thread_id", json!(self.thread)),
        ] {
            metadata.insert(name.to_owned(), value);
        }
        metadata
    }

    /// A body is run again, and what it wrote counts no more. Clients that put chunks together
    /// are sent an empty message in the place of what they have.
    fn show_reset(
        &mut self,
        run: &RunEvents,
        Happened { position, mode, path, .. }: &Happened,
        call: Option<CallId>,
        attempt: Option<u32>,
    ) -> Placed {
        let mut placed = Vec::new();
        if self.modes.has(StreamMode::Reset) {
            let name = run.call(call).map(|call| call.name.clone());
            let data = json!({
                "mode": mode.name(), "id": call.map(ids::task), "name": name, "attempt": attempt,
            });
            placed.push((*position, frame("reset", data)));
        }
        if *mode != Mode::Messages {
            return placed;
        }
        let begun: Vec<_> =
            self.writers.extract_if(.., |_, writer| *writer == call).map(|(id, _)| id).collect();
        for (place, id) in begun.into_iter().enumerate() {
            let part = u8::try_from(place + 2).unwrap_or(u8::MAX);
            self.chunks.remove(&id);
            if self.modes.has(StreamMode::MessagesTuple) {
                let empty = json!({ "type": "ai", "content": "", "id": id });
                let data = json!([empty, self.facts(run, call, Object::new())]);
                let event = format!("messages{}", self.suffix(path));
                placed.push((position.part(part), frame(event, data)));
            }
        }
        placed
    }

    fn show_end(&mut self, position: Position, outcome: &RunOutcome) -> Placed {
        let mut placed = Vec::new();
        let complete = self.chunks.take();
        if !complete.is_empty() {
            placed.push((position, frame("messages/complete", json!(complete))));
        }
        if let Some(data) = error_frame(outcome) {
            placed.push((position.part(1), frame("error", data)));
        }
        placed
    }
}

fn frame(event: impl Into<String>, data: Value) -> Frame {
    Frame { event: event.into(), data, id: None }
}

/// What the first frame of a run tells.
pub(crate) fn metadata_frame(run: Uuid) -> Value {
    json!({ "run_id": run, "attempt": 1 })
}

/// Why a run has no result; none if it has one, asks, or was cancelled.
pub(crate) fn error_frame(outcome: &RunOutcome) -> Option<Value> {
    let error = |kind: &str, message: String| Some(json!({ "error": kind, "message": message }));
    match outcome {
        RunOutcome::Failed(failure) => error(&failure.kind, failure.message.to_string()),
        RunOutcome::Parked(mismatch) => error("ReplayMismatch", mismatch.to_string()),
        RunOutcome::Refused(refusal) => error(refusal_name(refusal), refusal.to_string()),
        _ => None,
    }
}

fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownEntrypoint { .. } => "UnknownEntrypoint",
        Refusal::InvalidInput { .. } => "InvalidInput",
        Refusal::EmptyInput | Refusal::NothingToContinue { .. } => "EmptyInput",
        Refusal::UnknownInterrupt { .. } | Refusal::AmbiguousAnswer { .. } => "InvalidResume",
        Refusal::InvalidCheckpoint { .. } => "InvalidCheckpoint",
        Refusal::Busy { .. } => "Busy",
        Refusal::TooManyWaiting { .. } | Refusal::Limit { .. } => "LimitReached",
        _ => "Refused",
    }
}

/// Questions that a run stopped at, in the place of its result.
pub(crate) fn interrupts(asked: &[OpenInterrupt]) -> Value {
    let question = |it: &OpenInterrupt| json!({ "value": shown(&it.value), "id": it.id.to_string(), "response_schema": null });
    json!({ "__interrupt__": asked.iter().map(question).collect::<Vec<_>>() })
}

/// Values of a graph, with what else is said of it.
pub(crate) fn merged(values: Value, more: Value) -> Value {
    match (values, more) {
        (Value::Object(mut values), Value::Object(more)) => {
            values.extend(more);
            Value::Object(values)
        }
        (_, more) => more,
    }
}

/// Questions as they stand in the end of a run.
pub(crate) fn asked(interrupts: &[Interrupt]) -> Vec<OpenInterrupt> {
    let open = |it: &Interrupt| {
        let value = AnyValue::new(it.value.clone(), "value of an interrupt");
        OpenInterrupt { id: it.id, value }
    };
    interrupts.iter().map(open).collect()
}

/// Questions of a task.
pub(super) fn open(asked: &[OpenInterrupt]) -> Value {
    let question =
        |it: &OpenInterrupt| json!({ "id": it.id.to_string(), "value": shown(&it.value) });
    asked.iter().map(question).collect()
}
