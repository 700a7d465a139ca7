use rethread_core::failure::{Failure, kind};
use rethread_core::graph::{Destination, NodeOutput};
use rethread_core::parts;
use rethread_core::payload::{Payload, PayloadError};
use serde::Serialize;

use crate::schema::Field;
use crate::state::Update;
use crate::values::Values;

/// One more task of a node in the next step, with an input of its own: for map and reduce.
///
/// The node sees this input and nothing else, whatever type it is of; it takes it as a
/// [`Sent`](crate::Sent), or as its state if the input is one.
///
/// ```
/// use rethread_graph::Send;
///
/// let sends: Vec<Send> = ["cats", "dogs"].map(|topic| Send::new("joke", topic)).into();
/// assert_eq!(sends[1].node(), "joke");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    node: String,
    input: Result<Payload, PayloadError>,
}

impl Send {
    /// A task of this node with this input. An input that cannot be encoded is an error of the
    /// node or path that gives the `Send` back.
    pub fn new(node: impl Into<String>, input: impl Serialize) -> Self {
        let node = node.into();
        let input = Payload::encode(&input, format_args!("input sent to node `{node}`"));
        Self { node, input }
    }

    /// The node.
    pub fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn encoded(node: String, input: Payload) -> Self {
        Self { node, input: Ok(input) }
    }

    pub(crate) fn into_parts(self) -> Result<(String, Payload), PayloadError> {
        Ok((self.node, self.input?))
    }
}

/// Where a [`Command`] goes: a node by its name, [`END`](crate::END), or a [`Send`].
#[derive(Debug, Clone, PartialEq)]
pub struct Goto(Result<Destination, PayloadError>);

impl Goto {
    pub(crate) fn into_destination(self) -> Result<Destination, PayloadError> {
        self.0
    }
}

impl From<&str> for Goto {
    fn from(node: &str) -> Self {
        Self(Ok(Destination::Node(node.to_owned())))
    }
}

impl From<String> for Goto {
    fn from(node: String) -> Self {
        Self(Ok(Destination::Node(node)))
    }
}

impl From<Send> for Goto {
    fn from(Send { node, input }: Send) -> Self {
        Self(input.map(|input| Destination::Send { node, input }))
    }
}

/// What a node gives back to update the state and say where to go, **in addition to** the edges
/// of the node.
///
/// ```
/// use rethread_graph::{Command, END, Send};
///
/// let command = Command::goto("review").and_goto(Send::new("log", "reviewing"));
/// let leave = Command::goto(END).to_parent();
/// # let _ = (command, leave);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "a command has an effect where it is returned or given"]
pub struct Command {
    update: Option<Result<Payload, Failure>>,
    goto: Vec<Goto>,
    to_parent: bool,
}

impl Command {
    /// A command that asks for nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes to a node, or sends to one.
    pub fn goto(to: impl Into<Goto>) -> Self {
        Self::new().and_goto(to)
    }

    /// Goes there too.
    pub fn and_goto(mut self, to: impl Into<Goto>) -> Self {
        self.goto.push(to.into());
        self
    }

    /// Goes to all of these too.
    pub fn and_goto_all<G: Into<Goto>>(mut self, to: impl IntoIterator<Item = G>) -> Self {
        self.goto.extend(to.into_iter().map(Into::into));
        self
    }

    /// Updates the state, as if the node had returned the update.
    pub fn update(mut self, update: impl Update) -> Self {
        self.update = Some(update.into_update());
        self
    }

    /// Means the graph around this one: this graph stops at once, what it did in this run to its
    /// own state is dropped, and the command counts as one of the node that this graph is, or is
    /// called in.
    pub fn to_parent(mut self) -> Self {
        self.to_parent = true;
        self
    }
}

/// What a node may return: an update of the state, nothing (`()`, `None`), a [`Command`], or a
/// list of commands.
#[diagnostic::on_unimplemented(
    message = "a node cannot return `{Self}`",
    label = "expected an update of the state, `()` or a `Command`",
    note = "`#[derive(State)]` on `Essay` makes the type `EssayUpdate`, which sets single fields"
)]
pub trait IntoNodeOutput {
    /// The fields that it may write, as [`Update::fields`].
    fn fields() -> Option<Vec<Field>>
    where
        Self: Sized,
    {
        None
    }

    /// What the node came to.
    ///
    /// # Errors
    /// When something in it cannot be encoded, or is no update.
    fn into_node_output(self) -> Result<NodeOutput, Failure>;
}

impl<U: Update> IntoNodeOutput for U {
    fn fields() -> Option<Vec<Field>> {
        <U as Update>::fields()
    }

    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        Ok(NodeOutput { updates: vec![self.into_update()?], ..NodeOutput::default() })
    }
}

impl IntoNodeOutput for () {
    fn fields() -> Option<Vec<Field>> {
        Some(Vec::new())
    }

    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        Ok(NodeOutput::default())
    }
}

impl<R: IntoNodeOutput> IntoNodeOutput for Option<R> {
    fn fields() -> Option<Vec<Field>> {
        R::fields()
    }

    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        self.map_or_else(|| Ok(NodeOutput::default()), R::into_node_output)
    }
}

impl IntoNodeOutput for Command {
    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        let goto: Result<_, _> = self.goto.into_iter().map(Goto::into_destination).collect();
        let update = self.update.transpose()?;
        Ok(NodeOutput {
            updates: update.into_iter().collect(),
            goto: goto?,
            to_parent: self.to_parent,
        })
    }
}

impl<const N: usize> IntoNodeOutput for [Command; N] {
    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        Vec::from(self).into_node_output()
    }
}

impl IntoNodeOutput for Vec<Command> {
    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        let mut all = NodeOutput::default();
        for command in self {
            let output = command.into_node_output()?;
            // The graph is left by the first command that says so.
            if output.to_parent {
                return Ok(output);
            }
            all.updates.extend(output.updates);
            all.goto.extend(output.goto);
        }
        Ok(all)
    }
}

/// JSON: an object is an update, null is nothing.
impl IntoNodeOutput for serde_json::Value {
    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        if self.is_null() {
            return Ok(NodeOutput::default());
        }
        Ok(NodeOutput { updates: vec![update_of(&self)?], ..NodeOutput::default() })
    }
}

impl IntoNodeOutput for NodeOutput {
    fn into_node_output(self) -> Result<NodeOutput, Failure> {
        Ok(self)
    }
}

/// Encodes an update, which is a map of fields.
pub(crate) fn update_of(update: &(impl Serialize + ?Sized)) -> Result<Payload, Failure> {
    let update = Payload::encode(update, "update of the state")?;
    if parts::fields(&update).is_some() { Ok(update) } else { Err(no_update()) }
}

/// The fields of an update.
pub(crate) fn fields_of(update: &Payload) -> Result<Values, Failure> {
    Values::from_payload(update).ok_or_else(no_update)
}

fn no_update() -> Failure {
    let message = "an update of a state is a map of fields by their names; return one, or nothing";
    Failure::new(kind::INVALID_UPDATE, message).final_()
}
