//! Runs as clients see them, and ask for them.

use std::num::NonZeroU32;

use rethread_client::RunDurability;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::json::Object;
use crate::records::{RunRecord, RunStatus};
use crate::sse::StreamModes;
use crate::state::CheckpointGiven;
use crate::times::Time;

/// A run, as clients see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Run {
    run_id: Uuid,
    thread_id: Uuid,
    assistant_id: Uuid,
    metadata: Object,
    status: RunStatus,
    /// The request as it was made.
    kwargs: Object,
    multitask_strategy: String,
    created_at: Time,
    updated_at: Time,
}

impl From<RunRecord> for Run {
    fn from(record: RunRecord) -> Self {
        Self {
            run_id: record.run_id,
            thread_id: record.thread_id,
            assistant_id: record.assistant_id,
            metadata: record.metadata,
            status: record.status,
            kwargs: record.kwargs,
            multitask_strategy: record.multitask_strategy,
            created_at: Time(record.created_at),
            updated_at: Time(record.updated_at),
        }
    }
}

/// A run that is asked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct RunCreate {
    /// The id of an assistant, or the name of an entrypoint.
    pub(super) assistant_id: String,
    /// Any JSON. Without it the run goes on from where the thread stands.
    #[serde(default)]
    pub(super) input: Value,
    /// Answers to questions, and changes of where a graph stands; the input is ignored then.
    pub(super) command: Option<CommandGiven>,
    /// From where on; by default from the newest state.
    #[serde(default)]
    checkpoint: CheckpointGiven,
    checkpoint_id: Option<Uuid>,
    #[serde(default)]
    pub(super) config: ConfigGiven,
    /// What the bodies of the run find as their context.
    #[serde(default)]
    pub(super) context: Object,
    /// Facts to find the run by.
    #[serde(default)]
    pub(super) metadata: Object,
    #[serde(default)]
    pub(super) stream_mode: StreamModes,
    /// Whether the events of child entrypoints and graphs are shown.
    #[serde(default)]
    pub(super) stream_subgraphs: bool,
    /// All streams can be joined again; it is only told back.
    #[serde(default)]
    stream_resumable: bool,
    #[serde(default)]
    pub(super) multitask_strategy: MultitaskStrategy,
    #[serde(default)]
    pub(super) if_not_exists: IfNotExists,
    #[serde(default)]
    pub(super) on_disconnect: OnDisconnect,
    /// Only for runs without a thread.
    #[serde(default)]
    pub(super) on_completion: OnCompletion,
    #[serde(default)]
    pub(super) after_seconds: Delay,
    durability: Option<Durability>,
    /// An older name: false is the durability `exit`.
    checkpoint_during: Option<bool>,
    /// Where the end of the run is told.
    pub(super) webhook: Option<String>,
    /// `*`, or names: a graph pauses before these nodes. Of another entrypoint: lays the input out
    /// without running it.
    #[serde(default)]
    pub(super) interrupt_before: Names,
    /// A graph pauses after these nodes; there is nothing behind another entrypoint that could be
    /// stopped.
    #[serde(default)]
    pub(super) interrupt_after: Names,
    /// Taken and ignored.
    #[allow(dead_code, reason = "clients send it")]
    feedback_keys: Option<Vec<String>>,
}

impl RunCreate {
    /// The checkpoint to start from, if one is named.
    pub(super) fn at(&self) -> Option<Uuid> {
        let configured = || self.config.configurable.get("checkpoint_id")?.as_str()?.parse().ok();
        self.checkpoint_id.or(self.checkpoint.checkpoint_id).or_else(configured)
    }

    /// Whether it says something of nodes, which only graphs have.
    pub(super) fn names_nodes(&self) -> bool {
        let of_command =
            |command: &CommandGiven| !command.update.is_null() || !command.goto.is_null();
        self.command.as_ref().is_some_and(of_command)
            || !self.interrupt_before.is_empty()
            || !self.interrupt_after.is_empty()
    }

