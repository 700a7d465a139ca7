//! What a node of a graph wrote, in the two forms in which it is shown.

use rethread_core::parts::{fields, list, map_of_fields};
use rethread_core::payload::Payload;

/// The form of streams of updates: nothing if nothing was written, one map, or, where a field was
/// written twice, a list of maps with one field each. `only` names the fields that are shown; none:
/// all. Updates that are no maps of fields count for nothing.
pub(super) fn as_update(updates: &[Payload], only: Option<&[String]>) -> Payload {
    let is_shown = |name: &str| only.is_none_or(|only| only.iter().any(|one| one == name));
    let writes: Vec<_> =
        all(updates).into_iter().filter(|(name, _)| is_shown(name.as_str())).collect();
    if writes.is_empty() {
        return Payload::NULL;
    }
    if !has_field_twice(&writes) {
        return map_of_fields(writes.iter().map(|(name, value)| (name.as_str(), value)));
    }
    let each: Vec<_> =
        writes.iter().map(|(name, value)| map_of_fields([(name.as_str(), value)])).collect();
    list(&each)
}

/// The form of tasks in states and streams: a map of the fields. One that was written twice holds
/// `{"$writes": [..]}`.
pub(super) fn as_result(updates: &[Payload]) -> Payload {
    let mut results: Vec<(String, Vec<Payload>)> = Vec::new();
    for (name, value) in all(updates) {
        match results.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => results.push((name, vec![value])),
        }
    }
    let results: Vec<_> = results
        .into_iter()
        .map(|(name, mut values)| match values.len() {
            1 => (name, values.remove(0)),
            _ => (name, map_of_fields([("$writes", &list(&values))])),
        })
        .collect();
    map_of_fields(results.iter().map(|(name, value)| (name.as_str(), value)))
}

/// The fields of a map that are named, in its order; the value as it is if it is no map of fields.
pub(super) fn only_fields(map: &Payload, only: &[String]) -> Payload {
    let Some(found) = fields(map) else { return map.clone() };
    let shown = found.iter().filter(|(name, _)| only.contains(name));
    map_of_fields(shown.map(|(name, value)| (name.as_str(), value)))
}

fn all(updates: &[Payload]) -> Vec<(String, Payload)> {
    updates.iter().filter_map(fields).flatten().collect()
}

fn has_field_twice(writes: &[(String, Payload)]) -> bool {
    let mut names: Vec<_> = writes.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    fn payload(value: impl Serialize) -> Payload {
        Payload::encode(&value, "x").expect("encodes")
    }

    fn write<const N: usize>(fields: [(&str, u8); N]) -> Payload {
        let fields: Vec<_> = fields.map(|(name, value)| (name, payload(value))).into();
        map_of_fields(fields.iter().map(|(name, value)| (*name, value)))
    }

    #[test]
    fn updates_are_shown_as_one_map_or_write_by_write() {
        assert_eq!(as_update(&[], None), Payload::NULL);
        assert_eq!(as_update(&[write([])], None), Payload::NULL);
        assert_eq!(as_update(&[Payload::NULL], None), Payload::NULL);
        let two = [write([("y", 2), ("x", 1)]), write([("z", 3)])];
        assert_eq!(as_update(&two, None), write([("y", 2), ("x", 1), ("z", 3)]));
        let twice = [write([("x", 1), ("y", 2)]), write([("x", 3)])];
        let each = [write([("x", 1)]), write([("y", 2)]), write([("x", 3)])];
        assert_eq!(as_update(&twice, None), list(&each));
    }

    #[test]
    fn updates_may_be_shown_in_part() {
        let only = ["x".to_owned()];
        let twice = [write([("x", 1), ("y", 2)]), write([("y", 3)])];
        assert_eq!(as_update(&twice, Some(&only)), write([("x", 1)]));
        assert_eq!(as_update(&twice[1..], Some(&only)), Payload::NULL);
        assert_eq!(only_fields(&twice[0], &only), write([("x", 1)]));
        assert_eq!(only_fields(&payload("text"), &only), payload("text"));
    }

    #[test]
    fn results_keep_all_writes_of_a_field() {
        assert_eq!(as_result(&[]), write([]));
        let twice = [write([("x", 1), ("y", 2)]), write([("x", 3)])];
        let both = map_of_fields([("$writes", &list(&[payload(1), payload(3)]))]);
        assert_eq!(as_result(&twice), map_of_fields([("x", &both), ("y", &payload(2))]));
    }
}
