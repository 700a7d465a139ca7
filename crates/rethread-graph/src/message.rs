use rethread_core::ids::CallId;
use rethread_core::payload::Payload;
use rethread_sdk::{Error, Result};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::ids::Ids;
use crate::message_form::{REMOVE, form_of};
use crate::messages::{self, REMOVE_ALL_MESSAGES};
use crate::reducer::Reducer;
use crate::schema::Field;
use crate::state::{Change, State, Update};
use crate::tree::Tree;

/// One message of a conversation with a model.
///
/// It is read from all forms that the reducer of messages takes: a text is one of a person, a pair
/// is a type and a content, and a map may have a `role` instead of a `type`, and calls of tools as
/// the interfaces of models write them.
///
/// ```
/// use rethread_graph::Message;
///
/// let question = Message::human("what is 2 * 3?");
/// let answer = Message::ai("6").with_id("answer");
/// assert_eq!(answer.text(), "6");
/// # let _ = question;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Message {
    /// Who said it: `human`, `ai`, `system`, `tool`; or `remove`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What was said.
    pub content: Content,
    /// Names it. One without a name gets a random one when it is put together with others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who it is by, in a conversation of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tools that a model calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that the result of a tool answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What else there is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The stored form.
        #[derive(Deserialize)]
        struct Stored {
            #[serde(rename = "type")]
            kind: String,
            content: Content,
            id: Option<String>,
            name: Option<String>,
            #[serde(default)]
            tool_calls: Vec<ToolCall>,
            tool_call_id: Option<String>,
            #[serde(flatten)]
            other: Map<String, Value>,
        }
        let given = Tree::deserialize(deserializer)?;
        let given = Payload::encode(&given, "message").map_err(D::Error::custom)?;
        let form = form_of(&given).map_err(D::Error::custom)?;
        let stored = form.value.decode("message").map_err(D::Error::custom)?;
        let Stored { kind, content, id, name, tool_calls, tool_call_id, other } = stored;
        Ok(Self { kind, content, id, name, tool_calls, tool_call_id, other })
    }
}

/// What a message says: a text, or blocks of the form that a model takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// A text.
    Text(String),
    /// Texts, images and so on.
    Blocks(Vec<Value>),
}

/// A call of a tool, by a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub args: Value,
    /// Names the call; its result says it again.
    pub id: Option<String>,
    /// What else there is.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Message {
    fn new(kind: &str, content: impl Into<Content>) -> Self {
        Self {
            kind: kind.to_owned(),
            content: content.into(),
            id: None,
            name: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            other: Map::new(),
        }
    }

    /// Of a person.
    pub fn human(content: impl Into<Content>) -> Self {
        Self::new("human", content)
    }

    /// Of a model.
    pub fn ai(content: impl Into<Content>) -> Self {
        Self::new("ai", content)
    }

    /// For a model, by who made the application.
    pub fn system(content: impl Into<Content>) -> Self {
        Self::new("system", content)
    }

    /// The result of a call of a tool.
    pub fn tool(call_id: impl Into<String>, content: impl Into<Content>) -> Self {
        Self { tool_call_id: Some(call_id.into()), ..Self::new("tool", content) }
    }

    /// Removes the message with this id, which must exist.
    pub fn remove(id: impl Into<String>) -> Self {
        Self::new(REMOVE, "").with_id(id)
    }

    /// Removes all messages before it.
    pub fn remove_all() -> Self {
        Self::remove(REMOVE_ALL_MESSAGES)
    }

    /// Sets its id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets who it is by, in a conversation of several.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds calls of tools.
    #[must_use]
    pub fn with_tool_calls(mut self, calls: impl IntoIterator<Item = ToolCall>) -> Self {
        self.tool_calls.extend(calls);
        self
    }

    /// What it says as one text: that of its blocks that have one.
    pub fn text(&self) -> String {
        match &self.content {
            Content::Text(text) => text.clone(),
            Content::Blocks(blocks) => {
                let text = |block: &Value| match block {
                    Value::String(text) => Some(text.clone()),
                    block => block.get("text").and_then(Value::as_str).map(str::to_owned),
                };
                blocks.iter().filter_map(text).collect()
            }
        }
    }
}

impl ToolCall {
    /// A call of a tool; the id is repeated by its result.
    pub fn new(name: impl Into<String>, args: Value, id: impl Into<String>) -> Self {
        Self { name: name.into(), args, id: Some(id.into()), other: Map::new() }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Value>> for Content {
    fn from(blocks: Vec<Value>) -> Self {
        Self::Blocks(blocks)
    }
}

/// A text is one of a person.
impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::human(text)
    }
}

/// The messages of a conversation. In an update, those that are added, replaced or removed.
pub type Messages = Vec<Message>;

impl From<Message> for Change<Messages> {
    fn from(message: Message) -> Self {
        Self::Reduce(vec![message])
    }
}

impl From<&str> for Change<Messages> {
    fn from(text: &str) -> Self {
        Self::Reduce(vec![text.into()])
    }
}

/// Puts messages together, as fields with the reducer `messages` do: a message whose id is there
/// already replaces it in its place, others are appended; [`Message::remove`] removes. Messages
/// without id get one.
///
/// For entrypoints, which keep their conversation by themselves. The ids that it makes are drawn
/// from the body's [`random`](rethread_sdk::random()) numbers, and are the same on each replay.
///
/// # Errors
/// When a message is to be removed that does not exist.
pub fn add_messages(
    messages: Messages,
    added: impl IntoIterator<Item = Message>,
) -> Result<Messages> {
    let old = Payload::encode(&messages, "messages")?;
    let update: Messages = added.into_iter().collect();
    let update = Payload::encode(&update, "added messages")?;
    let merged = messages::merge(Some(&old), [(0, &update)], &mut [Ids::of(fresh_origin())])
        .map_err(|error| Error::from_failure(error.into_failure("messages")))?;
    Ok(merged.decode("messages")?)
}

/// Differs from call to call, and is the same on each replay of a body.
fn fresh_origin() -> CallId {
    use rethread_core::replay::Scope;
    let (high, low) = match Scope::current() {
        Ok(scope) => (scope.random(), scope.random()),
        Err(_) => uuid::Uuid::now_v7().as_u64_pair(),
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    CallId::from_bytes(bytes)
}

/// A state that is a conversation: the field `messages`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessagesState {
    /// The conversation.
    #[serde(default)]
    pub messages: Messages,
}

/// An update of a [`MessagesState`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MessagesStateUpdate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    messages: Option<Change<Messages>>,
}

impl MessagesStateUpdate {
    /// An update that writes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds, replaces or removes messages.
    #[must_use]
    pub fn messages(mut self, messages: impl Into<Change<Messages>>) -> Self {
        self.messages = Some(messages.into());
        self
    }
}

impl State for MessagesState {
    type Update = MessagesStateUpdate;

    fn fields() -> Vec<Field> {
        vec![Field::new("messages", Reducer::Messages).of_type::<Messages>()]
    }
}

impl Update for MessagesStateUpdate {
    fn fields() -> Option<Vec<Field>> {
        Some(MessagesState::fields())
    }
}
