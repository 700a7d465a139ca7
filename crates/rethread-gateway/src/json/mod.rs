//! JSON that is looked into.

mod contains;
mod partial;
mod path;
mod whole;

pub(crate) use contains::contains;
pub(crate) use partial::Partial;
pub(crate) use path::JsonPath;
pub(crate) use whole::Whole;

/// An object.
pub(crate) type Object = serde_json::Map<String, serde_json::Value>;
