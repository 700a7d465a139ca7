//! Putting the updates of a step together.

use std::collections::BTreeMap;

use rethread_core::failure::{Failure, kind};
use rethread_core::ids::CallId;
use rethread_core::parts;
use rethread_core::payload::Payload;

use crate::ids::Ids;
use crate::reducer::Reducer;
use crate::schema::Schema;
use crate::values::Values;

/// The key of a map that replaces the value of a field with a reducer.
pub(crate) const OVERWRITE: &str = "__overwrite__";

/// What one task of a step wrote.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Names the task, for the ids of its messages.
    pub(crate) origin: CallId,
    /// Its updates, in order.
    pub(crate) updates: Vec<Values>,
}

impl Written {
    pub(crate) fn new(origin: CallId, updates: Vec<Values>) -> Self {
        Self { origin, updates }
    }

    /// What it wrote, as states show it: a field written twice as a list.
    pub(crate) fn shown(&self, schema: &Schema) -> Payload {
        let mut writes: BTreeMap<&str, Vec<&Payload>> = BTreeMap::new();
        for (field, value) in self.updates.iter().flat_map(Values::iter) {
            // What is in no checkpoint is not shown by one.
            let is_kept = !matches!(schema.reducer(field), Some(Reducer::Untracked));
            if schema.is_written(field) && is_kept {
                writes.entry(field).or_default().push(value);
            }
        }
        let shown: Values = writes
            .into_iter()
            .map(|(field, values)| {
                let value = match values.as_slice() {
                    [value] => (*value).clone(),
                    several => {
                        let list = parts::list(several.iter().copied());
                        parts::map_of_fields([("$writes", &list)])
                    }
                };
                (field.to_owned(), value)
            })
            .collect();
        shown.to_payload()
    }
}

/// The values after the updates of a step, which stand in the order in which they count.
///
/// `ends_step` says whether fields that live for one step end here.
///
/// # Errors
/// Of kind [`kind::INVALID_UPDATE`] for two writes to a plain field, and those of reducers.
pub(crate) fn apply(
    schema: &Schema,
    values: &Values,
    written: &[Written],
    ends_step: bool,
) -> Result<Values, Failure> {
    let mut next = values.clone();
    let mut fields = BTreeMap::<&str, Vec<(usize, &Payload)>>::new();
    for (place, task) in written.iter().enumerate() {
        for (field, value) in task.updates.iter().flat_map(Values::iter) {
            if schema.is_written(field) {
                fields.entry(field).or_default().push((place, value));
            }
        }
    }
    if ends_step {
        for (name, reducer) in schema.fields() {
            if matches!(reducer, Reducer::Ephemeral) && !fields.contains_key(name) {
                next.remove(name);
            }
        }
    }
    // The ids of a task are given in the order of its updates, field by field.
    let mut ids: Vec<Ids> = written.iter().map(|task| Ids::of(task.origin)).collect();
    for (field, writes) in fields {
        let Some(reducer) = schema.reducer(field) else { continue };
        let value = if reducer.folds() {
            fold(reducer, field, next.get(field), &writes, &mut ids)?
        } else {
            single(field, &writes)?
        };
        next.set(field, value);
    }
    Ok(next)
}

fn single(field: &str, writes: &[(usize, &Payload)]) -> Result<Payload, Failure> {
    match writes {
        [(_, value)] => Ok((*value).clone()),
        several => {
            let message = format!(
                "field `{field}` was written {} times in one step and takes one value; let one node \
                 write it, or give it a reducer",
                several.len()
            );
            Err(Failure::new(kind::INVALID_UPDATE, message).final_())
        }
    }
}

fn fold(
    reducer: &Reducer,
    field: &str,
    old: Option<&Payload>,
    writes: &[(usize, &Payload)],
    ids: &mut [Ids],
) -> Result<Payload, Failure> {
    let overwrites: Vec<_> = writes.iter().filter_map(|(_, value)| overwritten(value)).collect();
    match overwrites.as_slice() {
        [] => {}
        [value] => return Ok(value.clone()),
        _ => {
            let message = format!(
                "field `{field}` was overwritten {} times in one step; let one node overwrite it",
                overwrites.len()
            );
            return Err(Failure::new(kind::INVALID_UPDATE, message).final_());
        }
    }
    reducer.fold(field, old, writes, ids)
}

