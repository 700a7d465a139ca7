//! Operations: what a session does with a thread, and from outside of runs.

use rethread::Mode;
use rethread::client::{RunDurability, Scalar};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::case::{Object, OneOrMany};

/// One operation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Operation {
    #[serde(flatten)]
    pub(crate) action: Action,
    #[serde(flatten)]
    pub(crate) common: Common,
}

/// What every operation may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Common {
    /// The thread; `None` for an explicit null.
    #[serde(default = "first_thread")]
    pub(crate) thread: Option<String>,
    /// The entrypoint, if it is not the main one.
    pub(crate) entry: Option<String>,
    #[serde(default)]
    pub(crate) configurable: Object,
    #[serde(default)]
    pub(crate) metadata: Object,
    pub(crate) context: Option<Value>,
    pub(crate) durability: Option<Durability>,
    /// The checkpoint to start from.
    pub(crate) at: Option<At>,
    /// Most steps of a graph in the run.
    pub(crate) recursion_limit: Option<i64>,
    /// Nodes before which the run pauses; `*` for all.
    #[serde(default)]
    pub(crate) interrupt_before: OneOrMany<String>,
    /// Nodes behind which the run pauses; `*` for all.
    #[serde(default)]
    pub(crate) interrupt_after: OneOrMany<String>,
    /// The pending nodes, each in the graph of the one before, whose graph is meant.
    #[serde(default, rename = "in")]
    pub(crate) path: Vec<String>,
    /// Bounds of the time it takes.
    pub(crate) between_ms: Option<[u64; 2]>,
    /// Observations that are not compared.
    pub(crate) loose: Option<Vec<String>>,
}

/// When a run is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    Sync,
    Async,
    Exit,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum At {
    /// Place in the history of the thread as it is now; 0 is the newest.
    Place(usize),
    /// An id as it stands.
    Id(String),
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Action {
    Invoke(Input),
    Stream {
        #[serde(flatten)]
        input: Input,
        #[serde(default = "updates")]
        modes: Vec<StreamMode>,
        #[serde(default)]
        subgraphs: bool,
    },
    State {
        #[serde(default)]
        subgraphs: bool,
    },
    History {
        limit: Option<usize>,
        filter: Option<Object>,
        before: Option<At>,
    },
    Update {
        #[serde(default)]
        values: Value,
        #[serde(rename = "as")]
        node: Option<String>,
        /// Instead: several updates, in steps.
        steps: Option<Vec<Vec<UpdateSpec>>>,
    },
    Compile,
    Draw {
        form: Option<DrawingForm>,
        /// Whether graphs that are nodes are drawn with what is in them.
        #[serde(default)]
        xray: bool,
    },
    Store(StoreAction),
    ClearCache {
        task: Option<String>,
    },
    DeleteThread,
    CallTask {
        task: String,
        #[serde(default)]
        args: Vec<Value>,
    },
    Wait {
        ms: u64,
    },
}

/// One of several updates.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateSpec {
    #[serde(default)]
    pub(crate) values: Value,
    #[serde(rename = "as")]
    pub(crate) node: Option<String>,
}

/// The form of a drawing that is no list of nodes and edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DrawingForm {
    Mermaid,
}

/// What a run begins with: exactly one of these is said.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Input {
    #[serde(default, deserialize_with = "said")]
    input: Option<Value>,
    #[serde(default, deserialize_with = "said")]
    resume: Option<Value>,
    resume_map: Option<Vec<AnswerSpec>>,
    command: Option<CommandSpec>,
    #[serde(default, rename = "continue")]
    is_continue: bool,
}

