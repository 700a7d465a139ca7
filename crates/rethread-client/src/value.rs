use std::borrow::Cow;
use std::fmt;

use rethread_core::payload::Payload;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::json;

/// Most characters of a value that its `Debug` form shows.
const SHOWN_MAX: usize = 200;

/// A value of an application whose type the program does not need to know.
///
/// It is read as a type by [`AnyValue::decode`] or as JSON by [`AnyValue::to_json`]; either
/// error says which value it was. As text (`{}`) it is JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct AnyValue {
    payload: Payload,
    what: Cow<'static, str>,
}

impl AnyValue {
    /// Wraps an encoded value; `what` names it in errors (`result of task charge`).
    pub fn new(payload: Payload, what: impl Into<Cow<'static, str>>) -> Self {
        Self { payload, what: what.into() }
    }

    /// The value as a `T`.
    ///
    /// # Errors
    /// [`crate::ClientError::Payload`] when it is not one.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(self.payload.decode(&self.what)?)
    }

    /// The value as JSON; see [`json`] for what that means for values JSON does not have.
    ///
    /// # Errors
    /// [`crate::ClientError::Payload`] when JSON cannot say it.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        Ok(json::from_payload(&self.payload, &self.what)?)
    }

    /// Whether it is nothing: `()`, `None`, JSON `null`.
    pub fn is_null(&self) -> bool {
        self.payload.is_null()
    }

    /// The value, encoded.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The value, encoded.
    pub fn into_payload(self) -> Payload {
        self.payload
    }
}

/// The value as JSON text, or its size in brackets when JSON cannot say it.
impl fmt::Display for AnyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_json() {
            Ok(json) => write!(f, "{json}"),
            Err(_) => write!(f, "({} bytes that JSON cannot say)", self.payload.len()),
        }
    }
}

/// What the value is, and the beginning of it as JSON text.
///
/// That is the user's data, unlike what [`Payload`] shows: the engine logs the latter only.
impl fmt::Debug for AnyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = self.to_string();
        write!(f, "AnyValue({}: ", self.what)?;
        match json.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => write!(f, "{}… of {} bytes)", &json[..end], self.payload.len()),
            None => write!(f, "{json})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(value: impl serde::Serialize) -> AnyValue {
        AnyValue::new(Payload::encode(&value, "x").expect("encodes"), "result of task `t`")
    }

    #[test]
    fn it_is_shown_as_json() {
        let essay = value(json!({"essay": "cats", "n": 1}));
        assert_eq!(essay.to_string(), r#"{"essay":"cats","n":1}"#);
        assert_eq!(format!("{essay:?}"), r#"AnyValue(result of task `t`: {"essay":"cats","n":1})"#);
    }

    #[test]
    fn debug_shows_the_beginning_only() {
        let long = value("ä".repeat(1_000));
        let begun = "ä".repeat(SHOWN_MAX - 1);
        assert_eq!(
            format!("{long:?}"),
            format!("AnyValue(result of task `t`: \"{begun}… of 2003 bytes)")
        );
        assert_eq!(long.to_string().chars().count(), 1_002);
    }

    #[test]
    fn what_json_cannot_say_is_shown_by_its_size() {
        let odd = value(std::collections::BTreeMap::from([((1, 2), 3)]));
        assert_eq!(odd.to_string(), "(5 bytes that JSON cannot say)");
    }
}
