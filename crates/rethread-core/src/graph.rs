//! Graphs: entrypoints whose bodies play one step at a time.
//!
//! The body of a graph makes the calls of one step and then *makes a step*: what it saved becomes
//! `previous`, and the body begins again and finds it. So only the step in progress is replayed,
//! and the end of a step folds the journal as the end of an execution does. What a step is, which
//! nodes it runs and how their updates are put together is the business of the body; the engine
//! knows calls, and when to begin the next step.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::failure::{Failure, kind};
use crate::ids::{CallId, RunId};
use crate::message::UpdateAs;
use crate::parts;
use crate::payload::{Payload, PayloadError};
use crate::replay::BodyOutput;
use crate::settings::RunSettings;

/// The name of the task that writes the input: the step before the first one of nodes.
pub const START: &str = "__start__";

/// Most steps of a run of a graph that sets no `recursion_limit`.
pub const STEPS_MAX: u32 = 10_007;

/// How a step ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepEnd {
    /// All fields that are shown: what checkpoints and states show.
    pub values: Payload,
    /// Whether the step changed something that streams of values show.
    pub changed: bool,
    /// What the next step runs; empty: the graph has ended.
    pub tasks: Vec<StepTask>,
    /// Whether the run ends before the next step begins: a breakpoint.
    pub pause: bool,
    /// Whether it counts for the recursion limit. The step that writes the input does not.
    pub counts: bool,
    /// What only the next step of the same run finds. It is in no checkpoint; streams of values
    /// show it beside them if it is a map of fields.
    pub carried: Option<Payload>,
}

/// One task of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTask {
    /// Name of its node.
    pub name: String,
    /// Whether it has an input of its own: a sent one.
    #[serde(default)]
    pub sent: bool,
    /// Whether a command started it beside the step that was planned.
    #[serde(default)]
    pub added: bool,
}

impl StepTask {
    /// A task of this node, which edges lead to.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), sent: false, added: false }
    }
}

/// What makes a call one of a node: how it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Name of the node.
    pub name: String,
    /// For a node that is a graph: the fields of its result that count.
    pub fields: Option<Vec<String>>,
    /// Whether a failure of the call is the business of the body: it stands, and a retry does not
    /// try the call again.
    pub handled: bool,
    /// Whether the call handles a failure of the node instead of being the node.
    #[serde(default)]
    pub is_handler: bool,
    /// The fields of its graph that live for a run: what it wrote to them is not there in a later
    /// one.
    #[serde(default)]
    pub untracked: Vec<String>,
}

impl Node {
    /// What of a recorded result of the node is there in later runs.
    pub(crate) fn kept(&self, result: Payload) -> Payload {
        if self.untracked.is_empty() {
            return result;
        }
        let without = |update: &Payload| {
            let fields = parts::fields(update)?;
            let kept = fields.iter().filter(|(name, _)| !self.untracked.contains(name));
            Some(parts::map_of_fields(kept.map(|(name, value)| (name.as_str(), value))))
        };
        let of_parent = NodeOutput::of_parent_command(&result);
        let output = of_parent.is_none().then(|| result.decode::<NodeOutput>("result of a node"));
        match output {
            Some(Ok(mut output)) => {
                for update in &mut output.updates {
                    *update = without(update).unwrap_or_else(|| update.clone());
                }
                Payload::encode(&output, "result of a node").unwrap_or(result)
            }
            // A graph gives its fields.
            Some(Err(_)) => without(&result).unwrap_or(result),
            None => result,
        }
    }
}

/// Results that were recorded in a step, by the calls of its body.
pub type Outcomes = BTreeMap<CallId, Payload>;

/// Tells what a step that is not over looks like, from the results recorded so far.
pub type View = Arc<dyn Fn(&Outcomes) -> StepView + Send + Sync>;

/// What a step looks like before its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// All fields that are shown, with the updates of the tasks that have ended.
    pub values: Payload,
    /// The same in the form of a result.
    pub result: Payload,
    /// The same as streams show it, with the fields that only the run has. It is not kept.
    #[serde(default)]
    pub streamed: Payload,
    /// Whether some task has ended.
    pub changed: bool,
    /// The tasks, in the order in which they are shown.
    pub tasks: Vec<TaskView>,
}