/// The value that an update puts in the place of the old one.
pub(crate) fn overwritten(update: &Payload) -> Option<Payload> {
    // Few updates are maps of one entry, and only those are taken apart.
    if update.as_bytes().first() != Some(&0x81) {
        return None;
    }
    match <[_; 1]>::try_from(parts::fields(update)?) {
        Ok([(key, value)]) if key == OVERWRITE => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::{Value, json};

    use super::*;
    use crate::schema::Field;

    fn schema() -> Schema {
        let mut schema = Schema::default();
        let longest = Reducer::own_from_first("longest", |old: String, new: String| {
            Ok(if new.len() > old.len() { new } else { old })
        });
        let fields = [
            Field::last("x"),
            Field::append("log"),
            Field::add("sum"),
            Field::merge("seen"),
            Field::new("longest", longest),
            Field::new("e", Reducer::Ephemeral),
            Field::new("left", Reducer::RemainingSteps),
        ];
        for field in &fields {
            schema.join(field).expect("no two are alike");
        }
        schema
    }

    fn values(json: Value) -> Values {
        let payload = Payload::encode(&json, "values").expect("encodes");
        Values::from_payload(&payload).expect("a map")
    }

    fn step(old: Value, updates: &[Value]) -> Result<Value, String> {
        let written: Vec<_> = updates
            .iter()
            .map(|update| Written::new(CallId::ANYWHERE, vec![values(update.clone())]))
            .collect();
        let mut old = values(old);
        schema().complete(&mut old);
        let new = apply(&schema(), &old, &written, true).map_err(|failure| failure.kind)?;
        Ok(new.to_payload().decode("new").expect("is JSON"))
    }

    #[test]
    fn reducers_begin_with_the_empty_value_and_take_updates_in_order() {
        let updates = [
            json!({ "log": ["a"], "sum": 2, "seen": { "a": 1, "b": 1 }, "longest": "aa" }),
            json!({ "log": ["b"], "sum": 0.5, "seen": { "a": 2 }, "longest": "b", "zzz": 1 }),
        ];
        let expected = json!({
            "log": ["a", "b"], "sum": 2.5, "seen": { "a": 2, "b": 1 }, "longest": "aa"
        });
        assert_eq!(step(json!({}), &updates), Ok(expected));
    }

    #[test]
    fn a_plain_field_takes_one_write_in_a_step() {
        let twice = [json!({ "x": 1 }), json!({ "x": 1 })];
        assert_eq!(step(json!({}), &twice), Err(kind::INVALID_UPDATE.to_owned()));
        let null = step(json!({ "x": 1 }), &[json!({ "x": null })]).expect("null is a value");
        assert_eq!(null["x"], Value::Null);
    }

    #[test]
    fn overwriting_ends_all_other_updates_of_the_step() {
        let overwrite = json!({ "log": { "__overwrite__": ["fresh"] } });
        let updates =
            [json!({ "log": ["before"] }), overwrite.clone(), json!({ "log": ["after"] })];
        let new = step(json!({ "log": ["in"] }), &updates).expect("one overwrite");
        assert_eq!(new["log"], json!(["fresh"]));
        let twice = [overwrite.clone(), overwrite];
        assert_eq!(step(json!({}), &twice), Err(kind::INVALID_UPDATE.to_owned()));
    }

    #[test]
    fn ephemeral_fields_end_with_the_step_and_managed_ones_are_not_written() {
        let new = step(json!({ "e": 1 }), &[json!({ "left": 9 })]).expect("applies");
        assert!(new.get("e").is_none() && new.get("left").is_none(), "{new}");
        let new = step(json!({ "e": 1 }), &[json!({ "e": 2 })]).expect("applies");
        assert_eq!(new["e"], 2);
    }

    #[test]
    fn reducers_refuse_updates_of_another_type() {
        for update in [json!({ "log": 7 }), json!({ "sum": "x" }), json!({ "seen": [] })] {
            assert_eq!(step(json!({}), &[update]), Err(kind::INVALID_UPDATE.to_owned()));
        }
    }

    #[test]
    fn a_field_without_a_value_begins_with_the_first_update() {
        let longest = |update: &str| json!({ "longest": update });
        let new = step(json!({}), &[longest("a"), longest("ccc"), longest("bb")]).expect("folds");
        assert_eq!(new["longest"], "ccc");
        let new = step(json!({ "log": [1] }), &[json!({ "log": [] }), json!({ "log": [2, 3] })]);
        assert_eq!(new.expect("folds")["log"], json!([1, 2, 3]));
    }

    /// A list that counts how often it is read.
    #[derive(Debug, serde::Serialize)]
    struct Counted(Vec<u64>);

    static READ: AtomicUsize = AtomicUsize::new(0);

    impl<'de> serde::Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            READ.fetch_add(1, Ordering::Relaxed);
            Vec::deserialize(deserializer).map(Self)
        }
    }

    #[test]
    fn a_function_reads_the_value_of_its_field_once_in_a_step() {
        let push = |mut old: Counted, new: u64| {
            old.0.push(new);
            Ok(old)
        };
        let mut schema = Schema::default();
        let all = Field::new("all", Reducer::own("push", Counted(Vec::new()), push));
        schema.join(&all).expect("is alone");
        let written = |n: u64| Written::new(CallId::ANYWHERE, vec![values(json!({ "all": n }))]);
        let written: Vec<_> = (0..50).map(written).collect();
        let new = apply(&schema, &schema.initial(), &written, true).expect("applies");
        assert_eq!(new.read::<Vec<u64>>("all"), Ok(Some((0..50).collect())));
        assert_eq!(READ.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_field_that_was_written_twice_is_shown_as_a_list() {
        let updates = vec![values(json!({ "log": [1], "x": 1 })), values(json!({ "log": [2] }))];
        let shown = Written::new(CallId::ANYWHERE, updates).shown(&schema());
        let shown: Value = shown.decode("shown").expect("is JSON");
        assert_eq!(shown, json!({ "x": 1, "log": { "$writes": [[1], [2]] } }));
    }
}
