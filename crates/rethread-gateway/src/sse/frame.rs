use std::fmt::Write;

use bytes::Bytes;
use serde_json::Value;

/// One event as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// Its name.
    pub(crate) event: String,
    pub(crate) data: Value,
    /// What a client that was cut off names to go on behind it.
    pub(crate) id: Option<String>,
}

impl Frame {
    /// Its text. JSON has no line breaks but escaped ones.
    pub(crate) fn encode(&self) -> Bytes {
        let Self { event, data, id } = self;
        let mut text = format!("event: {event}\r\ndata: {data}\r\n");
        if let Some(id) = id {
            // Writing to a string does not fail.
            let _ = write!(text, "id: {id}\r\n");
        }
        text.push_str("\r\n");
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_one_line() {
        let frame = Frame {
            event: "custom".to_owned(),
            data: json!("a\r\nb\u{2028}c"),
            id: Some("1-2".to_owned()),
        };
        let text = frame.encode();
        let expected = "event: custom\r\ndata: \"a\\r\\nb\u{2028}c\"\r\nid: 1-2\r\n\r\n";
        assert_eq!(text, expected.as_bytes());
    }
}