/// What a task of a step looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// Name of its node.
    pub name: String,
    /// Whether it has an input of its own: a sent one.
    #[serde(default)]
    pub sent: bool,
    /// Whether a command started it beside the step that was planned.
    #[serde(default)]
    pub added: bool,
    /// Its call; none if it makes none.
    pub call: Option<CallId>,
    /// What it wrote, as it is shown.
    pub result: Option<Payload>,
    /// How it failed; the engine knows.
    pub failure: Option<Failure>,
    /// Whether it is a graph with a state of its own.
    pub has_own_state: bool,
}

impl StepView {
    /// What the step looks like that starts at a checkpoint when nothing of it has begun.
    pub(crate) fn planned(checkpoint: &Checkpoint, result: Payload) -> Self {
        Self {
            values: checkpoint.values.clone(),
            streamed: Payload::NULL,
            result,
            changed: false,
            tasks: checkpoint.tasks.iter().map(TaskView::planned).collect(),
        }
    }

    /// Bytes of the values in it.
    fn weight(&self) -> usize {
        let results = self.tasks.iter().filter_map(|task| task.result.as_ref());
        self.values.len() + self.result.len() + results.map(Payload::len).sum::<usize>()
    }
}

impl GraphProgress {
    /// What is kept of a step that has ended, or what readers show of one that goes on: its tasks.
    pub(crate) fn of_tasks(tasks: Vec<TaskView>) -> Self {
        let view = StepView { tasks, ..StepView::default() };
        Self { view, children: Vec::new() }
    }

    /// Bytes of the values in it.
    pub(crate) fn weight(&self) -> usize {
        let Self { view, children } = self;
        let of_child = |child: &ChildGraph| {
            let of_checkpoint = |one: &Checkpoint| {
                one.values.len()
                    + one.saved.as_ref().map_or(0, Payload::len)
                    + one.progress.weight()
            };
            child.view.weight() + child.checkpoints.iter().map(of_checkpoint).sum::<usize>()
        };
        view.weight() + children.iter().map(of_child).sum::<usize>()
    }
}

impl TaskView {
    /// A task that has not begun.
    pub fn planned(task: &StepTask) -> Self {
        let StepTask { name, sent, added } = task.clone();
        let (call, result, failure, has_own_state) = (None, None, None, false);
        Self { name, sent, added, call, result, failure, has_own_state }
    }
}

/// What the step that starts at a checkpoint came to, as far as it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphProgress {
    /// What it looks like. Once the step has ended only its tasks are kept.
    pub view: StepView,
    /// The tasks that are graphs, have begun and have no result, with those that they run.
    pub children: Vec<ChildGraph>,
}

/// A graph that runs as part of a step, and what it has come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildGraph {
    /// Its call.
    pub call: CallId,
    /// Its checkpoints in this execution, the oldest first; the last one is where its step
    /// in progress starts.
    pub checkpoints: Vec<Checkpoint>,
    /// What that step looks like.
    pub view: StepView,
}

/// How many steps a graph may make, and has made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepCount {
    /// Most steps that count in one run.
    pub limit: u32,
    /// How many of this run count by now.
    pub made: u32,
    /// Whether the run gave the graph its input. Otherwise it goes on with what one before left.
    pub took_input: bool,
}

/// The failure of a graph that has made as many steps as it may.
pub(crate) fn too_many_steps(limit: u32) -> Failure {
    let message = format!(
        "the graph has made as many steps as the run's recursion_limit of {limit} allows: end it \
         earlier, or raise the limit"
    );
    Failure::new(kind::RECURSION_LIMIT, message).final_()
}

impl StepCount {
    /// The count of a run with these settings.
    pub(crate) fn of_run(settings: &RunSettings, made: u32, took_input: bool) -> Self {
        Self { limit: settings.recursion_limit.unwrap_or(STEPS_MAX), made, took_input }
    }

    /// Whether a run that has made these steps has made too many, be something left to do or not:
    /// as many as it may after an input, and two more where it went on with something.
    pub(crate) fn is_exceeded(self) -> bool {
        let extra = if self.took_input { 0 } else { 2 };
        self.made >= self.limit.saturating_add(extra)
    }
}

