use rethread_core::failure::Failure;
use rethread_core::parts;
use rethread_core::payload::{Payload, PayloadError};
use rethread_sdk::Value;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::command::update_of;
use crate::message_form::form_of;
use crate::reducer::Reducer;
use crate::schema::Field;
use crate::update::OVERWRITE;
use crate::values::Values;

/// The state of a graph, or a part of one: the fields of a struct. Derive it:
///
/// ```
/// # extern crate rethread_graph as rethread;
/// use rethread_graph::{Overwrite, State};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Default, Serialize, Deserialize, State)]
/// #[serde(default)]
/// struct Essay {
///     topic: String,
///     #[state(append)]
///     drafts: Vec<String>,
///     #[state(add)]
///     words: u64,
///     #[state(reduce = longest)]
///     title: String,
/// }
///
/// fn longest(old: String, new: String) -> String {
///     if new.len() > old.len() { new } else { old }
/// }
///
/// // What nodes return: only the fields they write.
/// let update = EssayUpdate::new().topic("cats").drafts(["a draft".into()]).words(2);
/// let fresh = EssayUpdate::new().drafts(Overwrite(vec![]));
/// # let _ = (update, fresh);
/// ```
///
/// | attribute of a field | how its updates are put together |
/// |---|---|
/// | none, or `last` | the last value; one write per step |
/// | `append` | lists are joined |
/// | `add` | numbers are added, texts joined |
/// | `merge` | maps are merged, the update wins |
/// | `messages` | [`Messages`](crate::Messages): equal ids replace, others are appended |
/// | `reduce = f` | `f(old, update)`, which may return a `Result`; from the default value, or with an `Option` from the first update. Two types that have the same field name the same function: `reduce = f, name = "longest"` where their paths to it differ |
/// | `ephemeral` | seen by the next step only |
/// | `untracked` | lives for the run and is in no checkpoint |
/// | `remaining_steps`, `is_last_step` | given by the engine, never written |
///
/// A field has no value until something was written to it, unless its reducer begins with one. So
/// plain fields are `Option`s, or the struct is `#[serde(default)]`.
///
/// The fields of a graph have the types of its state: inputs, edits and updates of nodes that do not
/// fit are refused, by [`compile`](crate::StateGraph::compile) where types tell.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the state of a graph",
    note = "derive it: `#[derive(Default, Serialize, Deserialize, State)]`"
)]
pub trait State: Value {
    /// An update of it: each field may be set or left out.
    type Update: Update;

    /// Its fields.
    fn fields() -> Vec<Field>;
}

/// A partial state: the fields that something writes. `#[derive(State)]` makes a type that is
/// one; a [`Values`] is one too.
pub trait Update: Serialize {
    /// The fields that it may write, with their types; none where that is known at run time only.
    /// A graph whose node returns it is refused by `compile` if it does not have one of them, or
    /// has it with another type.
    fn fields() -> Option<Vec<Field>>
    where
        Self: Sized,
    {
        None
    }

    /// The map of fields.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    fn into_update(self) -> Result<Payload, Failure>
    where
        Self: Sized,
    {
        update_of(&self)
    }
}

impl Update for Values {
    fn into_update(self) -> Result<Payload, Failure> {
        Ok(self.to_payload())
    }
}

/// What the state of a [`StateGraph`](crate::StateGraph) can be: a [`State`], or [`Values`] where
/// the fields are known at run time only. There is nothing to implement.
pub trait GraphState {
    /// What the graph takes as input, unless something else is said.
    type Input: Value;
}

impl<S: State> GraphState for S
where
    S::Update: Value,
{
    type Input = S::Update;
}

impl GraphState for Values {
    type Input = Self;
}

/// What a node or a path may take: a [`State`] (of the graph, or with fields of its own), a
/// [`Sent`] input, or [`Values`] and JSON where types are not known.
#[diagnostic::on_unimplemented(
    message = "a node cannot take `{Self}`",
    label = "expected a type that derives `State`",
    note = "what a `Send` brings is taken as `Sent<T>`"
)]
pub trait NodeInput: Sized + std::marker::Send + 'static {
    /// The fields it sees; none: those of the graph's state.
    fn fields() -> Option<Vec<Field>>;

    /// Reads it; `node` is for the error.
    ///
    /// # Errors
    /// When the input is of another type.
    fn read(input: &Payload, node: &str) -> Result<Self, PayloadError>;
}