/// What a run begins with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Begin<'a> {
    Input(&'a Value),
    Resume(&'a Value),
    ResumeMap(&'a [AnswerSpec]),
    Command(&'a CommandSpec),
    Continue,
}

impl Input {
    /// What is said.
    ///
    /// # Errors
    /// When nothing is.
    pub(crate) fn begin(&self) -> Result<Begin<'_>, String> {
        if let Some(value) = &self.input {
            return Ok(Begin::Input(value));
        }
        if let Some(value) = &self.resume {
            return Ok(Begin::Resume(value));
        }
        if let Some(answers) = &self.resume_map {
            return Ok(Begin::ResumeMap(answers));
        }
        if let Some(command) = &self.command {
            return Ok(Begin::Command(command));
        }
        let is_continue = self.is_continue.then_some(Begin::Continue);
        is_continue.ok_or_else(|| "the operation says nothing of what to begin with".into())
    }
}

/// A command as input of a graph.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandSpec {
    pub(crate) update: Option<Value>,
    /// A destination, or a list of them.
    pub(crate) goto: Option<Value>,
    #[serde(default, deserialize_with = "said")]
    pub(crate) resume: Option<Value>,
}

/// An answer to one question.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerSpec {
    pub(crate) of: Which,
    #[serde(default)]
    pub(crate) value: Value,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Which {
    /// Place among those reported last on the thread.
    Place(usize),
    /// The latest reported one with this payload.
    Value { value: Value },
    /// An id as it stands.
    Id(String),
}

/// What is done to the store from outside of runs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct StoreAction {
    pub(crate) put: Option<(Vec<String>, String, Value)>,
    pub(crate) get: Option<(Vec<String>, String)>,
    pub(crate) search: Option<Vec<String>>,
    pub(crate) filter: Option<Value>,
}

/// A stream mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamMode {
    Updates,
    Values,
    Custom,
    Tasks,
    Checkpoints,
    Debug,
}

impl From<StreamMode> for Mode {
    fn from(mode: StreamMode) -> Self {
        match mode {
            StreamMode::Updates => Self::Updates,
            StreamMode::Values => Self::Values,
            StreamMode::Custom => Self::Custom,
            StreamMode::Tasks => Self::Tasks,
            StreamMode::Checkpoints => Self::Checkpoints,
            StreamMode::Debug => Self::Debug,
        }
    }
}

impl From<Durability> for RunDurability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Sync => Self::Sync,
            Durability::Async => Self::Async,
            Durability::Exit => Self::Exit,
        }
    }
}

impl Action {
    /// Its name in cases and traces.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Invoke(_) => "invoke",
            Self::Stream { .. } => "stream",
            Self::State { .. } => "state",
            Self::History { .. } => "history",
            Self::Update { .. } => "update",
            Self::Compile => "compile",
            Self::Draw { .. } => "draw",
            Self::Store(_) => "store",
            Self::ClearCache { .. } => "clear_cache",
            Self::DeleteThread => "delete_thread",
            Self::CallTask { .. } => "call_task",
            Self::Wait { .. } => "wait",
        }
    }
}

/// A value of metadata, if it can be one.
pub(crate) fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Number(number) => {
            number.as_i64().map(Scalar::from).or_else(|| number.as_f64().map(Scalar::from))
        }
        Value::String(text) => Some(text.as_str().into()),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form that serde asks for")]
fn first_thread() -> Option<String> {
    Some("1".into())
}

fn updates() -> Vec<StreamMode> {
    vec![StreamMode::Updates]
}

/// Tells an explicit null from nothing.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Operation {
        serde_json::from_value(value).expect("an operation")
    }

    #[test]
    fn a_null_is_told_from_nothing() {
        let plain = read(json!({"op": "invoke", "input": null}));
        assert_eq!(plain.common.thread.as_deref(), Some("1"));
        let Action::Invoke(input) = &plain.action else { panic!("{plain:?}") };
        assert_eq!(input.begin(), Ok(Begin::Input(&Value::Null)));
        let none = read(json!({"op": "invoke", "resume": null, "thread": null}));
        assert_eq!(none.common.thread, None);
        let Action::Invoke(input) = &none.action else { panic!("{none:?}") };
        assert_eq!(input.begin(), Ok(Begin::Resume(&Value::Null)));
        let odd = read(json!({"op": "invoke"}));
        assert!(matches!(odd.action, Action::Invoke(input) if input.begin().is_err()));
    }

    #[test]
    fn questions_are_named_in_three_ways() {
        let of = json!([{"of": 1}, {"of": {"value": {"q": 1}}, "value": 2}, {"of": "ab"}]);
        let found = read(json!({"op": "stream", "resume_map": of, "modes": ["tasks"]}));
        let Action::Stream { input, modes, subgraphs: false } = &found.action else { panic!() };
        assert_eq!(modes, &[StreamMode::Tasks]);
        let Ok(Begin::ResumeMap(answers)) = input.begin() else { panic!("{input:?}") };
        assert_eq!(answers[0].of, Which::Place(1));
        assert_eq!(answers[1].of, Which::Value { value: json!({"q": 1}) });
        assert_eq!(answers[2].of, Which::Id("ab".into()));
    }
}
