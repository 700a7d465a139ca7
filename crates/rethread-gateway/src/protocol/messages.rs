//! Messages of models as events: a start, the parts as they come, and an end.

use rethread_client::CallId;
use serde_json::{Value, json};

use crate::json::Object;
use crate::sse::Message;

/// The messages that have begun and not ended, oldest first.
#[derive(Debug, Default)]
pub(super) struct Messages {
    open: Vec<OpenMessage>,
}

#[derive(Debug)]
struct OpenMessage {
    id: String,
    call: Option<CallId>,
    path: Vec<String>,
    text: String,
}

/// Something about a message, at a path.
pub(super) type MessageEvent = (Vec<String>, Value);

impl Messages {
    /// What a chunk, or a whole message, tells.
    pub(super) fn add(
        &mut self,
        message: &Message,
        call: Option<CallId>,
        path: &[String],
    ) -> Vec<MessageEvent> {
        let mut events = Vec::new();
        let mut tell = |data: Value| events.push((path.to_vec(), data));
        let text = message.text();
        let place = self.open.iter().position(|open| open.id == message.id);
        let place = place.unwrap_or_else(|| {
            let mut start = json!({
                "event": "message-start", "role": role(&message.chunk), "id": message.id,
            });
            if !message.metadata.is_empty() {
                start["metadata"] = json!(scalars(&message.metadata));
            }
            tell(start);
            let block = json!({ "type": "text", "text": "" });
            tell(json!({ "event": "content-block-start", "index": 0, "content": block }));
            let (id, path) = (message.id.clone(), path.to_vec());
            self.open.push(OpenMessage { id, call, path, text: String::new() });
            self.open.len() - 1
        });
        if let Some(open) = self.open.get_mut(place) {
            let more = match message.is_chunk() {
                true => text.as_str(),
                // The whole of what may have come in parts.
                false => text.strip_prefix(open.text.as_str()).unwrap_or(&text),
            };
            if !more.is_empty() {
                let delta = json!({ "type": "text-delta", "text": more });
                tell(json!({ "event": "content-block-delta", "index": 0, "delta": delta }));
            }
            open.text.push_str(more);
        }
        if !message.is_chunk() {
            events.extend(finish(self.open.remove(place)));
        }
        events
    }

    /// Ends the messages that a body wrote.
    pub(super) fn end_of(&mut self, call: CallId) -> Vec<MessageEvent> {
        let ended = self.open.extract_if(.., |open| open.call == Some(call));
        ended.flat_map(finish).collect()
    }

    /// Forgets the messages that a body wrote, which is run again: they start anew.
    pub(super) fn drop_of(&mut self, call: Option<CallId>) {
        self.open.retain(|open| open.call != call);
    }

    /// Ends all messages.
    pub(super) fn end(&mut self) -> Vec<MessageEvent> {
        self.open.drain(..).flat_map(finish).collect()
    }
}

fn finish(OpenMessage { path, text, .. }: OpenMessage) -> [MessageEvent; 2] {
    let block = json!({ "type": "text", "text": text });
    [
        (path.clone(), json!({ "event": "content-block-finish", "index": 0, "content": block })),
        (path, json!({ "event": "message-finish" })),
    ]
}

fn role(chunk: &Object) -> &'static str {
    let kind = chunk.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind.to_ascii_lowercase() {
        kind if kind.starts_with("human") => "human",
        kind if kind.starts_with("system") => "system",
        _ => "ai",
    }
}

/// The facts that a client takes: texts, numbers and booleans.
fn scalars(metadata: &Object) -> Object {
    let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
    let kept = metadata.iter().filter(|(_, value)| is_scalar(value));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use rethread_client::{AnyValue, Payload};
    use uuid::Uuid;

    use super::*;

    fn message(value: Value) -> Message {
        let any = |value: &Value| AnyValue::new(Payload::encode(value, "x").expect("encodes"), "x");
        let metadata = json!({"id": "m", "model": "x", "deep": {}});
        Message::new(Uuid::nil(), None, 1, &any(&value), &any(&metadata))
    }

    fn names(events: &[MessageEvent]) -> Vec<&str> {
        events.iter().filter_map(|(_, data)| data["event"].as_str()).collect()
    }

    #[test]
    fn a_message_has_one_start_and_one_end() {
        let mut messages = Messages::default();
        let first = messages.add(&message(json!("Hel")), None, &[]);
        assert_eq!(names(&first), ["message-start", "content-block-start", "content-block-delta"]);
        assert_eq!(first[0].1["metadata"], json!({"id": "m", "model": "x"}));
        let second = messages.add(&message(json!("lo")), None, &[]);
        assert_eq!(names(&second), ["content-block-delta"]);
        let end = messages.end();
        assert_eq!(names(&end), ["content-block-finish", "message-finish"]);
        assert_eq!(end[0].1["content"]["text"], "Hello");
        assert!(messages.end().is_empty());
    }

    #[test]
    fn a_whole_message_completes_its_chunks() {
        let mut messages = Messages::default();
        messages.add(&message(json!("Hel")), None, &[]);
        let whole = messages.add(&message(json!({"type": "ai", "content": "Hello"})), None, &[]);
        assert_eq!(
            names(&whole),
            ["content-block-delta", "content-block-finish", "message-finish"]
        );
        assert_eq!(whole[0].1["delta"]["text"], "lo");
        assert_eq!(whole[1].1["content"]["text"], "Hello");
    }
}
