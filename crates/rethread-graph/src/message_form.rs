//! What becomes a message: texts, pairs, and maps as several libraries write them.
//!
//! A message in the stored form is a map with `type` and `content`, and with `id` once it has one;
//! calls of tools in it are maps with `name`, `args`, `id` and `type`. What else a message has is
//! kept as it came.

use rethread_core::parts;
use rethread_core::payload::Payload;
use serde_json::Value;

/// The type of a message that removes the one with its id.
pub(crate) const REMOVE: &str = "remove";

/// What is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    #[error("{0}")]
    NoMessage(&'static str),
    #[error("`{0}` is no type of message: use human, ai, system, tool or remove")]
    Type(String),
    #[error("the arguments of a call of tool `{0}` are not JSON")]
    Arguments(String),
}

const NOT_A_PAIR: FormError =
    FormError::NoMessage("a list in a list of messages is a pair of type and content");
const NO_CONTENT: FormError = FormError::NoMessage("a message has a `content`");
const NO_TEXT: FormError =
    FormError::NoMessage("the `content` of a message is a text or a list of blocks");

/// A message in the stored form, but for an id if it has none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Form {
    of: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) value: Payload,
}

impl Form {
    pub(crate) fn removes(&self) -> bool {
        self.of == REMOVE
    }

    /// With the id that it has, or this one.
    pub(crate) fn named(self, id: impl FnOnce() -> String) -> (String, Payload) {
        if let Some(id) = self.id {
            return (id, self.value);
        }
        let id = id();
        let fields = parts::fields(&self.value).unwrap_or_default();
        let text = parts::of_text(&id);
        let value = parts::map_of_fields(pairs(&fields).chain([("id", &text)]));
        (id, value)
    }
}

/// Brings any accepted form of a message into the stored one.
pub(crate) fn form_of(given: &Payload) -> Result<Form, FormError> {
    if let Some(form) = as_stored(given) {
        return Ok(form);
    }
    if parts::text(given).is_some() {
        return said("human", Some(given));
    }
    if let Some(pair) = parts::elements(given) {
        let [of, content] = <[Payload; 2]>::try_from(pair).map_err(|_| NOT_A_PAIR)?;
        return said(type_of(parts::text(&of).ok_or(NOT_A_PAIR)?)?, Some(&content));
    }
    let no_map = FormError::NoMessage("a message is a text, a pair or a map");
    let mut fields = parts::fields(given).ok_or(no_map)?;
    let text_of = |name| find(&fields, name).and_then(parts::text);
    let no_type = FormError::NoMessage("a message has a text as its `type` or its `role`");
    let of = type_of(text_of("type").or(text_of("role")).ok_or(no_type)?)?;
    let id = text_of("id").map(str::to_owned);
    let content = match find(&fields, "content") {
        None if of != REMOVE => return Err(NO_CONTENT),
        content => content_of(content)?,
    };
    let calls = match find(&fields, "tool_calls") {
        Some(calls) if !calls.is_null() => Some(calls_of(calls)?),
        _ => None,
    };
    fields.retain(|(name, value)| match name.as_str() {
        "type" | "role" | "id" => false,
        "tool_calls" => !value.is_null(),
        _ => true,
    });
    set(&mut fields, "content", content);
    if let Some(calls) = calls {
        set(&mut fields, "tool_calls", calls);
    }
    let (of_text, id_text) = (parts::of_text(of), id.as_deref().map(parts::of_text));
    let id_field = id_text.as_ref().map(|id| ("id", id));
    let value = std::iter::once(("type", &of_text)).chain(pairs(&fields)).chain(id_field);
    Ok(Form { of, id, value: parts::map_of_fields(value) })
}

/// A message that is in the stored form already, without taking it apart: what lists of messages
/// mostly have.
fn as_stored(given: &Payload) -> Option<Form> {
    let names = ["type", "id", "content", "role", "tool_calls"];
    let [of, id, content, role, calls] = parts::pick(given, names)?;
    let (of, id, content) = (of?, id?, content?);
    let of_text = parts::text(&of)?;
    let of = type_of(of_text).ok().filter(|of| *of == of_text)?;
    let id = parts::text(&id)?.to_owned();
    let is_stored = role.is_none()
        && (parts::text(&content).is_some() || parts::is_list(&content))
        && calls.is_none_or(|calls| calls_of(&calls).is_ok_and(|same| same == calls));
    is_stored.then(|| Form { of, id: Some(id), value: given.clone() })
}

fn said(of: &'static str, content: Option<&Payload>) -> Result<Form, FormError> {
    let (of_text, content) = (parts::of_text(of), content_of(content)?);
    let value = parts::map_of_fields([("type", &of_text), ("content", &content)]);
    Ok(Form { of, id: None, value })
}

/// A text or a list. Null is no text: models give it where they call tools.
fn content_of(content: Option<&Payload>) -> Result<Payload, FormError> {
    match content {
        None => Ok(parts::of_text("")),
        Some(content) if content.is_null() => Ok(parts::of_text("")),
        Some(content) if parts::text(content).is_some() || parts::is_list(content) => {
            Ok(content.clone())
        }
        Some(_) => Err(NO_TEXT),
    }
}

/// The type that a type or a role stands for.
fn type_of(text: &str) -> Result<&'static str, FormError> {
    Ok(match text {
        "human" | "user" => "human",
        "ai" | "assistant" => "ai",
        "system" | "developer" => "system",
        "tool" => "tool",
        "function" => "function",
        REMOVE => REMOVE,
        other => return Err(FormError::Type(other.to_owned())),
    })
}

