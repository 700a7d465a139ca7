use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use super::Object;
use super::contains::contains;

/// Most values in it, also within each other: each may be compared with every part of each thing
/// that is looked through.
const PARTS_MAX: usize = 256;

/// What something that is looked for has at least: at most 256 values, counted at all levels.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wanted<T>(T);

impl<T> Wanted<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl Wanted<Object> {
    /// Whether there is nothing that is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these members have at least the wanted ones.
    pub(crate) fn is_met_by(&self, members: &Object) -> bool {
        let has = |(name, wanted): (&String, &Value)| {
            members.get(name).is_some_and(|value| contains(value, wanted))
        };
        self.0.iter().all(has)
    }
}

impl Wanted<Value> {
    /// Whether this value has at least what is wanted.
    pub(crate) fn is_met_by(&self, value: &Value) -> bool {
        contains(value, &self.0)
    }
}

/// Something whose parts can be counted.
pub(crate) trait Parts {
    /// How many values it has, at all levels.
    fn parts(&self) -> usize;
}

impl Parts for Value {
    fn parts(&self) -> usize {
        1 + match self {
            Value::Array(elements) => elements.iter().map(Parts::parts).sum(),
            Value::Object(members) => members.parts(),
            _ => 0,
        }
    }
}

impl Parts for Object {
    fn parts(&self) -> usize {
        self.values().map(Parts::parts).sum()
    }
}

impl<'de, T: Deserialize<'de> + Parts> Deserialize<'de> for Wanted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wanted = T::deserialize(deserializer)?;
        match wanted.parts() {
            0..=PARTS_MAX => Ok(Self(wanted)),
            parts => Err(D::Error::custom(format_args!(
                "at most {PARTS_MAX} values can be looked for, {parts} were given"
            ))),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Wanted<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Wanted{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Wanted<Value>, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn so_much_can_be_looked_for() {
        let list = |length: usize| json!({ "a": vec![0; length] });
        // The object, the list and its elements.
        assert!(read(list(PARTS_MAX - 2)).is_ok());
        let error = read(list(PARTS_MAX - 1)).expect_err("too many");
        assert_eq!(error, "at most 256 values can be looked for, 257 were given");
        assert!(read(json!([[list(200)], [list(200)]])).is_err(), "at all levels");
    }

    #[test]
    fn members_have_at_least_the_wanted_ones() {
        let wanted: Wanted<Object> =
            serde_json::from_value(json!({ "a": { "b": 1 } })).expect("an object");
        let is_met = |value: Value| value.as_object().is_some_and(|it| wanted.is_met_by(it));
        assert!(is_met(json!({ "a": { "b": 1, "c": 2 }, "d": 3 })));
        assert!(!is_met(json!({ "a": { "b": 2 } })));
        assert!(!is_met(json!({ "b": 1 })));
    }
}