impl<S: State> NodeInput for S {
    fn fields() -> Option<Vec<Field>> {
        Some(<S as State>::fields())
    }

    fn read(input: &Payload, node: &str) -> Result<Self, PayloadError> {
        let decode = |input: &Payload| input.decode(format_args!("state of node `{node}`"));
        decode(input).or_else(|error| match with_lists_of_messages::<S>(input) {
            Some(input) => decode(&input),
            None => Err(error),
        })
    }
}

/// A state that no reducer has seen (an input, as paths from the start see it, or what was sent)
/// may have one message where it has a list; none if it has not.
fn with_lists_of_messages<S: State>(input: &Payload) -> Option<Payload> {
    let mut values = Values::from_payload(input)?;
    let mut is_changed = false;
    for field in <S as State>::fields() {
        let value = values.get(field.name()).filter(|value| !parts::is_list(value));
        if let (Reducer::Messages, Some(value)) = (field.reducer(), value) {
            let list = parts::list([&form_of(value).ok()?.value]);
            values.set(field.name(), list);
            is_changed = true;
        }
    }
    is_changed.then(|| values.to_payload())
}

impl NodeInput for Values {
    fn fields() -> Option<Vec<Field>> {
        None
    }

    fn read(input: &Payload, node: &str) -> Result<Self, PayloadError> {
        match Self::from_payload(input) {
            Some(values) => Ok(values),
            None => Err(PayloadError::Decode {
                what: format!("state of node `{node}`"),
                type_name: "Values",
                reason: "it is no map of fields".to_owned(),
            }),
        }
    }
}

impl NodeInput for serde_json::Value {
    fn fields() -> Option<Vec<Field>> {
        None
    }

    fn read(input: &Payload, node: &str) -> Result<Self, PayloadError> {
        input.decode(format_args!("state of node `{node}`"))
    }
}

/// What a [`Send`](crate::Send) brings to a node, of any type.
///
/// ```
/// # extern crate rethread_graph as rethread;
/// use rethread_graph::Sent;
/// # use rethread_sdk::Result;
///
/// async fn joke(Sent(topic): Sent<String>) -> Result<()> {
///     # let _ = topic;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned + std::marker::Send + 'static> NodeInput for Sent<T> {
    fn fields() -> Option<Vec<Field>> {
        None
    }

    fn read(input: &Payload, node: &str) -> Result<Self, PayloadError> {
        input.decode(format_args!("input sent to node `{node}`")).map(Self)
    }
}

/// In an update: takes the place of the value, whatever the reducer of the field says and
/// whatever else the step writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overwrite<T>(pub T);

impl<T: Serialize> Serialize for Overwrite<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(OVERWRITE, &self.0)?;
        map.end()
    }
}

/// What an update does to a field with a reducer: it goes through it, or [`Overwrite`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// Goes through the reducer.
    Reduce(T),
    /// Takes the place of the value.
    Overwrite(T),
}

impl<T> From<T> for Change<T> {
    fn from(value: T) -> Self {
        Self::Reduce(value)
    }
}

impl<T> From<Overwrite<T>> for Change<T> {
    fn from(Overwrite(value): Overwrite<T>) -> Self {
        Self::Overwrite(value)
    }
}

impl<T, const N: usize> From<[T; N]> for Change<Vec<T>> {
    fn from(values: [T; N]) -> Self {
        Self::Reduce(values.into())
    }
}

impl From<&str> for Change<String> {
    fn from(text: &str) -> Self {
        Self::Reduce(text.to_owned())
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Reduce(value) => value.serialize(serializer),
            Self::Overwrite(value) => Overwrite(value).serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Overwriting<T> {
            #[serde(rename = "__overwrite__")]
            value: T,
        }
        #[derive(Deserialize)]
        #[serde(untagged, bound = "T: DeserializeOwned")]
        enum Form<T> {
            Overwrite(Overwriting<T>),
            Reduce(T),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Overwrite(Overwriting { value }) => Self::Overwrite(value),
            Form::Reduce(value) => Self::Reduce(value),
        })
    }
}
