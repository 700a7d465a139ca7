use std::fmt;

use rethread_core::extension::Extension;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde_json::{Map, Number, Value, json};

/// As deep as serde_json reads text.
const LEVELS_MAX: u32 = 128;

/// What becomes of a value that JSON cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsayable {
    /// It is an error.
    Refused,
    /// Something is shown for it.
    Shown,
}

/// Reads one value as JSON.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    /// How many levels it may have.
    levels: u32,
    unsayable: Unsayable,
}

impl Reader {
    pub(super) fn new(unsayable: Unsayable) -> Self {
        Self { levels: LEVELS_MAX, unsayable }
    }

    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..self }),
            None => Err(E::custom(format_args!("nested deeper than {LEVELS_MAX} levels"))),
        }
    }

    /// The key of a map as text.
    fn name<E: serde::de::Error>(self, key: Value) -> Result<String, E> {
        match key {
            Value::String(name) => Ok(name),
            key if self.unsayable == Unsayable::Shown => Ok(key.to_string()),
            Value::Bool(key) => Ok(key.to_string()),
            Value::Number(key) if !key.is_f64() => Ok(key.to_string()),
            key => Err(E::invalid_type(
                kind_of(&key),
                &"a text, number or boolean as the key of a map",
            )),
        }
    }
}

fn kind_of(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(value) => Unexpected::Float(value.as_f64().unwrap_or_default()),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can say")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(value.iter().copied().collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(below)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut members = Map::new();
        while let Some(key) = map.next_key_seed(below)? {
            let name = self.name(key)?;
            let value = map.next_value_seed(below)?;
            if self.unsayable == Unsayable::Refused && members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("key `{name}` is there twice")));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }

    /// An extension type.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Value, D::Error> {
        match self.unsayable {
            Unsayable::Refused => Err(D::Error::invalid_type(Unexpected::NewtypeStruct, &self)),
            Unsayable::Shown => {
                let Extension { number, bytes } = Extension::deserialize(extension)?;
                Ok(json!({ "type": number, "bytes": bytes }))
            }
        }
    }
}
