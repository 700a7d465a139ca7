//! The reducer of messages, on their encoded form.
//!
//! A stored message is a map with `type`, `content` and `id`. What else a message has is kept as
//! it came.

use std::collections::{BTreeMap, BTreeSet};

use rethread_core::failure::{Failure, kind};
use rethread_core::parts;
use rethread_core::payload::Payload;

use crate::ids::Ids;

/// As the id of a message that removes: all messages before it.
pub const REMOVE_ALL_MESSAGES: &str = "__remove_all__";

/// The type of a message that removes the one with its id.
pub(crate) const REMOVE: &str = "remove";

/// What messages cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessagesError {
    #[error("there is no message with the id `{0}` to be removed")]
    Unknown(String),
    #[error("{0}")]
    NoMessage(&'static str),
    #[error("`{0}` is no type of message: use human, ai, system, tool or remove")]
    Type(String),
}

impl MessagesError {
    pub(crate) fn into_failure(self, field: &str) -> Failure {
        let kind = match self {
            Self::Unknown(_) => kind::UNKNOWN_MESSAGE,
            Self::NoMessage(_) | Self::Type(_) => kind::INVALID_UPDATE,
        };
        Failure::new(kind, format!("field `{field}`: {self}")).final_()
    }
}

/// A message in its stored form.
struct Stored {
    id: String,
    removes: bool,
    value: Payload,
}

/// The messages after an update: one message or a list of them.
pub(crate) fn merge(
    old: Option<&Payload>,
    update: &Payload,
    ids: &mut Ids,
) -> Result<Payload, MessagesError> {
    let mut merged = old.map(|old| stored(old, ids)).transpose()?.unwrap_or_default();
    let update = stored(update, ids)?;
    let all = update.iter().rposition(|it| it.removes && it.id == REMOVE_ALL_MESSAGES);
    if let Some(all) = all {
        return Ok(parts::list(update[all + 1..].iter().map(|message| &message.value)));
    }
    let mut places: BTreeMap<String, usize> =
        merged.iter().enumerate().map(|(place, message)| (message.id.clone(), place)).collect();
    let mut removed = BTreeSet::new();
    for message in update {
        match (places.get(&message.id), message.removes) {
            (Some(_), true) => drop(removed.insert(message.id)),
            (Some(place), false) => {
                removed.remove(&message.id);
                merged[*place] = message;
            }
            (None, true) => return Err(MessagesError::Unknown(message.id)),
            (None, false) => {
                places.insert(message.id.clone(), merged.len());
                merged.push(message);
            }
        }
    }
    let kept = merged.iter().filter(|message| !removed.contains(&message.id));
    Ok(parts::list(kept.map(|message| &message.value)))
}

fn stored(value: &Payload, ids: &mut Ids) -> Result<Vec<Stored>, MessagesError> {
    match parts::elements(value) {
        Some(messages) => messages.iter().map(|message| store(message, ids)).collect(),
        None => Ok(vec![store(value, ids)?]),
    }
}

/// Brings any accepted form of a message into the stored one.
fn store(given: &Payload, ids: &mut Ids) -> Result<Stored, MessagesError> {
    if parts::text(given).is_some() {
        return Ok(written("human", given.clone(), ids));
    }
    if let Some(pair) = parts::elements(given) {
        let [of, content] = <[Payload; 2]>::try_from(pair).map_err(|_| NOT_A_PAIR)?;
        let of = parts::text(&of).ok_or(NOT_A_PAIR)?;
        return Ok(written(type_of(of)?, content, ids));
    }
    let Some(mut fields) = parts::fields(given) else {
        return Err(MessagesError::NoMessage("a message is a text, a pair or a map"));
    };
    let text_of = |name| find(&fields, name).and_then(parts::text);
    let (given_type, role) = (text_of("type"), text_of("role"));
    let Some(who) = given_type.or(role) else {
        return Err(MessagesError::NoMessage("a message has a text as its `type` or its `role`"));
    };
    let of = type_of(who)?;
    let removes = of == REMOVE;
    let has_content = find(&fields, "content").is_some();
    if !has_content && !removes {
        return Err(MessagesError::NoMessage("a message has a `content`"));
    }
    let id = text_of("id").map(str::to_owned);
    let calls = find(&fields, "tool_calls").and_then(typed_calls);
    let is_stored = given_type == Some(of) && role.is_none() && has_content && calls.is_none();
    let id = match (is_stored, id) {
        (true, Some(id)) => return Ok(Stored { id, removes, value: given.clone() }),
        (_, Some(id)) => id,
        (_, None) => ids.next().to_string(),
    };
    if !has_content {
        fields.push(("content".to_owned(), parts::of_text("")));
    }
    if let Some(calls) = calls {
        set(&mut fields, "tool_calls", calls);
    }
    fields.retain(|(name, _)| !matches!(name.as_str(), "type" | "role" | "id"));
    let (of, id_text) = (parts::of_text(of), parts::of_text(&id));
    let head = std::iter::once(("type", &of));
    let value = parts::map_of_fields(head.chain(pairs(&fields)).chain([("id", &id_text)]));
    Ok(Stored { id, removes, value })
}

const NOT_A_PAIR: MessagesError =
    MessagesError::NoMessage("a list in a list of messages is a pair of type and content");

