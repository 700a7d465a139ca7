use std::collections::BTreeMap;

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
}

impl Field {
    /// A field with this reducer.
    pub fn new(name: impl Into<String>, reducer: Reducer) -> Self {
        Self { name: name.into(), reducer }
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
pub(crate) struct Schema(BTreeMap<String, Reducer>);

/// Two schemas want different reducers for one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disagreement {
    pub(crate) field: String,
}

impl Schema {
    /// Joins a field: where one schema has a reducer and another one says nothing, the reducer
    /// counts.
    pub(crate) fn join(&mut self, field: &Field) -> Result<(), Disagreement> {
        match self.0.get_mut(field.name()) {
            None => drop(self.0.insert(field.name.clone(), field.reducer.clone())),
            Some(known) if known.is_same(&field.reducer) => {}
            Some(known @ Reducer::Last) => known.clone_from(&field.reducer),
            Some(_) if matches!(field.reducer, Reducer::Last) => {}
            Some(_) => return Err(Disagreement { field: field.name.clone() }),
        }
        Ok(())
    }

    /// How updates of a field are put together; none for a field that is not known.
    pub(crate) fn reducer(&self, field: &str) -> Option<&Reducer> {
        self.0.get(field)
    }

    /// Whether nodes may write it.
    pub(crate) fn is_written(&self, field: &str) -> bool {
        self.reducer(field).is_some_and(|reducer| !reducer.is_managed())
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Reducer)> {
        self.0.iter().map(|(name, reducer)| (name.as_str(), reducer))
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

    /// What checkpoints have and states show.
    pub(crate) fn saved(&self, values: &Values) -> Values {
        values.filtered(|name| !matches!(self.reducer(name), Some(Reducer::Untracked)))
    }

    /// What lives for the run only.
    pub(crate) fn untracked(&self, values: &Values) -> Values {
        values.filtered(|name| matches!(self.reducer(name), Some(Reducer::Untracked)))
    }
}
