//! What the engine is asked to do for a run.

use rethread_client::{CheckpointId, ClientError, CommandInput, Multitask, Scalar, Thread};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::model::{Durability, MultitaskStrategy, Names, RunCreate};
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::json::Object;
use crate::records::AssistantRecord;

/// What the engine is asked to do for a run: kept as it is for a run that begins later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    graph: String,
    action: OrderAction,
    at: Option<Uuid>,
    is_rejected_when_busy: bool,
    configurable: Object,
    context: Option<Object>,
    tags: Vec<String>,
    /// Facts that are shown by the checkpoints of the run: texts, numbers and booleans.
    metadata: Object,
    recursion_limit: Option<u32>,
    max_concurrency: Option<u32>,
    durability: Durability,
    /// Where a graph pauses.
    #[serde(default)]
    interrupt_before: Vec<String>,
    #[serde(default)]
    interrupt_after: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum OrderAction {
    /// Takes an input.
    Start(Value),
    /// Answers questions.
    Resume(Value),
    /// Changes where a graph stands, and goes on.
    Command { update: Option<Value>, goto: Vec<Goto>, resume: Option<Value> },
    /// Goes on with what the thread has left to do.
    GoOn,
    /// Lays an input out, and stops before it is run.
    LayOut(Value),
}

/// A node that a command starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Goto {
    Node(String),
    Send {
        node: String,
        #[serde(default)]
        input: Value,
    },
}

