//! From the pieces of a streamed chat completion to a reply.

use rethread::{Error, Result};
use serde_json::Value as Json;

use super::{Reply, ToolCall};

/// Cuts arriving bytes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next line that is complete. Cut at line ends only, no character is torn apart.
    pub(super) fn next_line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

/// A reply of which a part has come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    text: String,
    calls: Vec<PartialCall>,
    is_ended: bool,
}

#[derive(Debug, Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

impl Assembly {
    /// Takes one line of the stream.
    pub(super) fn take(
        &mut self,
        line: &str,
        on_token: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<()> {
        // Other lines are comments, event names, or the empty ones between events.
        let Some(data) = line.strip_prefix("data:").map(str::trim) else { return Ok(()) };
        if data == "[DONE]" {
            self.is_ended = true;
            return Ok(());
        }
        let event: Json = serde_json::from_str(data)
            .map_err(|error| not_understood(format_args!("an event that is not JSON: {error}")))?;
        if let Some(error) = event.get("error") {
            return Err(Error::new("ModelError", format!("the model failed: {error}")));
        }
        let choice = &event["choices"][0];
        self.is_ended |= choice["finish_reason"].is_string();
        self.add(&choice["delta"], on_token);
        Ok(())
    }

    /// A reply that came in one piece.
    pub(super) fn whole(
        completion: &Json,
        on_token: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<Reply> {
        let message = &completion["choices"][0]["message"];
        if !message.is_object() {
            return Err(not_understood("no message"));
        }
        let mut assembly = Self { is_ended: true, ..Self::default() };
        assembly.add(message, on_token);
        assembly.finish()
    }

    fn add(&mut self, part: &Json, on_token: &mut (dyn for<'a> FnMut(&'a str) + Send)) {
        if let Some(text) = part["content"].as_str().filter(|text| !text.is_empty()) {
            on_token(text);
            self.text.push_str(text);
        }
        for (place, call) in part["tool_calls"].as_array().into_iter().flatten().enumerate() {
            let index = call["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            let index = index.unwrap_or(place).min(self.calls.len());
            if index == self.calls.len() {
                self.calls.push(PartialCall::default());
            }
            let partial = &mut self.calls[index];
            let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
            partial.id += &text(&call["id"]);
            partial.name += &text(&call["function"]["name"]);
            partial.arguments += &text(&call["function"]["arguments"]);
        }
    }

    /// The reply, once everything has come.
    pub(super) fn finish(self) -> Result<Reply> {
        if !self.is_ended {
            let message = "the connection ended in the middle of the model's reply";
            return Err(Error::new("ConnectionError", message));
        }
        let tool_calls = self.calls.into_iter().map(PartialCall::finish).collect::<Result<_>>()?;
        Ok(Reply { text: self.text, tool_calls })
    }
}

impl PartialCall {
    fn finish(self) -> Result<ToolCall> {
        // A tool without arguments may come without any text for them.
        let text = if self.arguments.is_empty() { "{}" } else { &self.arguments };
        let arguments = serde_json::from_str(text).map_err(|error| {
            not_understood(format_args!("arguments of `{}` that are not JSON: {error}", self.name))
        })?;
        Ok(ToolCall { id: self.id, name: self.name, arguments })
    }
}

/// The model wrote something odd: asked again, it may do better.
fn not_understood(what: impl std::fmt::Display) -> Error {
    Error::new("ModelReply", format!("the model replied with {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_come_in_any_pieces() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for byte in "data: ä\r\n\ndata: b\nrest".as_bytes() {
            lines.push(&[*byte]);
            found.extend(lines.next_line());
        }
        assert_eq!(found, ["data: ä", "", "data: b"]);
    }

    fn assembled(lines: &[&str]) -> Result<(Reply, Vec<String>)> {
        let mut tokens = Vec::new();
        let mut assembly = Assembly::default();
        for line in lines {
            assembly.take(line, &mut |token: &str| tokens.push(token.to_owned()))?;
        }
        Ok((assembly.finish()?, tokens))
    }

    #[test]
    fn texts_and_calls_are_put_together() {
        let (reply, tokens) = assembled(&[
            ": a comment",
            r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
            r#"data: {"choices":[{"delta":{"content":"Hel"}}]}"#,
            r#"data: {"choices":[{"delta":{"content":"lo"}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"weather","arguments":"{\"ci"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":1,"id":"c2","function":{"name":"clock","arguments":""}}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"ty\":\"Rome\"}"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
            "data: [DONE]",
        ])
        .expect("a reply");
        assert_eq!(tokens, ["Hel", "lo"]);
        assert_eq!(reply.text, "Hello");
        let [weather, clock] = reply.tool_calls.as_slice() else { panic!("{reply:?}") };
        assert_eq!((&*weather.id, &*weather.name), ("c1", "weather"));
        assert_eq!(weather.arguments, serde_json::json!({ "city": "Rome" }));
        assert_eq!(clock.arguments, serde_json::json!({}));
    }

    #[test]
    fn a_torn_stream_is_no_reply() {
        let torn = assembled(&[r#"data: {"choices":[{"delta":{"content":"Hel"}}]}"#]);
        assert_eq!(torn.expect_err("torn").kind(), "ConnectionError");
        let odd = assembled(&["data: <html>"]);
        assert_eq!(odd.expect_err("no JSON").kind(), "ModelReply");
        let failed = assembled(&[r#"data: {"error":{"message":"overloaded"}}"#]);
        assert!(failed.expect_err("failed").message().contains("overloaded"));
    }
}
