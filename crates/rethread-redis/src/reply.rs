//! Takes answers of the server apart.

use bytes::Bytes;
use redis::Value;
use rethread_storage::Result;

use crate::error::malformed;

/// An entry of a stream: its id, and its fields with their values one after the other.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: (u64, u64),
    pub(crate) fields: Vec<Value>,
}

pub(crate) fn array(value: Value, what: &str) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        Value::Nil => Ok(Vec::new()),
        other => Err(unexpected(&other, "a list", what)),
    }
}

pub(crate) fn bytes(value: Value, what: &str) -> Result<Bytes> {
    optional_bytes(value, what)?.ok_or_else(|| malformed(what, "it is missing"))
}

pub(crate) fn optional_bytes(value: Value, what: &str) -> Result<Option<Bytes>> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => {
            Ok(Some(Bytes::from(text)))
        }
        other => Err(unexpected(&other, "a text", what)),
    }
}

pub(crate) fn all_bytes(value: Value, what: &str) -> Result<Vec<Bytes>> {
    array(value, what)?.into_iter().map(|value| bytes(value, what)).collect()
}

pub(crate) fn text(value: Value, what: &str) -> Result<String> {
    let bytes = bytes(value, what)?;
    String::from_utf8(bytes.into()).map_err(|_| malformed(what, "it is not UTF-8"))
}

pub(crate) fn number(value: Value, what: &str) -> Result<u64> {
    match value {
        Value::Int(number) => {
            u64::try_from(number).map_err(|_| malformed(what, format!("{number} is negative")))
        }
        Value::Double(number) if number >= 0.0 => Ok(number as u64),
        Value::BulkString(bytes) => std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse().ok().or_else(|| Some(text.parse::<f64>().ok()? as u64)))
            .ok_or_else(|| malformed(what, "it is not a number")),
        other => Err(unexpected(&other, "a number", what)),
    }
}

/// The entries of one stream. Those that were deleted but are still assigned have no fields and
/// are left out.
pub(crate) fn entries(value: Value, what: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for value in array(value, what)? {
        let mut parts = array(value, what)?.into_iter();
        let (Some(id), Some(fields)) = (parts.next(), parts.next()) else {
            if parts.len() == 0 {
                continue;
            }
            return Err(malformed(what, "an entry has no fields"));
        };
        if fields == Value::Nil {
            continue;
        }
        entries.push(Entry { id: stream_id(id, what)?, fields: array(fields, what)? });
    }
    Ok(entries)
}

pub(crate) fn stream_id(value: Value, what: &str) -> Result<(u64, u64)> {
    let bytes = bytes(value, what)?;
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| {
            let (ms, seq) = text.split_once('-')?;
            Some((ms.parse().ok()?, seq.parse().ok()?))
        })
        .ok_or_else(|| malformed(what, "an entry has no id"))
}

impl Entry {
    /// The value of the first field, whatever it is called; empty if there is none.
    pub(crate) fn first_value(&self) -> Bytes {
        match self.fields.get(1) {
            Some(Value::BulkString(value)) => Bytes::copy_from_slice(value),
            _ => Bytes::new(),
        }
    }

    /// The value of the field at `index`, which must have this name.
    pub(crate) fn take(&mut self, index: usize, name: &str, what: &str) -> Result<Bytes> {
        match self.fields.get_mut(index * 2..index * 2 + 2) {
            Some([Value::BulkString(field), value]) if field == name.as_bytes() => {
                bytes(std::mem::take(value), what)
            }
            _ => Err(malformed(what, format!("an entry has no field `{name}`"))),
        }
    }
}

fn unexpected(value: &Value, expected: &str, what: &str) -> rethread_storage::StorageError {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) | Value::Set(_) | Value::Map(_) => "a list",
        _ => "something else",
    };
    malformed(what, format!("expected {expected}, found {kind}"))
}
