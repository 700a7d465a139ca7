//! A conversation that streams as it is written, and asks before it does something.
//!
//! The model is a script, so that it needs neither a network nor a key.

use std::time::Duration;

use rethread::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A message in the form that chat pages show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    #[serde(rename = "type")]
    pub from: From,
    /// A text, or a list of blocks.
    pub content: Json,
    #[serde(default)]
    pub id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum From {
    Human,
    Ai,
}

impl Message {
    fn ai(content: String, id: String) -> Self {
        Self { from: From::Ai, content: content.into(), id: Some(id) }
    }

    /// What it says, of whatever blocks it is made.
    fn text(&self) -> String {
        match &self.content {
            Json::String(text) => text.clone(),
            Json::Array(blocks) => {
                blocks.iter().filter_map(|block| block["text"].as_str()).collect()
            }
            _ => String::new(),
        }
    }
}

/// What was said so far; as input, what a person adds to it.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conversation {
    pub messages: Vec<Message>,
}

/// Says a text word by word. All that is written under one id is one message.
#[task]
pub(crate) async fn say(text: String, id: String) -> Result<String> {
    for word in text.split_inclusive(' ') {
        emit_message(word, json!({ "id": id, "model": "script" }))?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(text)
}

/// What a person has to agree to before it is done.
fn action_in(said: &str) -> Option<String> {
    let said = said.to_lowercase();
    ["delete", "send", "pay"].iter().any(|verb| said.starts_with(verb)).then_some(said)
}

fn new_id() -> Result<String> {
    Ok(format!("{:016x}", random::<u64>()?))
}

#[entrypoint]
pub(crate) async fn chat(
    added: Conversation,
    previous: Previous<Conversation>,
) -> Result<Conversation> {
    let mut messages = previous.into_inner().unwrap_or_default().messages;
    for mut message in added.messages {
        let id = message.id.take().map_or_else(new_id, Ok)?;
        messages.push(Message { id: Some(id), ..message });
    }
    let said = messages.last().map(Message::text).unwrap_or_default();
    let reply = match action_in(&said) {
        None => format!(
            "You said: {said}. I am a script, so I have no opinion of it, but I can go on about it \
             for a while, word by word, so that there is something to watch. This is the end."
        ),
        Some(action) => {
            // The question carries the conversation, which is saved only when the run is done.
            let question = json!({ "action": action, "messages": messages });
            let approved: bool = interrupt(question).await?;
            format!("{}: {action}", if approved { "Done" } else { "I leave it" })
        }
    };
    let id = new_id()?;
    messages.push(Message::ai(say(reply, id.clone()).await?, id));
    Ok(Conversation { messages })
}
