use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rethread_core::failure::{Failure, kind};
use rethread_core::parts;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::replay::panic_failure;
use rethread_sdk::{Error, Value};

use crate::ids::Ids;
use crate::messages;
use crate::number;

/// How updates of a field are put together.
///
/// ```
/// use rethread_graph::Reducer;
///
/// let longest = Reducer::own("longest", String::new(), |old: String, new: String| {
///     Ok(if new.len() > old.len() { new } else { old })
/// });
/// assert!(format!("{longest:?}").contains("longest"));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Reducer {
    /// The last value: one write per step, and no value until the first one.
    #[default]
    Last,
    /// Lists are joined, from the empty list.
    Append,
    /// Numbers are added, from 0; texts are joined.
    Add,
    /// Maps are merged, from the empty one: the entries of the update win.
    Merge,
    /// Messages: the same id replaces, others are appended; see [`add_messages`](crate::add_messages).
    Messages,
    /// A function.
    Own(OwnReducer),
    /// Seen by the next step only; one write per step.
    Ephemeral,
    /// Lives for the run: in its result, but in no checkpoint; one write per step.
    Untracked,
    /// Given by the engine: how many further steps the recursion limit allows after this one,
    /// this one included. Read only.
    RemainingSteps,
    /// Given by the engine: whether this is the last step that the recursion limit allows. Read
    /// only.
    IsLastStep,
}

/// A reducer that is a function of the user; see [`Reducer::own`].
#[derive(Clone)]
pub struct OwnReducer {
    name: Arc<str>,
    /// What it begins with; an error is told when the graph is compiled.
    initial: Result<Option<Payload>, PayloadError>,
    fold: Arc<Fold>,
}

/// The value after several updates.
type Fold = dyn Fn(&Payload, &[&Payload]) -> Result<Payload, Failure> + Send + Sync;

