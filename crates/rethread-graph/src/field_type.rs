use std::any::{TypeId, type_name};
use std::fmt;

use rethread_core::parts;
use rethread_core::payload::{Payload, PayloadError};
use serde::de::DeserializeOwned;

use crate::message_form::form_of;
use crate::reducer::Reducer;
use crate::update::overwritten;

/// The type of what is written to a field.
#[derive(Clone, Copy)]
pub(crate) struct FieldType {
    /// Without the `Option` of a field that may have no value.
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    decodes: fn(&Payload, &str) -> Result<(), PayloadError>,
}

impl FieldType {
    /// That of a field which is known as `T` and holds values of `V`.
    pub(crate) fn of<T: 'static, V: DeserializeOwned>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T>, decodes: decodes::<V> }
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> &'static str {
        (self.name)()
    }

    /// Whether what is of the other type fits, as far as that can be told before there is a value.
    pub(crate) fn may_take(&self, other: &Self) -> bool {
        let json = TypeId::of::<serde_json::Value>();
        let (own, other) = ((self.id)(), (other.id)());
        own == other || own == json || other == json
    }

    /// Looks whether a value that is written to the field is of this type.
    pub(crate) fn check(
        &self,
        field: &str,
        reducer: &Reducer,
        value: &Payload,
    ) -> Result<(), PayloadError> {
        let overwritten = overwritten(value);
        let value = overwritten.as_ref().unwrap_or(value);
        if !matches!(reducer, Reducer::Messages) {
            return (self.decodes)(value, field);
        }
        // One message stands for a list of it, and each may come in several forms.
        let messages = parts::elements(value).unwrap_or_else(|| vec![value.clone()]);
        let forms: Result<Vec<_>, _> =
            messages.iter().map(|message| form_of(message).map(|form| form.value)).collect();
        let forms = forms.map_err(|error| PayloadError::Decode {
            what: format!("field `{field}`"),
            type_name: self.name(),
            reason: error.to_string(),
        })?;
        (self.decodes)(&parts::list(&forms), field)
    }
}

fn decodes<V: DeserializeOwned>(value: &Payload, field: &str) -> Result<(), PayloadError> {
    value.decode::<V>(format_args!("field `{field}`")).map(drop)
}

impl fmt::Debug for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
