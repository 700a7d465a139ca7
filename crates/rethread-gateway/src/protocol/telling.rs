//! From what happens in a run to the events of the channels.

use rethread_client::{
    CallId, Mode, OpenInterrupt, RunOutcome, StateSnapshot, StreamData, TaskEnd,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::channel::Channel;
use super::messages::{MessageEvent, Messages};
use crate::json::shown;
use crate::sse::{Happened, Message, RunEvents, asked, error_frame, task_data};
use crate::state::source_name;

/// An event of a channel, without what the connection adds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) channel: Channel,
    pub(super) path: Vec<String>,
    pub(super) data: Value,
    /// What tells it from others that the same thing that happened shows.
    pub(super) tag: String,
}

impl Event {
    /// The name of a custom event that has one.
    pub(super) fn name(&self) -> Option<&str> {
        match self.channel {
            Channel::Custom => self.data.get("name").and_then(Value::as_str),
            _ => None,
        }
    }
}

/// Tells what happens in one run.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) run: Uuid,
    /// The entrypoint, as far as it is known.
    graph: String,
    has_begun: bool,
    messages: Messages,
}

impl Telling {
    /// Of a run that was asked for with this entrypoint.
    pub(super) fn new(run: Uuid, graph: String) -> Self {
        Self { run, graph, has_begun: false, messages: Messages::default() }
    }

    /// The events that something that happened shows.
    pub(super) fn tell(&mut self, run: &RunEvents, it: &Happened) -> Vec<Event> {
        let Happened { mode, path, is_node, data, .. } = it;
        let mut events = Events(Vec::new());
        match data {
            StreamData::Began { name, .. } if path.is_empty() => {
                self.graph.clone_from(name);
                self.begin(&mut events);
            }
            StreamData::Began { name, .. } => {
                events.add(Channel::Lifecycle, path, "started", lifecycle("started", name));
            }
            StreamData::Ended { name, end, .. } => {
                let (event, error) = match end {
                    TaskEnd::Failed(failure) => ("failed", Some(failure.message.to_string())),
                    TaskEnd::Interrupted(_) => ("interrupted", None),
                    _ => ("completed", None),
                };
                let data = with_error(lifecycle(event, name), error);
                events.add(Channel::Lifecycle, path, event, data);
            }
            StreamData::RunEnded(outcome) => self.end(outcome, &mut events),
            StreamData::Value(value) | StreamData::Paused { value, .. } => {
                events.add(Channel::Values, path, "values", shown(value));
            }
            StreamData::Update { id, name, value, cached } => {
                let mut data = json!({ "node": name, "values": shown(value) });
                if *cached {
                    data["cached"] = json!(true);
                }
                events.add_messages(self.messages.end_of(*id));
                events.add(Channel::Updates, path, "updates", data);
            }
            StreamData::Custom { call, value, .. } => {
                let value = shown(value);
                let data = match is_named(&value) {
                    true => value,
                    false => json!({ "payload": value }),
                };
                events.add(Channel::Custom, &path_of(run, *call), "custom", data);
            }
            StreamData::Message { call, attempt, value, metadata } => {
                let message = Message::new(self.run, *call, *attempt, value, metadata);
                events.add_messages(self.messages.add(&message, *call, &path_of(run, *call)));
            }
            StreamData::Reset { call, .. } if *mode == Mode::Messages => {
                self.messages.drop_of(*call);
            }
            StreamData::TaskStarted { .. } => {
                events.add_task(path, task_data(run, data, *is_node));
            }
            StreamData::TaskFinished { id, .. } => {
                events.add_messages(self.messages.end_of(*id));
                events.add_task(path, task_data(run, data, *is_node));
            }
            StreamData::Checkpoint(state) if *mode == Mode::Checkpoints => {
                events.add(Channel::Checkpoints, path, "checkpoints", checkpoint(state));
            }
            _ => {}
        }
        events.0
    }

    fn begin(&mut self, events: &mut Events) {
        if !self.has_begun {
            self.has_begun = true;
            let data = lifecycle("running", &self.graph);
            events.add(Channel::Lifecycle, &[], "running", data);
        }
    }

    /// The one end of the run. A run that never began has begun then, too.
    fn end(&mut self, outcome: &RunOutcome, events: &mut Events) {
        self.begin(events);
        events.add_messages(self.messages.end());
        let (event, error) = match outcome {
            RunOutcome::Interrupted(open) => {
                for question in asked(open) {
                    events.ask(&question);
                }
                ("interrupted", None)
            }
            RunOutcome::Cancelled => ("interrupted", None),
            outcome => match error_frame(outcome) {
                Some(error) => {
                    let message = error.get("message").and_then(Value::as_str);
                    ("failed", Some(message.unwrap_or_default().to_owned()))
                }
                None => ("completed", None),
            },
        };
        let data = with_error(lifecycle(event, &self.graph), error);
        events.add(Channel::Lifecycle, &[], event, data);
    }
}

/// The events that one thing that happened shows.
struct Events(Vec<Event>);

impl Events {
    fn add(&mut self, channel: Channel, path: &[String], tag: &str, data: Value) {
        self.0.push(Event { channel, path: path.to_vec(), data, tag: tag.to_owned() });
    }

    fn add_task(&mut self, path: &[String], data: Option<Value>) {
        if let Some(data) = data {
            self.add(Channel::Tasks, path, "tasks", data);
        }
    }

    fn add_messages(&mut self, told: Vec<MessageEvent>) {
        for (path, data) in told {
            let tag = format!("messages{}", self.0.len());
            self.add(Channel::Messages, &path, &tag, data);
        }
    }

    fn ask(&mut self, question: &OpenInterrupt) {
        let id = question.id.to_string();
        let value = shown(&question.value);
        // Clients differ in the name that they read it by.
        let data = json!({ "interrupt_id": id, "payload": value, "value": value });
        self.add(Channel::Input, &[], &format!("input{id}"), data);
    }
}

/// The path of the entrypoint in which a body writes.
fn path_of(run: &RunEvents, call: Option<CallId>) -> Vec<String> {
    run.call(call).map(|call| call.path.clone()).unwrap_or_default()
}

/// Whether a body gave what it wrote a name and a payload.
fn is_named(value: &Value) -> bool {
    let members = value.as_object().filter(|members| members.len() == 2);
    members.is_some_and(|members| {
        members.get("name").is_some_and(Value::is_string) && members.contains_key("payload")
    })
}

fn lifecycle(event: &str, graph: &str) -> Value {
    json!({ "event": event, "graph_name": graph })
}

fn with_error(mut data: Value, error: Option<String>) -> Value {
    if let Some(error) = error {
        data["error"] = json!(error);
    }
    data
}

fn checkpoint(state: &StateSnapshot) -> Value {
    let mut data = json!({
        "id": state.checkpoint, "step": state.step, "source": source_name(state.source),
    });
    if let Some(parent) = state.parent {
        data["parent_id"] = json!(parent);
    }
    data
}