impl Reducer {
    /// A function of the old value and an update, which begins with `initial`. The name tells
    /// whether two schemas mean the same function.
    pub fn own<T: Value, U: Value>(
        name: impl AsRef<str>,
        initial: T,
        reduce: impl Fn(T, U) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Self {
        let initial = Payload::encode(&initial, "initial value").map(Some);
        Self::Own(OwnReducer { initial, ..OwnReducer::new(name.as_ref(), reduce) })
    }

    /// A function of the old value and an update; the first update is the first value, without
    /// the function being asked.
    pub fn own_from_first<T: Value>(
        name: impl AsRef<str>,
        reduce: impl Fn(T, T) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::Own(OwnReducer::new(name.as_ref(), reduce))
    }

    /// The value before the first update.
    pub(crate) fn initial(&self) -> Option<Payload> {
        match self {
            Self::Append | Self::Messages => Some(parts::list([])),
            Self::Add => Some(number::zero()),
            Self::Merge => Some(parts::map([])),
            Self::Own(own) => own.initial.clone().ok().flatten(),
            Self::Last
            | Self::Ephemeral
            | Self::Untracked
            | Self::RemainingSteps
            | Self::IsLastStep => None,
        }
    }

    /// Whether it puts updates together at all.
    pub(crate) fn folds(&self) -> bool {
        matches!(self, Self::Append | Self::Add | Self::Merge | Self::Messages | Self::Own(_))
    }

    /// Whether the engine gives its values.
    pub(crate) fn is_managed(&self) -> bool {
        matches!(self, Self::RemainingSteps | Self::IsLastStep)
    }

    /// Whether both do the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Own(a), Self::Own(b)) => a.name == b.name && a.initial == b.initial,
            (Self::Own(_), _) | (_, Self::Own(_)) => false,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// Why it cannot be used at all.
    pub(crate) fn invalid(&self) -> Option<&PayloadError> {
        match self {
            Self::Own(own) => own.initial.as_ref().err(),
            _ => None,
        }
    }

    /// The value after the updates of a step to a field that folds; each comes with the place of
    /// its task among those whose `ids` its messages get.
    ///
    /// What it costs grows with the value only as far as its bytes are copied, once, or as the
    /// function of the user reads all of it.
    pub(crate) fn fold(
        &self,
        field: &str,
        old: Option<&Payload>,
        writes: &[(usize, &Payload)],
        ids: &mut [Ids],
    ) -> Result<Payload, Failure> {
        let refuse = |why: &str| {
            let message = format!("field `{field}`: {why}");
            Failure::new(kind::INVALID_UPDATE, message).final_()
        };
        if matches!(self, Self::Messages) {
            let merged = messages::merge(old, writes.iter().copied(), ids);
            return merged.map_err(|error| error.into_failure(field));
        }
        let mut updates = writes.iter().map(|(_, update)| *update);
        let Some(old) = old.or_else(|| updates.next()) else {
            return Err(refuse("an update writes nothing"));
        };
        let updates: Vec<_> = updates.collect();
        match self {
            Self::Append => parts::joined(old, &updates)
                .ok_or_else(|| refuse("an update of a list that is appended to is a list")),
            Self::Add => updates
                .into_iter()
                .try_fold(old.clone(), |sum, update| number::add(&sum, update))
                .map_err(refuse),
            Self::Merge => merge(old, &updates)
                .ok_or_else(|| refuse("an update of a map that is merged is a map")),
            Self::Own(own) => own.call(old, &updates),
            Self::Messages
            | Self::Last
            | Self::Ephemeral
            | Self::Untracked
            | Self::RemainingSteps
            | Self::IsLastStep => Ok(updates.last().copied().unwrap_or(old).clone()),
        }
    }
}

impl OwnReducer {
    fn new<T: Value, U: Value>(
        name: &str,
        reduce: impl Fn(T, U) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Self {
        let fold = move |old: &Payload, updates: &[&Payload]| -> Result<Payload, Failure> {
            let mut value: T = old.decode("value of the field")?;
            for update in updates {
                let update = update.decode("update of the field")?;
                value = reduce(value, update).map_err(Error::into_failure)?;
            }
            Ok(Payload::encode(&value, "value of the field")?)
        };
        Self { name: Arc::from(name), initial: Ok(None), fold: Arc::new(fold) }
    }

    /// A panic is its failure: it is called where nobody else catches one.
    fn call(&self, old: &Payload, updates: &[&Payload]) -> Result<Payload, Failure> {
        if updates.is_empty() {
            return Ok(old.clone());
        }
        catch_unwind(AssertUnwindSafe(|| (self.fold)(old, updates)))
            .unwrap_or_else(|panic| Err(panic_failure(panic.as_ref())))
    }
}

/// Entries keep their places; those of the updates replace equal keys, new ones come last.
fn merge(old: &Payload, updates: &[&Payload]) -> Option<Payload> {
    let mut merged = parts::entries(old)?;
    let places = merged.iter().enumerate().map(|(place, (key, _))| (key.clone(), place));
    let mut places: HashMap<Payload, usize> = places.collect();
    for update in updates {
        for (key, value) in parts::entries(update)? {
            match places.get(&key) {
                Some(place) => merged[*place].1 = value,
                None => {
                    places.insert(key.clone(), merged.len());
                    merged.push((key, value));
                }
            }
        }
    }
    Some(parts::map(merged.iter().map(|(key, value)| (key, value))))
}

impl fmt::Debug for Reducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Last => "Last",
            Self::Append => "Append",
            Self::Add => "Add",
            Self::Merge => "Merge",
            Self::Messages => "Messages",
            Self::Own(own) => return write!(f, "Own({})", own.name),
            Self::Ephemeral => "Ephemeral",
            Self::Untracked => "Untracked",
            Self::RemainingSteps => "RemainingSteps",
            Self::IsLastStep => "IsLastStep",
        })
    }
}

impl fmt::Debug for OwnReducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnReducer({})", self.name)
    }
}
