use std::collections::BTreeMap;

use rethread_core::payload::PayloadError;
use serde::de::DeserializeOwned;

use crate::field_type::FieldType;
use crate::reducer::Reducer;
use crate::values::Values;

/// A field of a state: its name and how its updates are put together.
///
/// ```
/// use rethread_graph::Field;
///
/// let fields = [Field::last("topic"), Field::append("jokes")];
/// assert_eq!(fields[1].name(), "jokes");
/// ```
#[derive(Debug, Clone)]
pub struct Field {
    name: String,
    reducer: Reducer,
    ty: Option<FieldType>,
}

impl Field {
    /// A field with this reducer.
    pub fn new(name: impl Into<String>, reducer: Reducer) -> Self {
        Self { name: name.into(), reducer, ty: None }
    }

    /// A plain field: see [`Reducer::Last`].
    pub fn last(name: impl Into<String>) -> Self {
        Self::new(name, Reducer::Last)
    }

    /// A list that is appended to: see [`Reducer::Append`].
    pub fn append(name: impl Into<String>) -> Self {
        Self::new(name, Reducer::Append)
    }

    /// A number that is added to: see [`Reducer::Add`].
    pub fn add(name: impl Into<String>) -> Self {
        Self::new(name, Reducer::Add)
    }

    /// A map that is merged: see [`Reducer::Merge`].
    pub fn merge(name: impl Into<String>) -> Self {
        Self::new(name, Reducer::Merge)
    }

    /// A list of messages: see [`Reducer::Messages`].
    pub fn messages(name: impl Into<String>) -> Self {
        Self::new(name, Reducer::Messages)
    }

    /// Sets the type of what is written to it: inputs, updates from outside and updates whose types
    /// are not known are refused if they do not fit. `#[derive(State)]` sets it.
    #[must_use]
    pub fn of_type<T: DeserializeOwned + 'static>(mut self) -> Self {
        self.ty = Some(FieldType::of::<T, T>());
        self
    }

    /// The same where an update holds the type without the `Option` around it.
    #[doc(hidden)]
    #[must_use]
    pub fn of_optional_type<T: 'static>(mut self) -> Self
    where
        Option<T>: DeserializeOwned,
    {
        self.ty = Some(FieldType::of::<T, Option<T>>());
        self
    }

    pub(crate) fn ty(&self) -> Option<&FieldType> {
        self.ty.as_ref()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its updates are put together.
    pub fn reducer(&self) -> &Reducer {
        &self.reducer
    }
}

/// All fields of a graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema(BTreeMap<String, Known>);

/// What a graph knows of a field.
#[derive(Debug, Clone)]
struct Known {
    reducer: Reducer,
    /// The type that the first who named the field gave it.
    ty: Option<FieldType>,
}

/// Two schemas want different reducers for one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disagreement {
    pub(crate) field: String,
}

impl Schema {
    /// Joins a field: where one schema has a reducer and another one says nothing, the reducer
    /// counts.
    pub(crate) fn join(&mut self, field: &Field) -> Result<(), Disagreement> {
        let Some(known) = self.0.get_mut(field.name()) else {
            let known = Known { reducer: field.reducer.clone(), ty: field.ty };
            self.0.insert(field.name.clone(), known);
            return Ok(());
        };
        match &mut known.reducer {
            known if known.is_same(&field.reducer) => {}
            known @ Reducer::Last => known.clone_from(&field.reducer),
            _ if matches!(field.reducer, Reducer::Last) => {}
            _ => return Err(Disagreement { field: field.name.clone() }),
        }
        Ok(())
    }

    /// How updates of a field are put together; none for a field that is not known.
    pub(crate) fn reducer(&self, field: &str) -> Option<&Reducer> {
        self.0.get(field).map(|known| &known.reducer)
    }

    /// The type of what is written to a field, as far as it is known.
    pub(crate) fn ty(&self, field: &str) -> Option<&FieldType> {
        self.0.get(field)?.ty.as_ref()
    }

    /// Whether nodes may write it.
    pub(crate) fn is_written(&self, field: &str) -> bool {
        self.reducer(field).is_some_and(|reducer| !reducer.is_managed())
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Reducer)> {
        self.0.iter().map(|(name, known)| (name.as_str(), &known.reducer))
    }

    /// Looks whether values are of the types of their fields, as far as those are known.
    ///
    /// # Errors
    /// For the first field that has a value of another type.
    pub(crate) fn check(&self, update: &Values) -> Result<(), PayloadError> {
        for (field, value) in update.iter() {
            if let Some(Known { reducer, ty: Some(ty) }) = self.0.get(field) {
                ty.check(field, reducer, value)?;
            }
        }
        Ok(())
    }

    /// The values of a new thread.
    pub(crate) fn initial(&self) -> Values {
        let mut values = Values::new();
        self.complete(&mut values);
        values
    }

    /// Gives fields without a value those that they begin with.
    pub(crate) fn complete(&self, values: &mut Values) {
        for (name, reducer) in self.fields() {
            if let Some(initial) = reducer.initial() {
                values.set_if_absent(name, initial);
            }
        }
    }

    /// The fields that live for the run only.
    pub(crate) fn untracked_fields(&self) -> impl Iterator<Item = &str> {
        let untracked = self.fields().filter(|(_, it)| matches!(it, Reducer::Untracked));
        untracked.map(|(name, _)| name)
    }

    /// What checkpoints have and states show.
    pub(crate) fn saved(&self, values: &Values) -> Values {
        values.filtered(|name| !matches!(self.reducer(name), Some(Reducer::Untracked)))
    }

    /// What does not live for a step only.
    pub(crate) fn lasting(&self, values: &Values) -> Values {
        values.filtered(|name| !matches!(self.reducer(name), Some(Reducer::Ephemeral)))
    }

    /// What lives for the run only.
    pub(crate) fn untracked(&self, values: &Values) -> Values {
        values.filtered(|name| matches!(self.reducer(name), Some(Reducer::Untracked)))
    }
}
