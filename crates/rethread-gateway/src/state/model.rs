use rethread_client::{
    CallId, CheckpointId, OpenInterrupt, RunId, Source, StateSnapshot, TaskState, ThreadOverview,
};
use rethread_core::ids::ExecutionId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ids;
use crate::json::{Object, Wanted, read_from_objects, shown};
use crate::times::Time;

/// A thread at one of its checkpoints. Of a thread that never ran, all is null or empty.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ThreadState {
    /// The last result: any JSON. Of a graph: its fields.
    values: Value,
    /// The entrypoint, while it has still to finish. Of a graph: the nodes that run next.
    next: Vec<String>,
    tasks: Vec<Task>,
    metadata: Option<Object>,
    created_at: Option<Time>,
    checkpoint: Option<Checkpoint>,
    parent_checkpoint: Option<Checkpoint>,
    /// All open questions.
    interrupts: Vec<Question>,
    checkpoint_id: Option<Uuid>,
    parent_checkpoint_id: Option<Uuid>,
}

/// Names a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Checkpoint {
    pub(super) thread_id: Uuid,
    /// The tasks that lead to a graph within the graph, as `node:task id`; empty for the thread's.
    pub(super) checkpoint_ns: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint_id: Option<Uuid>,
}

impl Checkpoint {
    pub(super) fn new(thread_id: Uuid, namespace: &str, checkpoint: CheckpointId) -> Self {
        let checkpoint_id = Some(*checkpoint.as_uuid());
        Self { thread_id, checkpoint_ns: namespace.to_owned(), checkpoint_id }
    }
}

/// A checkpoint that was made by an edit.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StateEdited {
    pub(super) checkpoint: Checkpoint,
    pub(super) configurable: Checkpoint,
    pub(super) checkpoint_id: Uuid,
}

/// A checkpoint as requests name it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub(crate) struct CheckpointGiven {
    #[serde(default)]
    thread_id: Option<Value>,
    /// Which graph within the graph: the tasks that lead to it, each as `node:task id` or as the
    /// name of the node, with `|` between them.
    #[serde(default)]
    checkpoint_ns: Option<String>,
    #[serde(default)]
    pub(crate) checkpoint_id: Option<Uuid>,
    #[serde(default)]
    checkpoint_map: Option<Object>,
}

read_from_objects!(CheckpointGiven);

impl CheckpointGiven {
    /// Which graph within the graph, as it was named.
    pub(crate) fn namespace(&self) -> &str {
        self.checkpoint_ns.as_deref().unwrap_or_default()
    }

    /// The names of the pending nodes that lead to the graph that is meant.
    pub(crate) fn path(&self) -> Vec<String> {
        let steps = self.checkpoint_ns.as_deref().unwrap_or_default().split('|');
        let name = |step: &str| step.split_once(':').map_or(step, |(name, _)| name).to_owned();
        steps.filter(|step| !step.is_empty()).map(name).collect()
    }
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Question {
    /// An answer names it.
    id: String,
    value: Value,
}

impl Question {
    pub(crate) fn new(open: &OpenInterrupt) -> Self {
        Self { id: open.id.to_string(), value: shown(&open.value) }
    }

    fn all(open: &[OpenInterrupt]) -> Vec<Self> {
        open.iter().map(Self::new).collect()
    }
}

/// The entrypoint as a task, or a task of a graph's step.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Task {
    id: Uuid,
    name: String,
    path: [String; 2],
    error: Option<String>,
    interrupts: Vec<Question>,
    /// Of a node that is a graph: which graph within the graph it is.
    checkpoint: Option<Checkpoint>,
    /// Its state, if it was asked for.
    state: Option<Box<ThreadState>>,
    result: Option<Value>,
}

/// What is shown of a state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Showing<'a> {
    pub(super) thread: Uuid,
    /// Which graph within the graph; empty for the thread's.
    pub(super) namespace: &'a str,
    /// Whether states of graphs within are shown.
    pub(super) subgraphs: bool,
}

