//! Between the messages that the state of a graph holds and those of a model.

use rethread::graph;

use super::{Chat, Message, Reply, ToolCall};

impl Chat {
    /// The conversation in the state of a graph.
    pub fn of(messages: &[graph::Message]) -> Self {
        Self::new(messages.iter().map(Message::from).collect::<Vec<_>>())
    }
}

impl From<&graph::Message> for Message {
    fn from(message: &graph::Message) -> Self {
        let text = message.text();
        match message.kind.as_str() {
            "system" => Self::System(text),
            "ai" => {
                let tool_calls = message.tool_calls.iter().map(ToolCall::from).collect();
                Self::Assistant(Reply { text, tool_calls })
            }
            "tool" => {
                Self::Tool { call: message.tool_call_id.clone().unwrap_or_default(), content: text }
            }
            _ => Self::User(text),
        }
    }
}

impl From<&graph::ToolCall> for ToolCall {
    fn from(call: &graph::ToolCall) -> Self {
        Self {
            id: call.id.clone().unwrap_or_default(),
            name: call.name.clone(),
            arguments: call.args.clone(),
        }
    }
}

impl From<Reply> for graph::Message {
    fn from(reply: Reply) -> Self {
        let calls = reply.tool_calls.into_iter();
        Self::ai(reply.text).with_tool_calls(
            calls.map(|call| graph::ToolCall::new(call.name, call.arguments, call.id)),
        )
    }
}
