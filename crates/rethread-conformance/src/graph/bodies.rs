//! What runs in graphs: bodies of nodes, handlers of their errors, and paths.

use rethread::{Error, Result};
use rethread_graph::{Command, NodeError, Send, Update, Way};
use serde_json::Value;

use super::GraphSpec;
use super::spec::PathSpec;
use crate::body::{Body, Returned, World, trouble};
use crate::data::{Data, text};
use crate::errors;

impl Update for Data {}

/// A place in the program: a node, or where a conditional edge starts.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) world: World,
    pub(super) graph: String,
    /// The name of the node, or the number of the conditional edge.
    pub(super) name: String,
}

impl Place {
    fn spec(&self) -> Result<&GraphSpec> {
        let spec = self.world.case.graph(&self.graph);
        spec.ok_or_else(|| trouble(format!("no graph `{}`", self.graph)))
    }

    fn counter(&self) -> String {
        format!("{}.{}", self.graph, self.name)
    }

    /// Runs the body of a node.
    pub(super) async fn node(self, state: Value) -> Result<Vec<Command>> {
        let node = self.spec()?.nodes.get(&self.name);
        let node = node.ok_or_else(|| trouble(format!("no node `{}`", self.name)))?;
        let mut body = Body::begin(self.world.clone(), &self.counter(), None)?;
        body.set("state", state);
        commands(body.block(&node.body).await?)
    }

    /// Runs what handles the error of a node.
    pub(super) async fn handler(self, state: Value, error: NodeError) -> Result<Vec<Command>> {
        let node = self.spec()?.nodes.get(&self.name);
        let block = node.and_then(|node| node.on_error.as_ref());
        let block = block.ok_or_else(|| trouble(format!("`{}` handles nothing", self.name)))?;
        let counter = format!("{}.on_error", self.counter());
        let mut body = Body::begin(self.world.clone(), &counter, None)?;
        body.set("state", state);
        body.set("node", error.node.into());
        body.set("error", errors::raised(error.error.kind(), error.error.message()));
        commands(body.block(block).await?)
    }

    /// Asks a path.
    pub(super) async fn path(self, state: Value) -> Result<Vec<Way>> {
        let place: usize = self.name.parse().map_err(|_| trouble("no such edge".into()))?;
        let branch = self.spec()?.branches.get(place);
        let branch = branch.ok_or_else(|| trouble(format!("no edge {place}")))?;
        let mut body = Body::of_path(self.world.clone());
        body.set("state", state);
        let found = match branch.path() {
            PathSpec::Value(value) => body.eval(value)?,
            PathSpec::Body(block) => match body.block(block).await? {
                Some(Returned::Value(value)) => value,
                _ => Value::Null,
            },
        };
        Ok(match found {
            Value::Array(ways) => ways.into_iter().map(way).collect(),
            one => vec![way(one)],
        })
    }
}

fn way(found: Value) -> Way {
    match sent(&found) {
        Some(send) => Way::Send(send),
        None => Way::To(text(&found)),
    }
}

fn sent(found: &Value) -> Option<Send> {
    let node = found.get("send")?.as_str()?;
    let input = found.get("input").cloned().unwrap_or_default();
    Some(Send::new(node, Data(input)))
}

/// What a node came to, as commands: an update is a command that only updates.
fn commands(returned: Option<Returned>) -> Result<Vec<Command>> {
    match returned {
        None | Some(Returned::Value(Value::Null)) => Ok(Vec::new()),
        Some(Returned::Value(update)) => Ok(vec![Command::new().update(Data(update))]),
        Some(Returned::Command(Value::Array(several))) => several.iter().map(command).collect(),
        Some(Returned::Command(one)) => Ok(vec![command(&one)?]),
        Some(Returned::Final { .. }) => Err(trouble("a node has no `final`".into())),
    }
}

fn command(given: &Value) -> Result<Command> {
    let mut command = Command::new();
    if let Some(update) = given.get("update").filter(|update| !update.is_null()) {
        command = command.update(Data(update.clone()));
    }
    for goto in destinations(given.get("goto")) {
        command = match (sent(goto), goto.as_str()) {
            (Some(send), _) => command.and_goto(send),
            (None, Some(node)) => command.and_goto(node),
            (None, None) => return Err(wrong_destination(goto)),
        };
    }
    Ok(if given.get("graph").is_some() { command.to_parent() } else { command })
}

fn wrong_destination(goto: &Value) -> Error {
    trouble(format!("{goto} is no destination"))
}

/// One destination or several, as written.
pub(crate) fn destinations(goto: Option<&Value>) -> &[Value] {
    match goto {
        None | Some(Value::Null) => &[],
        Some(Value::Array(several)) => several,
        Some(one) => std::slice::from_ref(one),
    }
}