fn written(of: &str, content: Payload, ids: &mut Ids) -> Stored {
    let id = ids.next().to_string();
    let fields = [("type", parts::of_text(of)), ("content", content), ("id", parts::of_text(&id))];
    let value = parts::map_of_fields(fields.iter().map(|(name, value)| (*name, value)));
    Stored { id, removes: false, value }
}

/// The type that a type or a role stands for.
fn type_of(text: &str) -> Result<&'static str, MessagesError> {
    Ok(match text {
        "human" | "user" => "human",
        "ai" | "assistant" => "ai",
        "system" | "developer" => "system",
        "tool" => "tool",
        "function" => "function",
        REMOVE => REMOVE,
        other => return Err(MessagesError::Type(other.to_owned())),
    })
}

/// The calls of tools with their type; none if nothing is to be added.
fn typed_calls(calls: &Payload) -> Option<Payload> {
    let calls = parts::elements(calls)?;
    let mut is_changed = false;
    let typed = calls.into_iter().map(|call| match parts::fields(&call) {
        Some(fields) if find(&fields, "type").is_none() => {
            is_changed = true;
            let of = parts::of_text("tool_call");
            parts::map_of_fields(pairs(&fields).chain([("type", &of)]))
        }
        _ => call,
    });
    let typed: Vec<_> = typed.collect();
    is_changed.then(|| parts::list(&typed))
}

fn find<'a>(fields: &'a [(String, Payload)], name: &str) -> Option<&'a Payload> {
    let found = fields.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    found.filter(|value| !value.is_null())
}

fn set(fields: &mut [(String, Payload)], name: &str, value: Payload) {
    if let Some((_, old)) = fields.iter_mut().find(|(known, _)| known == name) {
        *old = value;
    }
}

fn pairs(fields: &[(String, Payload)]) -> impl Iterator<Item = (&str, &Payload)> {
    fields.iter().map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use rethread_core::ids::CallId;
    use serde_json::{Value, json};

    use super::*;

    fn merged(old: Value, update: Value) -> Result<Value, MessagesError> {
        let old = Payload::encode(&old, "old").expect("encodes");
        let update = Payload::encode(&update, "update").expect("encodes");
        let merged = merge(Some(&old), &update, &mut Ids::of(CallId::ANYWHERE))?;
        Ok(merged.decode("merged").expect("is JSON"))
    }

    fn said(of: &str, content: &str, id: &str) -> Value {
        json!({ "type": of, "content": content, "id": id })
    }

    #[test]
    fn the_same_id_replaces_in_place_and_others_are_appended() {
        let old = json!([said("human", "one", "1"), said("human", "two", "2")]);
        let update = json!([said("ai", "reply", "r"), said("ai", "Two", "2")]);
        let expected =
            json!([said("human", "one", "1"), said("ai", "Two", "2"), said("ai", "reply", "r")]);
        assert_eq!(merged(old, update), Ok(expected));
    }

    #[test]
    fn messages_are_removed_by_id_and_put_back_by_a_later_one() {
        let old = json!([said("human", "one", "1"), said("human", "two", "2")]);
        let remove = |id: &str| json!({ "type": "remove", "id": id, "content": "" });
        let gone = merged(old.clone(), json!([remove("1")])).expect("is there");
        assert_eq!(gone, json!([said("human", "two", "2")]));
        let back = merged(old.clone(), json!([remove("1"), said("ai", "again", "1")]));
        assert_eq!(back, Ok(json!([said("ai", "again", "1"), said("human", "two", "2")])));
        let all =
            json!([said("ai", "x", "x"), remove(REMOVE_ALL_MESSAGES), said("ai", "new", "n")]);
        assert_eq!(merged(old.clone(), all), Ok(json!([said("ai", "new", "n")])));
        assert_eq!(merged(old, json!([remove("9")])), Err(MessagesError::Unknown("9".into())));
    }

    #[test]
    fn all_forms_become_messages_with_ids() {
        let forms = json!(["text", ["human", "pair"], { "role": "assistant", "content": "a" }]);
        let made = merged(json!([]), forms).expect("are messages");
        let types: Vec<_> = (0..3).map(|n| made[n]["type"].clone()).collect();
        assert_eq!(types, ["human", "human", "ai"]);
        assert!(made[2]["role"].is_null());
        let ids: BTreeSet<_> = (0..3).map(|n| made[n]["id"].to_string()).collect();
        assert_eq!(ids.len(), 3, "each has an id of its own");
        assert_eq!(merged(json!([]), json!("text")), merged(json!([]), json!("text")));
        assert!(merged(json!([]), json!(7)).is_err());
        assert!(merged(json!([]), json!({ "type": "robot", "content": "" })).is_err());
    }

    #[test]
    fn calls_of_tools_get_their_type_and_what_else_is_there_stays() {
        let call = json!({ "name": "mul", "args": { "a": 2 }, "id": "c" });
        let given =
            json!({ "type": "ai", "content": "", "id": "1", "tool_calls": [call], "x": [1] });
        let made = merged(json!([]), given).expect("is a message");
        assert_eq!(made[0]["tool_calls"][0]["type"], "tool_call");
        assert_eq!(made[0]["x"], json!([1]));
    }
}
