use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Object;

/// A `T` of which only some members are shown.
#[derive(Debug, Clone)]
pub(crate) struct Partial<T> {
    members: Object,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> Partial<T> {
    /// The members of these names; all members if none are named.
    ///
    /// # Errors
    /// When the value cannot be said in JSON.
    pub(crate) fn select(
        value: &T,
        names: Option<&[impl AsRef<str>]>,
    ) -> Result<Self, serde_json::Error> {
        let mut members = match serde_json::to_value(value)? {
            Value::Object(members) => members,
            _ => Object::new(),
        };
        if let Some(names) = names {
            members.retain(|member, _| names.iter().any(|name| name.as_ref() == member));
        }
        Ok(Self { members, of: PhantomData })
    }

    /// Adds a member.
    pub(crate) fn insert(&mut self, name: &str, value: impl Into<Value>) {
        self.members.insert(name.to_owned(), value.into());
    }
}

impl<T> Serialize for Partial<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Partial<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Part", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.remove("required");
        schema
    }
}
