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
    /// The last result: any JSON.
    values: Value,
    /// The entrypoint, while it has still to finish.
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
    pub(super) checkpoint_ns: &'static str,
    pub(super) checkpoint_id: Uuid,
}

impl Checkpoint {
    pub(super) fn new(thread_id: Uuid, checkpoint: CheckpointId) -> Self {
        Self { thread_id, checkpoint_ns: "", checkpoint_id: *checkpoint.as_uuid() }
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
    /// Which graph within the graph; entrypoints have none.
    #[serde(default)]
    checkpoint_ns: Option<String>,
    #[serde(default)]
    pub(crate) checkpoint_id: Option<Uuid>,
    #[serde(default)]
    checkpoint_map: Option<Object>,
}

read_from_objects!(CheckpointGiven);

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

/// The entrypoint as a task.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Task {
    id: Uuid,
    name: String,
    path: [String; 2],
    error: Option<String>,
    interrupts: Vec<Question>,
    checkpoint: Option<Checkpoint>,
    state: Option<Value>,
    result: Option<Value>,
}

impl Task {
    fn new(id: Uuid, task: &TaskState) -> Self {
        let error = task.error.as_ref();
        Self {
            id,
            name: task.name.clone(),
            path: ["__pregel_pull".to_owned(), task.name.clone()],
            error: error.map(|error| format!("{}: {}", error.kind, error.message)),
            interrupts: Question::all(&task.interrupts),
            checkpoint: None,
            state: None,
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

    /// The newest state of a thread.
    pub(super) fn newest(
        thread: Uuid,
        overview: &ThreadOverview,
        snapshot: &StateSnapshot,
    ) -> Self {
        Self::new(thread, snapshot, task_id(overview))
    }

    /// What is recorded of a state of a thread.
    pub(super) fn recorded(thread: Uuid, snapshot: &StateSnapshot) -> Self {
        Self::new(thread, snapshot, ids::task(root_of(snapshot.run)))
    }

    /// Whether its metadata has at least this.
    pub(super) fn has_metadata(&self, wanted: &Wanted<Object>) -> bool {
        match &self.metadata {
            Some(metadata) => wanted.is_met_by(metadata),
            None => wanted.is_empty(),
        }
    }

    fn new(thread: Uuid, snapshot: &StateSnapshot, task: Uuid) -> Self {
        let parent = snapshot.parent;
        let tasks = snapshot.tasks.iter().map(|it| Task::new(task, it));
        Self {
            values: shown(&snapshot.values),
            next: snapshot.next.clone(),
            tasks: tasks.collect(),
            metadata: Some(metadata(thread, snapshot)),
            created_at: Some(Time(snapshot.created_at)),
            checkpoint: Some(Checkpoint::new(thread, snapshot.checkpoint)),
            parent_checkpoint: parent.map(|parent| Checkpoint::new(thread, parent)),
            interrupts: Question::all(&snapshot.interrupts),
            checkpoint_id: Some(*snapshot.checkpoint.as_uuid()),
            parent_checkpoint_id: parent.map(|parent| *parent.as_uuid()),
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
