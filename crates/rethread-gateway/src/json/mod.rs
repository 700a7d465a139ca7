//! JSON that is looked into.

mod contains;
mod listed;
mod partial;
mod path;
mod several;
mod wanted;
mod whole;

use rethread_client::AnyValue;

pub(crate) use listed::Listed;
pub(crate) use partial::Partial;
pub(crate) use path::JsonPath;
pub(crate) use rethread_client::json::{Shown, show};
pub(crate) use several::Several;
pub(crate) use wanted::Wanted;
pub(crate) use whole::Whole;

/// An object.
pub(crate) type Object = serde_json::Map<String, serde_json::Value>;

/// A value of a program as JSON, whatever it is: a thread with such a value is found, read and
/// streamed like any other.
pub(crate) fn shown(value: &AnyValue) -> serde_json::Value {
    show(value.payload())
}

/// Has structs be read from objects only: serde would take a list of their members as well. They
/// derive `Deserialize` with `#[serde(remote = "Self")]`.
macro_rules! read_from_objects {
    ($($type:ty),*) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let members = <$crate::json::Object as serde::Deserialize>::deserialize(deserializer)?;
                Self::deserialize(serde_json::Value::Object(members))
                    .map_err(serde::de::Error::custom)
            }
        }
    )*};
}

pub(crate) use read_from_objects;