/// Members of a configuration that name what a request names elsewhere.
const NAMED_ELSEWHERE: [&str; 6] =
    ["thread_id", "run_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "graph_id"];

/// Sets what the checkpoints of a run show, and where it starts.
macro_rules! described {
    ($order:expr, $request:expr) => {{
        let (order, mut request) = (&$order, $request);
        for (name, value) in &order.configurable {
            request = request.configurable(name, value);
        }
        for (name, value) in &order.metadata {
            if let Some(value) = scalar(value) {
                request = request.metadata(name, value);
            }
        }
        for tag in &order.tags {
            request = request.tag(tag);
        }
        if let Some(at) = order.at {
            request = request.at(CheckpointId::from_uuid(at));
        }
        request
    }};
}

impl Order {
    /// From what a client asks of an assistant.
    ///
    /// # Errors
    /// 400 when both a context and a configuration are given, 422 for commands that cannot be read,
    /// or mean nothing to an entrypoint that is no graph.
    pub(super) fn new(
        create: &RunCreate,
        assistant: &AssistantRecord,
        metadata: &Object,
        is_graph: bool,
    ) -> ApiResult<Self> {
        let mut given = create.config.configurable.clone();
        given
            .retain(|name, _| !NAMED_ELSEWHERE.contains(&name.as_str()) && !name.starts_with("__"));
        if !given.is_empty() && !create.context.is_empty() && given != create.context {
            return Err(ApiError::bad_request(
                "Cannot specify both `config.configurable` and `context`: leave one of them out",
            ));
        }
        let configured = match assistant.config.get("configurable") {
            Some(Value::Object(members)) => members.clone(),
            _ => Object::new(),
        };
        // Each of them is seen in both places.
        let merged = |mut all: Object| {
            all.extend(given.clone());
            all.extend(create.context.clone());
            all
        };
        let context = merged(assistant.context.clone());
        let tags = match assistant.config.get("tags") {
            Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let tags = tags.into_iter().map(str::to_owned).chain(create.config.tags.clone());
        let limit = assistant.config.get("recursion_limit").and_then(Value::as_u64);
        let limit = limit.and_then(|limit| u32::try_from(limit).ok()).filter(|&limit| limit > 0);
        Ok(Self {
            graph: assistant.graph_id.clone(),
            action: action(create, &assistant.graph_id, is_graph)?,
            at: create.at(),
            is_rejected_when_busy: create.multitask_strategy == MultitaskStrategy::Reject,
            configurable: merged(configured),
            context: (!context.is_empty()).then_some(context),
            tags: tags.collect(),
            metadata: metadata.clone(),
            recursion_limit: create.config.recursion_limit.map(Into::into).or(limit),
            max_concurrency: create.config.max_concurrency.map(Into::into),
            durability: create.durability(),
            interrupt_before: breakpoints(&create.interrupt_before, is_graph),
            interrupt_after: breakpoints(&create.interrupt_after, is_graph),
        })
    }

    /// The same from the newest state, if that is what it names. Going on from there is not the
    /// same as going back to it: what was recorded since counts.
    pub(super) fn unless_newest(self, newest: Option<CheckpointId>) -> Self {
        let is_newest = self.at.is_some_and(|at| Some(CheckpointId::from_uuid(at)) == newest);
        if is_newest { Self { at: None, ..self } } else { self }
    }

    /// Whether it names a checkpoint.
    pub(super) fn names_a_checkpoint(&self) -> bool {
        self.at.is_some()
    }

    /// Refuses what names a checkpoint that is not there, as sending it would.
    pub(super) async fn require_checkpoint(&self, thread: &Thread) -> ApiResult<()> {
        let Some(at) = self.at else { return Ok(()) };
        let checkpoint = CheckpointId::from_uuid(at);
        let missing =
            || ClientError::CheckpointNotFound { thread: thread.id().clone(), checkpoint };
        thread.state_at(checkpoint).await?.map(drop).ok_or_else(|| missing().into())
    }

    /// Asks for it under the id of a run, which has its effect once.
    pub(super) async fn send(&self, thread: &Thread, run: Uuid) -> Result<(), ClientError> {
        let run = ids::run(run);
        let request = match &self.action {
            OrderAction::Start(input) => thread.invoke_json(&self.graph, input),
            OrderAction::Resume(answer) => thread.resume_json(answer),
            OrderAction::Command { update, goto, resume } => {
                let mut command = CommandInput::new();
                if let Some(update) = update {
                    command = command.update(update);
                }
                if let Some(answer) = resume {
                    command = command.resume_json(answer);
                }
                for goto in goto {
                    command = match goto {
                        Goto::Node(node) => command.goto(node),
                        Goto::Send { node, input } => command.send(node, input),
                    };
                }
                thread.command(command).json()
            }
            OrderAction::GoOn => thread.retry().json(),
            OrderAction::LayOut(input) => {
                let edit = thread.update_state(input).as_input().entrypoint(&self.graph);
                let edit = described!(self, edit.run_id(run));
                return edit.await.map(drop);
            }
        };
        let mut request = described!(self, request.run_id(run).lenient());
        if let Some(context) = &self.context {
            request = request.context(context);
        }
        if let Some(max) = self.recursion_limit {
            request = request.recursion_limit(max);
        }
        if !self.interrupt_before.is_empty() {
            request = request.interrupt_before(&self.interrupt_before);
        }
        if !self.interrupt_after.is_empty() {
            request = request.interrupt_after(&self.interrupt_after);
        }
        if let Some(max) = self.max_concurrency {
            request = request.max_concurrency(max);
        }
        let strategy =
            if self.is_rejected_when_busy { Multitask::Reject } else { Multitask::Enqueue };
        request.multitask(strategy).durability(self.durability.into()).start().await?;
        Ok(())
    }
}

fn scalar(value: &Value) -> Option<Scalar> {
    Some(match value {
        Value::Bool(value) => Scalar::Bool(*value),
        Value::String(text) => Scalar::Text(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Scalar::Int(whole),
            None => Scalar::Float(number.as_f64()?),
        },
        _ => return None,
    })
}

/// Where a graph pauses. Another entrypoint can only be stopped before it begins.
fn breakpoints(names: &Names, is_graph: bool) -> Vec<String> {
    if is_graph { names.all() } else { Vec::new() }
}

/// What a request asks for.
fn action(create: &RunCreate, graph: &str, is_graph: bool) -> ApiResult<OrderAction> {
    let Some(command) = &create.command else {
        return Ok(match &create.input {
            Value::Null => OrderAction::GoOn,
            input if !is_graph && create.interrupt_before.has(graph) => {
                OrderAction::LayOut(input.clone())
            }
            input => OrderAction::Start(input.clone()),
        });
    };
    let resume = Some(&command.resume).filter(|answer| !answer.is_null()).cloned();
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let (has_update, has_goto) = (says(&command.update), says(&command.goto));
    if !is_graph {
        for (name, is_there) in [("update", has_update), ("goto", has_goto)] {
            if is_there {
                return Err(ApiError::invalid(format_args!(
                    "command.{name}: has no meaning for an entrypoint that is no graph; leave it out"
                )));
            }
        }
    }
    Ok(match (resume, has_update || has_goto) {
        (resume, true) => OrderAction::Command {
            update: has_update.then(|| update(&command.update)).transpose()?,
            goto: if has_goto { gotos(&command.goto)? } else { Vec::new() },
            resume,
        },
        (Some(answer), false) => OrderAction::Resume(answer),
        (None, false) => OrderAction::GoOn,
    })
}

/// Fields that a command writes: an object, or a list of pairs.
fn update(given: &Value) -> ApiResult<Value> {
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        [name, value] => Some((name.as_str()?.to_owned(), value.clone())),
        _ => None,
    };
    let fields = match given {
        Value::Object(_) => return Ok(given.clone()),
        Value::Array(pairs) => pairs.iter().map(pair).collect::<Option<Object>>(),
        _ => None,
    };
    fields.map(Value::Object).ok_or_else(|| {
        ApiError::invalid("command.update: must be an object, or a list of pairs of name and value")
    })
}

/// The nodes that a command starts: one, or a list.
fn gotos(given: &Value) -> ApiResult<Vec<Goto>> {
    let one = |value: &Value| {
        serde_json::from_value(value.clone()).map_err(|_| {
            ApiError::invalid(
                "command.goto: must be the name of a node, an object with `node` and `input`, or a \
                 list of these",
            )
        })
    };
    match given {
        Value::Array(list) => list.iter().map(one).collect(),
        single => Ok(vec![one(single)?]),
    }
}
