//! The reducer of messages, on their encoded form.
//!
//! A stored message is a map with `type`, `content` and `id`; `message_form` says what else becomes
//! one.

use std::collections::{HashMap, HashSet};

use rethread_core::failure::{Failure, kind};
use rethread_core::parts;
use rethread_core::payload::Payload;

use crate::ids::Ids;
use crate::message_form::{FormError, form_of};

/// As the id of a message that removes: all messages before it.
pub const REMOVE_ALL_MESSAGES: &str = "__remove_all__";

/// What messages cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessagesError {
    #[error("there is no message with the id `{0}`; remove one that is there")]
    Unknown(String),
    #[error(transparent)]
    Form(#[from] FormError),
}

impl MessagesError {
    pub(crate) fn into_failure(self, field: &str) -> Failure {
        let kind = match self {
            Self::Unknown(_) => kind::UNKNOWN_MESSAGE,
            Self::Form(_) => kind::INVALID_UPDATE,
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

/// The messages after several updates, one after the other, each one message or a list of them.
/// Messages without id get those of the place that is named beside their update.
pub(crate) fn merge<'a>(
    old: Option<&Payload>,
    updates: impl IntoIterator<Item = (usize, &'a Payload)>,
    ids: &mut [Ids],
) -> Result<Payload, MessagesError> {
    let mut updates = updates.into_iter().peekable();
    let first = updates.peek().map_or(0, |(place, _)| *place);
    let old = old.map(|old| stored(old, &mut ids[first])).transpose()?;
    let mut merged = Merged::new(old.unwrap_or_default());
    for (place, update) in updates {
        merged.take(stored(update, &mut ids[place])?)?;
    }
    Ok(parts::list(merged.messages.iter().map(|message| &message.value)))
}

/// Messages, and where each of them stands.
struct Merged {
    messages: Vec<Stored>,
    places: HashMap<String, usize>,
}

impl Merged {
    fn new(messages: Vec<Stored>) -> Self {
        let places = messages.iter().enumerate();
        let places = places.map(|(place, message)| (message.id.clone(), place)).collect();
        Self { messages, places }
    }

    /// Takes one update.
    fn take(&mut self, mut update: Vec<Stored>) -> Result<(), MessagesError> {
        let all = update.iter().rposition(|it| it.removes && it.id == REMOVE_ALL_MESSAGES);
        if let Some(all) = all {
            *self = Self::new(update.split_off(all + 1));
            return Ok(());
        }
        let mut removed = HashSet::new();
        for message in update {
            match (self.places.get(&message.id), message.removes) {
                (Some(_), true) => drop(removed.insert(message.id)),
                (Some(place), false) => {
                    removed.remove(&message.id);
                    self.messages[*place] = message;
                }
                (None, true) => return Err(MessagesError::Unknown(message.id)),
                (None, false) => {
                    self.places.insert(message.id.clone(), self.messages.len());
                    self.messages.push(message);
                }
            }
        }
        if !removed.is_empty() {
            let mut kept = std::mem::take(&mut self.messages);
            kept.retain(|message| !removed.contains(&message.id));
            *self = Self::new(kept);
        }
        Ok(())
    }
}

fn stored(value: &Payload, ids: &mut Ids) -> Result<Vec<Stored>, MessagesError> {
    let mut store = |message: &Payload| {
        let form = form_of(message)?;
        let removes = form.removes();
        let (id, value) = form.named(|| ids.next().to_string());
        Ok(Stored { id, removes, value })
    };
    match parts::elements(value) {
        Some(messages) => messages.iter().map(store).collect(),
        None => Ok(vec![store(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rethread_core::ids::CallId;
    use serde_json::{Value, json};

    use super::*;

    fn merged(old: Value, update: Value) -> Result<Value, MessagesError> {
        let old = Payload::encode(&old, "old").expect("encodes");
        let update = Payload::encode(&update, "update").expect("encodes");
        let merged = merge(Some(&old), [(0, &update)], &mut [Ids::of(CallId::ANYWHERE)])?;
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
    fn several_updates_of_a_step_are_taken_one_after_the_other() {
        let old = Payload::encode(&json!([said("human", "one", "1")]), "old").expect("encodes");
        let updates = [json!("two"), json!([{ "type": "remove", "id": "1" }]), json!(["three"])];
        let updates = updates.map(|update| Payload::encode(&update, "update").expect("encodes"));
        let mut ids = [1, 2, 3].map(|n| Ids::of(CallId::from_bytes([n; 16])));
        let merged = merge(Some(&old), updates.iter().enumerate(), &mut ids).expect("merges");
        let merged: Value = merged.decode("merged").expect("is JSON");
        let said = |n: usize| merged[n]["content"].clone();
        assert_eq!([said(0), said(1), said(2)], [json!("two"), json!("three"), Value::Null]);
        assert_ne!(merged[0]["id"], merged[1]["id"]);
    }
}
