use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error};

/// Most members.
const MAX: usize = 1_000;

/// A list in a request of which each member is work of its own: at most 1,000 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Several<T>(pub(crate) Vec<T>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = Vec::deserialize(deserializer)?;
        if list.len() > MAX {
            let given = list.len();
            return Err(D::Error::custom(format_args!(
                "at most {MAX} members, {given} were given"
            )));
        }
        Ok(Self(list))
    }
}

impl<T: JsonSchema> JsonSchema for Several<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Several{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Vec::<T>::json_schema(generator);
        schema.insert("maxItems".to_owned(), MAX.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_so_many_members() {
        let read = |length: usize| {
            serde_json::from_value::<Several<u8>>(vec![7_u8; length].into())
                .map(|list| list.0.len())
        };
        assert_eq!(read(MAX).expect("a list"), MAX);
        let error = read(MAX + 1).expect_err("too long");
        assert_eq!(error.to_string(), "at most 1000 members, 1001 were given");
    }
}