/// The calls of tools in the stored form.
fn calls_of(calls: &Payload) -> Result<Payload, FormError> {
    let no_list = FormError::NoMessage("the `tool_calls` of a message are a list");
    let calls = parts::elements(calls).ok_or(no_list)?;
    let calls: Result<Vec<_>, _> = calls.iter().map(call_of).collect();
    Ok(parts::list(&calls?))
}

/// A call of a tool: with its type, and taken out of the `function` that some models put it in.
fn call_of(call: &Payload) -> Result<Payload, FormError> {
    let no_map = FormError::NoMessage("a call of a tool is a map");
    let mut fields = parts::fields(call).ok_or(no_map)?;
    if let Some(function) = find(&fields, "function").and_then(parts::fields) {
        let no_name = FormError::NoMessage("a call of a tool has the `name` of its function");
        let name = find(&function, "name").ok_or(no_name)?.clone();
        let args = arguments_of(find(&function, "arguments"), &name)?;
        fields.retain(|(name, _)| !matches!(name.as_str(), "function" | "type"));
        set(&mut fields, "name", name);
        set(&mut fields, "args", args);
    }
    if find(&fields, "type").is_none_or(Payload::is_null) {
        set(&mut fields, "type", parts::of_text("tool_call"));
        return Ok(parts::map_of_fields(pairs(&fields)));
    }
    Ok(call.clone())
}

/// The arguments of a function: a map, or its text in JSON.
fn arguments_of(arguments: Option<&Payload>, tool: &Payload) -> Result<Payload, FormError> {
    let not_json = || FormError::Arguments(parts::text(tool).unwrap_or_default().to_owned());
    match arguments {
        None => Ok(parts::map([])),
        Some(given) if given.is_null() => Ok(parts::map([])),
        Some(given) => match parts::text(given) {
            None => Ok(given.clone()),
            Some("") => Ok(parts::map([])),
            Some(text) => {
                let value: Value = serde_json::from_str(text).map_err(|_| not_json())?;
                Payload::encode(&value, "arguments of a tool").map_err(|_| not_json())
            }
        },
    }
}

fn find<'a>(fields: &'a [(String, Payload)], name: &str) -> Option<&'a Payload> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn set(fields: &mut Vec<(String, Payload)>, name: &str, value: Payload) {
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => fields.push((name.to_owned(), value)),
    }
}

fn pairs(fields: &[(String, Payload)]) -> impl Iterator<Item = (&str, &Payload)> {
    fields.iter().map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(given: Value) -> Result<Value, FormError> {
        let given = Payload::encode(&given, "message").expect("encodes");
        let form = form_of(&given)?;
        Ok(form.value.decode("message").expect("is JSON"))
    }

    #[test]
    fn calls_of_tools_get_their_type_and_what_else_is_there_stays() {
        let call = json!({ "name": "mul", "args": { "a": 2 }, "id": "c" });
        let given =
            json!({ "type": "ai", "content": "", "id": "1", "tool_calls": [call], "x": [1] });
        let made = form(given).expect("is a message");
        assert_eq!(made["tool_calls"][0]["type"], "tool_call");
        assert_eq!(made["x"], json!([1]));
        assert_eq!(form(made.clone()), Ok(made), "it is in the stored form now");
    }

    #[test]
    fn what_models_answer_is_a_message() {
        let function = json!({ "name": "mul", "arguments": "{\"a\": 2}" });
        let call = json!({ "id": "c", "type": "function", "function": function });
        let bare = json!({ "id": "d", "type": "function", "function": { "name": "now" } });
        let given = json!({ "role": "assistant", "content": null, "tool_calls": [call, bare] });
        let expected = json!({ "type": "ai", "content": "", "tool_calls": [
            { "id": "c", "name": "mul", "args": { "a": 2 }, "type": "tool_call" },
            { "id": "d", "name": "now", "args": {}, "type": "tool_call" },
        ] });
        assert_eq!(form(given), Ok(expected));
        let without = json!({ "role": "user", "content": "hi", "tool_calls": null, "id": null });
        assert_eq!(form(without), Ok(json!({ "type": "human", "content": "hi" })));
        let stored = json!({ "type": "ai", "content": "x", "id": "1", "tool_calls": null });
        assert_eq!(form(stored), Ok(json!({ "type": "ai", "content": "x", "id": "1" })));
    }

    #[test]
    fn what_is_no_message_says_why() {
        let function = json!({ "name": "mul", "arguments": "{" });
        let refused = [
            (json!(7), "a message is a text, a pair or a map"),
            (json!({ "role": "user" }), "a message has a `content`"),
            (json!({ "role": "user", "content": 7 }), "a text or a list of blocks"),
            (json!(["user", "a", "b"]), "a pair of type and content"),
            (json!({ "content": "hi" }), "its `type` or its `role`"),
            (json!({ "type": "robot", "content": "" }), "`robot` is no type of message"),
            (json!({ "type": "ai", "content": "", "tool_calls": 7 }), "are a list"),
            (json!({ "type": "ai", "content": "", "tool_calls": [7] }), "is a map"),
            (
                json!({ "type": "ai", "content": "", "tool_calls": [{ "function": function }] }),
                "the arguments of a call of tool `mul` are not JSON",
            ),
        ];
        for (given, expected) in refused {
            let error = form(given).expect_err("is no message").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
