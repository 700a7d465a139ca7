//! Tokens and messages of models, as clients read them.

use std::collections::HashMap;

use rethread_client::{AnyValue, CallId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ids;
use crate::json::{Object, shown};

/// A chunk of a message, or a whole one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    /// Chunks of the same message share it.
    pub(crate) id: String,
    /// The message in LangChain's form.
    pub(crate) chunk: Object,
    /// Facts about it.
    pub(crate) metadata: Object,
}

impl Message {
    /// From what a body wrote: a text is a chunk of a message of which the metadata may tell the
    /// id; an object is a message or a chunk in LangChain's form already.
    pub(crate) fn new(
        run: Uuid,
        call: Option<CallId>,
        attempt: u32,
        value: &AnyValue,
        metadata: &AnyValue,
    ) -> Self {
        let metadata = match shown(metadata) {
            Value::Object(members) => members,
            Value::Null => Object::new(),
            other => Object::from_iter([("metadata".to_owned(), other)]),
        };
        let mut chunk = match shown(value) {
            Value::Object(members) => members,
            Value::String(text) => Object::from_iter([("content".to_owned(), json!(text))]),
            other => Object::from_iter([("content".to_owned(), json!(other.to_string()))]),
        };
        let of = |object: &Object| object.get("id").and_then(Value::as_str).map(str::to_owned);
        let by_call = || {
            let body = call.map_or(run, ids::task);
            match attempt {
                0 | 1 => format!("run-{body}"),
                attempt => format!("run-{body}-{attempt}"),
            }
        };
        let id = of(&chunk).or_else(|| of(&metadata)).unwrap_or_else(by_call);
        chunk.insert("id".to_owned(), json!(id));
        for (member, default) in [
            ("content", json!("")),
            ("additional_kwargs", json!({})),
            ("response_metadata", json!({})),
            ("type", json!("AIMessageChunk")),
            ("name", Value::Null),
            ("tool_calls", json!([])),
            ("invalid_tool_calls", json!([])),
            ("usage_metadata", Value::Null),
            ("tool_call_chunks", json!([])),
        ] {
            if chunk.get(member).is_none_or(Value::is_null) {
                chunk.insert(member.to_owned(), default);
            }
        }
        Self { id, chunk, metadata }
    }

    /// Whether it is a part of a message.
    pub(crate) fn is_chunk(&self) -> bool {
        let kind = self.chunk.get("type").and_then(Value::as_str);
        kind.is_none_or(|kind| kind.ends_with("Chunk"))
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        match self.chunk.get("content") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(blocks)) => {
                let texts = blocks.iter().filter_map(|block| block.get("text")?.as_str());
                texts.collect()
            }
            _ => String::new(),
        }
    }
}

/// Puts chunks together to the messages that they are of.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    whole: HashMap<String, Object>,
}

impl Chunks {
    /// Takes a chunk; gives the whole message so far, and whether it is a new one.
    pub(super) fn add(&mut self, message: &Message) -> (Object, bool) {
        let known = self.whole.get_mut(&message.id);
        let is_new = known.is_none();
        let whole = match known {
            Some(whole) if message.is_chunk() => {
                append(whole, &message.chunk);
                whole.clone()
            }
            _ => {
                let mut whole = message.chunk.clone();
                if message.is_chunk() {
                    whole.insert("type".to_owned(), json!("ai"));
                }
                whole.remove("tool_call_chunks");
                self.whole.insert(message.id.clone(), whole.clone());
                whole
            }
        };
        (whole, is_new)
    }

    /// Forgets a message that is complete.
    pub(super) fn remove(&mut self, id: &str) {
        self.whole.remove(id);
    }

    /// The whole messages, which are complete now.
    pub(super) fn take(&mut self) -> Vec<Object> {
        let mut all: Vec<_> = self.whole.drain().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.into_iter().map(|(_, whole)| whole).collect()
    }
}

/// Adds the content of a chunk to a message.
fn append(whole: &mut Object, chunk: &Object) {
    let Some(more) = chunk.get("content") else { return };
    match (whole.get_mut("content"), more) {
        (Some(Value::String(text)), Value::String(more)) => text.push_str(more),
        (Some(Value::Array(blocks)), Value::Array(more)) => blocks.extend(more.iter().cloned()),
        (Some(Value::Array(blocks)), Value::String(more)) if !more.is_empty() => {
            blocks.push(json!({ "type": "text", "text": more }));
        }
        (Some(Value::Array(_)), _) => {}
        (_, more) => {
            whole.insert("content".to_owned(), more.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use rethread_client::Payload;

    use super::*;

    fn value(value: Value) -> AnyValue {
        AnyValue::new(Payload::encode(&value, "x").expect("encodes"), "x")
    }

    fn message(content: Value, metadata: Value) -> Message {
        let (content, metadata) = (value(content), value(metadata));
        Message::new(Uuid::nil(), None, 1, &content, &metadata)
    }

    #[test]
    fn texts_become_chunks_of_one_message() {
        let mut chunks = Chunks::default();
        let (first, is_new) = chunks.add(&message(json!("Hel"), json!({"id": "m", "model": "x"})));
        assert!(is_new);
        assert_eq!((&first["content"], &first["type"]), (&json!("Hel"), &json!("ai")));
        let (whole, is_new) = chunks.add(&message(json!("lo"), json!({"id": "m"})));
        assert!(!is_new);
        assert_eq!((&whole["content"], &whole["id"]), (&json!("Hello"), &json!("m")));
        assert_eq!(chunks.take().len(), 1);
    }

    #[test]
    fn a_chunk_without_an_id_has_that_of_its_body() {
        let chunk = message(json!("x"), json!(null));
        assert_eq!(chunk.id, format!("run-{}", Uuid::nil()));
        assert_eq!(chunk.chunk["type"], "AIMessageChunk");
        assert!(chunk.is_chunk());
    }

    #[test]
    fn a_whole_message_stays_as_it_is() {
        let whole = message(json!({"type": "ai", "content": "x", "id": "7"}), json!({}));
        assert!(!whole.is_chunk());
        assert_eq!((whole.id.as_str(), &whole.chunk["type"]), ("7", &json!("ai")));
    }
}
