use std::collections::BTreeMap;
use std::collections::btree_map::{self, Entry};
use std::fmt;

use rethread_core::parts;
use rethread_core::payload::{Payload, PayloadError};
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tree::Tree;

/// Fields of a state and their values.
///
/// Values stay encoded until somebody asks for one of them: what a reducer does not touch keeps
/// every byte, whatever type it is of.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Payload>);

impl Values {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// The fields of an encoded map; none for a value that is no map with texts as keys.
    pub fn from_payload(payload: &Payload) -> Option<Self> {
        Some(Self(parts::fields(payload)?.into_iter().collect()))
    }

    /// The encoded map.
    pub fn to_payload(&self) -> Payload {
        parts::map_of_fields(self.iter())
    }

    /// The encoded value of a field.
    pub fn get(&self, field: &str) -> Option<&Payload> {
        self.0.get(field)
    }

    /// The value of a field; none if it has none.
    ///
    /// # Errors
    /// When the value is not a `T`.
    pub fn read<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, PayloadError> {
        self.get(field).map(|value| value.decode(format_args!("field `{field}`"))).transpose()
    }

    /// Sets the value of a field.
    ///
    /// # Errors
    /// When serde refuses the value.
    pub fn write<T: Serialize + ?Sized>(
        &mut self,
        field: &str,
        value: &T,
    ) -> Result<(), PayloadError> {
        let value = Payload::encode(value, format_args!("field `{field}`"))?;
        self.set(field, value);
        Ok(())
    }

    /// Sets the encoded value of a field.
    pub fn set(&mut self, field: &str, value: Payload) {
        match self.0.get_mut(field) {
            Some(old) => *old = value,
            None => drop(self.0.insert(field.to_owned(), value)),
        }
    }

    /// Sets the encoded value of a field that has none.
    pub fn set_if_absent(&mut self, field: &str, value: Payload) {
        if let Entry::Vacant(entry) = self.0.entry(field.to_owned()) {
            entry.insert(value);
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, field: &str) -> Option<Payload> {
        self.0.remove(field)
    }

    /// Whether no field has a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All fields that have a value, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Payload)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The fields for which `keep` says so.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kept = self.0.iter().filter(|(name, _)| keep(name));
        Self(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// The map of fields, as if each value were there itself.
impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            let value: Tree = value
                .decode(format_args!("field `{name}`"))
                .map_err(<S::Error as serde::ser::Error>::custom)?;
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = BTreeMap::<String, Tree>::deserialize(deserializer)?.into_iter();
        let encoded = fields.map(|(name, value)| {
            let value = Payload::encode(&value, format_args!("field `{name}`"))
                .map_err(<D::Error as serde::de::Error>::custom)?;
            Ok((name, value))
        });
        encoded.collect::<Result<_, _>>().map(Self)
    }
}

/// Values as they are saved: each by itself, without a byte of it being looked at.
pub(crate) mod saved {
    use super::{BTreeMap, Deserialize, Deserializer, Payload, Serialize, Serializer, Values};

    pub(crate) fn serialize<S: Serializer>(
        values: &Values,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        values.0.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Values, D::Error> {
        BTreeMap::<String, Payload>::deserialize(deserializer).map(Values)
    }
}

impl IntoIterator for Values {
    type Item = (String, Payload);
    type IntoIter = btree_map::IntoIter<String, Payload>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, Payload)> for Values {
    fn from_iter<T: IntoIterator<Item = (String, Payload)>>(fields: T) -> Self {
        Self(fields.into_iter().collect())
    }
}

/// Shows names only: values are the users' data.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
