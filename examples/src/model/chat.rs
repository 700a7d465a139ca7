//! What passes between a program and a chat model.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A conversation so far, and what the model may call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Chat {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// The tools that the model may ask for.
    pub tools: Vec<Tool>,
}

impl Chat {
    /// A conversation of these messages.
    pub fn new(messages: impl Into<Vec<Message>>) -> Self {
        Self { messages: messages.into(), tools: Vec::new() }
    }

    /// Lets the model ask for these tools.
    #[must_use]
    pub fn tools(mut self, tools: impl Into<Vec<Tool>>) -> Self {
        self.tools = tools.into();
        self
    }

    /// The text of the newest message, whoever wrote it.
    pub fn last(&self) -> &str {
        self.messages.last().map(Message::text).unwrap_or_default()
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// What the program tells the model about its part.
    System(String),
    /// What a person said.
    User(String),
    /// What the model replied.
    Assistant(Reply),
    /// What a tool gave.
    Tool {
        /// Id of the [`ToolCall`].
        call: String,
        /// Its result.
        content: String,
    },
}

impl Message {
    /// What the program tells the model about its part.
    pub fn system(text: impl Into<String>) -> Self {
        Self::System(text.into())
    }

    /// What a person said.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(text.into())
    }

    /// What a tool gave for a call.
    pub fn tool(call: &ToolCall, content: impl Into<String>) -> Self {
        Self::Tool { call: call.id.clone(), content: content.into() }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        match self {
            Self::System(text) | Self::User(text) => text,
            Self::Assistant(reply) => &reply.text,
            Self::Tool { content, .. } => content,
        }
    }
}

impl From<Reply> for Message {
    fn from(reply: Reply) -> Self {
        Self::Assistant(reply)
    }
}

/// What a model replied: a text, calls of tools, or both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What it says.
    pub text: String,
    /// The tools it asks for.
    pub tool_calls: Vec<ToolCall>,
}

impl Reply {
    /// A reply that says something.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), tool_calls: Vec::new() }
    }

    /// A reply that asks for one tool.
    pub fn call(id: impl Into<String>, name: impl Into<String>, arguments: Json) -> Self {
        let call = ToolCall { id: id.into(), name: name.into(), arguments };
        Self { text: String::new(), tool_calls: vec![call] }
    }
}

/// A model's wish to have a tool called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Names the call; the result is given under it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments, an object.
    pub arguments: Json,
}

/// A tool that a model may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for, told to the model.
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Json,
}

impl Tool {
    /// A tool whose arguments are texts of these names, all required.
    pub fn of_texts(name: &str, description: &str, arguments: &[&str]) -> Self {
        let properties: serde_json::Map<_, _> = arguments
            .iter()
            .map(|argument| ((*argument).to_owned(), serde_json::json!({ "type": "string" })))
            .collect();
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            parameters: serde_json::json!({
                "type": "object", "properties": properties, "required": arguments,
            }),
        }
    }
}