    pub(super) fn durability(&self) -> Durability {
        match (self.durability, self.checkpoint_during) {
            (Some(durability), _) => durability,
            (None, Some(false)) => Durability::Exit,
            (None, _) => Durability::Async,
        }
    }

    /// What is told back of the request.
    pub(super) fn kwargs(&self, is_temporary: bool) -> Object {
        let kwargs = json!({
            "input": self.input,
            "command": self.command,
            "config": self.config,
            "context": self.context,
            "stream_mode": self.stream_mode,
            "interrupt_before": self.interrupt_before,
            "interrupt_after": self.interrupt_after,
            "webhook": self.webhook,
            "feedback_keys": null,
            "temporary": is_temporary,
            "subgraphs": self.stream_subgraphs,
            "resumable": self.stream_resumable,
            "checkpoint_during": self.durability() != Durability::Exit,
            "durability": self.durability(),
        });
        match kwargs {
            Value::Object(members) => members,
            _ => Object::new(),
        }
    }
}

/// What a run does instead of taking an input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandGiven {
    /// The answer to the only open question, or an object of answers by the ids of interrupts.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) resume: Value,
    /// Fields that are written to the state of a graph: an object, or a list of pairs. Of another
    /// entrypoint only `null`, `{}` and `[]`: it has no state to be changed beside its result.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) update: Value,
    /// Nodes of a graph that are started: a name, an object with `node` and `input`, or a list of
    /// these. Of another entrypoint only `null`, `{}` and `[]`: it has no nodes.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) goto: Value,
}

/// The configuration of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct ConfigGiven {
    #[serde(default)]
    pub(super) configurable: Object,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) metadata: Object,
    /// Most steps of a graph. Of another entrypoint: how deep calls may be nested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recursion_limit: Option<NonZeroU32>,
    /// Most tasks of the run at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_concurrency: Option<NonZeroU32>,
}

/// What becomes of a run that meets another on its thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum MultitaskStrategy {
    /// It is refused.
    Reject,
    /// The others are cancelled, and what they saved stays.
    Interrupt,
    /// The others are cancelled and taken back.
    Rollback,
    /// It waits for its turn.
    #[default]
    Enqueue,
}

impl MultitaskStrategy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Interrupt => "interrupt",
            Self::Rollback => "rollback",
            Self::Enqueue => "enqueue",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum IfNotExists {
    /// 404.
    #[default]
    Reject,
    /// The thread is made.
    Create,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum OnDisconnect {
    /// The run is cancelled when its reader goes away.
    Cancel,
    #[default]
    Continue,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum OnCompletion {
    /// What is left of the run goes a while after its end.
    #[default]
    Delete,
    Keep,
}

/// Seconds until a run may begin: at most a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(inline)]
pub(super) struct Delay(#[schemars(extend("minimum" = 0, "maximum" = 31_536_000))] f64);

impl TryFrom<f64> for Delay {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, &'static str> {
        let fits = (0.0..=31_536_000.0).contains(&seconds);
        fits.then_some(Self(seconds)).ok_or("must be from 0 to 31536000 seconds")
    }
}

impl Delay {
    /// In milliseconds; none if there is no delay.
    pub(super) fn millis(self) -> Option<u64> {
        Some((self.0 * 1_000.0) as u64).filter(|&millis| millis > 0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Durability {
    Sync,
    Async,
    /// Only the checkpoint at the end of the run is kept.
    Exit,
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

/// Names of nodes or entrypoints, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be `*` or a list of names")]
#[schemars(inline)]
pub(super) enum Names {
    One(String),
    Many(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Names {
    pub(super) fn all(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Many(names) => names.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Many(names) if names.is_empty())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let names = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(names) => names.as_slice(),
        };
        names.iter().any(|it| it == name || it == "*")
    }
}