impl Showing<'_> {
    /// The newest state of a thread.
    pub(super) fn newest(self, overview: &ThreadOverview, snapshot: &StateSnapshot) -> ThreadState {
        self.state(snapshot, task_id(overview))
    }

    /// What is recorded of a state of a thread, and the states of graphs within it.
    pub(super) fn recorded(self, snapshot: &StateSnapshot) -> ThreadState {
        self.state(snapshot, ids::task(root_of(snapshot.run)))
    }

    /// A state; `task` is the id of a task that has no other.
    fn state(self, snapshot: &StateSnapshot, task: Uuid) -> ThreadState {
        let parent = snapshot.parent;
        let place = |checkpoint| Checkpoint::new(self.thread, self.namespace, checkpoint);
        // Tasks that have not begun are known by their places.
        let id = |nth: usize| match nth {
            0 => task,
            nth => Uuid::new_v5(&task, &nth.to_be_bytes()),
        };
        let tasks = snapshot.tasks.iter().enumerate().map(|(nth, it)| self.task(it, id(nth)));
        ThreadState {
            values: shown(&snapshot.values),
            next: snapshot.next.clone(),
            tasks: tasks.collect(),
            metadata: Some(metadata(self.thread, snapshot)),
            created_at: Some(Time(snapshot.created_at)),
            checkpoint: Some(place(snapshot.checkpoint)),
            parent_checkpoint: parent.map(place),
            interrupts: Question::all(&snapshot.interrupts),
            checkpoint_id: Some(*snapshot.checkpoint.as_uuid()),
            parent_checkpoint_id: parent.map(|parent| *parent.as_uuid()),
        }
    }

    fn task(self, task: &TaskState, id: Uuid) -> Task {
        let id = task.id.map_or(id, ids::task);
        let step = format!("{}:{id}", task.name);
        let namespace = match self.namespace {
            "" => step,
            outer => format!("{outer}|{step}"),
        };
        let within = Showing { namespace: &namespace, ..self };
        let state = task.state.as_deref();
        let error = task.error.as_ref();
        Task {
            id,
            name: task.name.clone(),
            path: ["__pregel_pull".to_owned(), task.name.clone()],
            error: error.map(|error| format!("{}: {}", error.kind, error.message)),
            interrupts: Question::all(&task.interrupts),
            checkpoint: state.map(|_| Checkpoint {
                thread_id: self.thread,
                checkpoint_ns: namespace.clone(),
                checkpoint_id: None,
            }),
            state: state.filter(|_| self.subgraphs).map(|state| Box::new(within.state(state, id))),
            result: task.result.as_ref().map(shown),
        }
    }
}

/// The id of the pending entrypoint as a task.
pub(crate) fn task_id(overview: &ThreadOverview) -> Uuid {
    ids::task(overview.root.unwrap_or_else(|| root_of(overview.run)))
}

/// The body of the entrypoint that a run started.
fn root_of(run: RunId) -> CallId {
    CallId::root(ExecutionId::from(run))
}

impl ThreadState {
    /// The state of a thread that never ran.
    pub(super) fn empty() -> Self {
        Self {
            values: json!({}),
            next: Vec::new(),
            tasks: Vec::new(),
            metadata: None,
            created_at: None,
            checkpoint: None,
            parent_checkpoint: None,
            interrupts: Vec::new(),
            checkpoint_id: None,
            parent_checkpoint_id: None,
        }
    }

    /// Whether its metadata has at least this.
    pub(super) fn has_metadata(&self, wanted: &Wanted<Object>) -> bool {
        match &self.metadata {
            Some(metadata) => wanted.is_met_by(metadata),
            None => wanted.is_empty(),
        }
    }
}

fn metadata(thread: Uuid, snapshot: &StateSnapshot) -> Object {
    let mut metadata = Object::new();
    for (key, value) in &snapshot.metadata {
        metadata.insert(key.clone(), shown(value));
    }
    for (key, value) in [
        ("thread_id", json!(thread)),
        ("run_id", json!(snapshot.run)),
        ("source", json!(source_name(snapshot.source))),
        ("step", json!(snapshot.step)),
        ("parents", json!({})),
    ] {
        metadata.insert(key.to_owned(), value);
    }
    metadata
}

/// What made a checkpoint.
pub(crate) fn source_name(source: Source) -> &'static str {
    match source {
        Source::Input => "input",
        Source::Loop => "loop",
        Source::Update => "update",
        Source::Fork => "fork",
        _ => "other",
    }
}
