//! What a worker does for a node: its function, and the paths that leave it.

use std::collections::BTreeSet;
use std::sync::Arc;

use rethread_core::failure::{Failure, kind};
use rethread_core::graph::{Destination, NodeOutput};
use rethread_core::ids::CallId;
use rethread_core::parts;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::replay::Scope;
use rethread_sdk::TaskFuture;

use crate::branch::{self, Branch};
use crate::command::fields_of;
use crate::node::{Handle, NodeFailure, Work};
use crate::schema::Schema;
use crate::topology::Topology;
use crate::update::{self, Written};
use crate::values::Values;

/// The code of a node.
pub(crate) struct NodeCode {
    pub(crate) name: String,
    pub(crate) work: Arc<Work>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) around: Around,
}

/// The code that handles errors of a node.
pub(crate) struct HandlerCode {
    pub(crate) name: String,
    pub(crate) handle: Arc<Handle>,
    pub(crate) around: Around,
}

/// What a node needs to know of its graph.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) schema: Arc<Schema>,
    pub(crate) topology: Arc<Topology>,
    /// The fields that it sees, and its paths too which say nothing else.
    pub(crate) fields: BTreeSet<String>,
    /// Whether the types of its updates are known, and were found to be those of the fields.
    pub(crate) is_checked: bool,
}

/// The arguments of a node's task: what it sees, and the state for its paths where that is
/// something else.
pub(crate) fn arguments(seen: &Payload, state: Option<&Payload>) -> Payload {
    parts::list([seen, state.unwrap_or(&Payload::NULL)])
}

/// The arguments of a handler's task.
pub(crate) fn handler_arguments(
    seen: &Payload,
    failure: NodeFailure,
) -> Result<Payload, PayloadError> {
    let failure = Payload::encode(&failure, "failure of the node")?;
    Ok(parts::list([seen, &failure]))
}

fn two_arguments(input: &Payload, task: &str) -> Result<[Payload; 2], PayloadError> {
    let arguments = parts::elements(input).and_then(|list| list.try_into().ok());
    arguments.ok_or_else(|| PayloadError::Decode {
        what: format!("arguments of node `{task}`"),
        type_name: "(state, state of the paths)",
        reason: "they are of another form".to_owned(),
    })
}

/// Begins the task of a node.
pub(crate) fn start(code: &Arc<NodeCode>, input: &Payload) -> Result<TaskFuture, PayloadError> {
    let [seen, state] = two_arguments(input, &code.name)?;
    let code = Arc::clone(code);
    Ok(Box::pin(async move {
        let output = match async { (code.work)(&seen, &code.name)?.await }.await {
            Err(failure) => parent_command(failure)?,
            Ok(output) => output,
        };
        code.around.check(&output, &code.name)?;
        let mut output = output;
        if !output.to_parent {
            let state = if state.is_null() { &seen } else { &state };
            let ways = code.follow(&output, state).await?;
            output.goto.extend(ways);
        }
        code.around.encode(output)
    }))
}

/// Begins the task that handles an error.
pub(crate) fn start_handler(
    code: &Arc<HandlerCode>,
    input: &Payload,
) -> Result<TaskFuture, PayloadError> {
    let [seen, failure] = two_arguments(input, &code.name)?;
    let failure: NodeFailure = failure.decode("failure of the node")?;
    let code = Arc::clone(code);
    Ok(Box::pin(async move {
        let output = async { (code.handle)(&seen, failure.into(), &code.name)?.await }.await;
        let output = output.or_else(parent_command)?;
        code.around.check(&output, &code.name)?;
        code.around.encode(output)
    }))
}

/// A graph that the node called was left by a command to this graph: it counts as what the node
/// returned.
fn parent_command(failure: Failure) -> Result<NodeOutput, Failure> {
    let command = match (&failure.details, failure.kind.as_str()) {
        (Some(command), kind::PARENT_COMMAND) => NodeOutput::of_parent_command(command),
        _ => None,
    };
    let command = command.ok_or(failure)?;
    Ok(NodeOutput { to_parent: false, ..command })
}

impl Around {
    /// Refuses updates that are none, and destinations that do not exist.
    fn check(&self, output: &NodeOutput, node: &str) -> Result<(), Failure> {
        for update in &output.updates {
            let fields = fields_of(update)?;
            if !output.to_parent && !self.is_checked {
                self.schema.check(&fields).map_err(|error| misfit(node, &error))?;
            }
        }
        // What a command to the parent writes, and where it goes, is the parent's to know.
        if output.to_parent { Ok(()) } else { branch::check(&output.goto, node, &self.topology) }
    }

    /// The recorded form: what is no field of the graph is left out.
    fn encode(&self, mut output: NodeOutput) -> Result<Payload, Failure> {
        if !output.to_parent {
            for update in &mut output.updates {
                let fields = fields_of(update)?;
                *update = fields.filtered(|field| self.schema.is_written(field)).to_payload();
            }
        }
        Ok(Payload::encode(&output, "what the node gave")?)
    }
}

/// The failure of a node whose update does not fit the fields.
pub(crate) fn misfit(node: &str, error: &PayloadError) -> Failure {
    Failure::new(kind::INVALID_UPDATE, format!("update of node `{node}`: {error}")).final_()
}

impl NodeCode {
    /// Where the paths lead that leave the node.
    async fn follow(
        &self,
        output: &NodeOutput,
        state: &Payload,
    ) -> Result<Vec<Destination>, Failure> {
        let mut all = Vec::new();
        if self.branches.is_empty() {
            return Ok(all);
        }
        let Around { schema, topology, fields, .. } = &self.around;
        let origin = Scope::current().map_or(CallId::ANYWHERE, |scope| scope.info().scope);
        let state = Values::from_payload(state).unwrap_or_default();
        let view = PathView::new(schema, &state, &output.updates, origin)?;
        for branch in &self.branches {
            all.extend(branch.ask(&view.of(branch, fields), &self.name, topology).await?);
        }
        Ok(all)
    }
}

/// What the paths of a node see: the state with the update of this node alone.
pub(crate) struct PathView {
    fresh: Values,
    /// A plain update, with what it has besides the fields that are seen.
    update: Values,
}

impl PathView {
    pub(crate) fn new(
        schema: &Schema,
        state: &Values,
        updates: &[Payload],
        origin: CallId,
    ) -> Result<Self, Failure> {
        let updates: Result<Vec<_>, _> = updates.iter().map(fields_of).collect();
        let updates = updates?;
        let update = match updates.as_slice() {
            [only] => only.clone(),
            _ => Values::new(),
        };
        let fresh = update::apply(schema, state, &[Written::new(origin, updates)], false)?;
        Ok(Self { fresh, update })
    }

    /// What the paths of the start see: the state with the input, and what else the input has.
    pub(crate) fn of_input(fresh: Values, input: &Payload) -> Self {
        Self { fresh, update: Values::from_payload(input).unwrap_or_default() }
    }

    /// For one of the paths of a node that sees these fields.
    pub(crate) fn of(&self, branch: &Branch, fields: &BTreeSet<String>) -> Payload {
        match &branch.fields {
            Some(own) => {
                let is_own = |field: &str| own.iter().any(|own| own.name() == field);
                self.fresh.filtered(is_own).to_payload()
            }
            None => {
                let mut view = self.update.clone();
                for (field, value) in self.fresh.iter().filter(|(it, _)| fields.contains(*it)) {
                    view.set(field, value.clone());
                }
                view.to_payload()
            }
        }
    }
}