/// Where a run pauses besides questions: `*` stands for all nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakpoints {
    /// Before a step that runs one of these nodes.
    pub before: Vec<String>,
    /// After a step that ran one of these nodes.
    pub after: Vec<String>,
}

impl Breakpoints {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// What a node came to, and what a subgraph's command to its parent carries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeOutput {
    /// Its updates: maps of fields.
    pub updates: Vec<Payload>,
    /// Where it goes besides the edges of the node.
    pub goto: Vec<Destination>,
    /// Whether it is meant for the graph around the one that the node is in.
    pub to_parent: bool,
}

/// The only field of the result of a graph that was left by a command to its parent.
const TO_PARENT: &str = "__parent__";

impl NodeOutput {
    /// The result of a graph that is left by a command to its parent: this command.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn into_parent_command(self) -> Result<Payload, PayloadError> {
        let output = Payload::encode(&self, "command to the parent")?;
        Ok(parts::map_of_fields([(TO_PARENT, &output)]))
    }

    /// The command to the parent by which a graph was left, if this is such a result.
    pub fn of_parent_command(result: &Payload) -> Option<Self> {
        // The head of a map with one entry; all other results are told apart by it.
        if result.as_bytes().first() != Some(&0x81) {
            return None;
        }
        match <[_; 1]>::try_from(parts::fields(result)?) {
            Ok([(field, output)]) if field == TO_PARENT => output.decode("command").ok(),
            _ => None,
        }
    }
}

/// Where a node, a path or a command goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// To a node, or the end.
    #[serde(rename = "n")]
    Node(String),
    /// To one more task of a node, with an input of its own.
    #[serde(rename = "s")]
    Send {
        /// The node.
        node: String,
        /// Its input.
        input: Payload,
    },
}

/// A command that is given to a graph from outside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphCommand {
    /// Fields to write.
    pub update: Option<Payload>,
    /// What to start.
    pub goto: Vec<Destination>,
}

impl GraphCommand {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.update.is_none() && self.goto.is_empty()
    }
}

/// An edit of the state of a graph, as its code is asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphEdit {
    /// The run that edits: what tells it from an equal edit of another thread, or of this one at
    /// another time. None for a change that makes nothing new.
    pub run: Option<RunId>,
    /// What the graph saved at the checkpoint; none on a new thread.
    pub previous: Option<Payload>,
    /// What the checkpoint shows.
    pub values: Payload,
    /// The step that starts there, as far as it got: its tasks in the order of its view, with the
    /// results as they were recorded. Empty if nothing of it counts.
    pub results: Vec<TaskResult>,
    /// What to do.
    pub change: GraphChange,
}

/// A task of a step and what is recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskResult {
    /// Name of its node.
    pub name: String,
    /// Its result.
    pub result: Option<Payload>,
    /// Whether the node failed and an error handler gave the result.
    pub is_handled: bool,
}

/// How the state of a graph is edited.
#[derive(Debug, Clone, PartialEq)]
pub enum GraphChange {
    /// A new input comes, which the body will take: only what the checkpoint of the input shows is
    /// asked for, [`StepEnd::values`] and [`StepEnd::tasks`].
    Input,
    /// As if nodes had returned updates, in one step; without a name, in the name of the node that
    /// wrote last. Makes a checkpoint; the edit gives what runs after it.
    Update {
        /// In whose name: [`UpdateAs::Node`] (of each update by itself), or [`UpdateAs::End`].
        kind: UpdateAs,
        /// The updates and the nodes.
        updates: Vec<(Payload, Option<String>)>,
    },
    /// Changes the step that starts at the checkpoint in place: fields are written, and nodes are
    /// started in it beside those it runs.
    Command(GraphCommand),
}

/// What an edit of a graph comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphEdited {
    /// What is saved and shown; [`StepEnd::tasks`] is what remains to be run.
    pub output: BodyOutput,
    /// In the name of which nodes something was written, as it is shown.
    pub wrote: Vec<(String, Payload)>,
}

/// The way a view is kept: it can be called and nothing else.
#[derive(Clone)]
pub(crate) struct Viewer(pub(crate) View);

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")
    }
}
