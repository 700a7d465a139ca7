use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::assistants::IfExists;
use crate::json::{JsonPath, Object, Several, Wanted, read_from_objects};
use crate::page::{Limit, Offset, SortOrder};
use crate::records::ThreadTtl;
use crate::state::Question;
use crate::times::Time;

/// A thread, as clients see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Thread {
    pub(super) thread_id: Uuid,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
    pub(super) state_updated_at: Time,
    /// The user's, with `graph_id` and `assistant_id` of the last run.
    pub(super) metadata: Object,
    pub(super) status: ThreadStatus,
    pub(super) config: Object,
    /// The last result: any JSON; null until there is one.
    pub(super) values: Value,
    /// Open questions, by the task that asks them.
    pub(super) interrupts: BTreeMap<String, Vec<Question>>,
    /// Why the last run failed, or that it was cancelled.
    pub(super) error: Option<ThreadFault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(default)]
    pub(super) ttl: Option<ThreadExpiry>,
    /// What was asked for with `extract`, by its alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(default)]
    pub(super) extracted: Option<Object>,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum ThreadStatus {
    /// A run is in progress or waits for its turn.
    Busy,
    /// The last run failed.
    Error,
    /// The last run is over.
    Idle,
    /// Questions are open, or work is left of a run that was cancelled.
    Interrupted,
}

/// Why the last run of a thread has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct ThreadFault {
    /// The kind of the failure.
    pub(super) error: String,
    pub(super) message: String,
}

/// When a thread is removed by itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ThreadExpiry {
    pub(super) strategy: &'static str,
    /// Minutes after its last change.
    pub(super) ttl_minutes: f64,
    pub(super) expires_at: Time,
}

/// What is shown of a thread besides itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct ThreadQuery {
    /// `ttl`: when it is removed by itself.
    pub(super) include: Option<String>,
}

/// A thread that is to be made.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ThreadCreate {
    pub(super) thread_id: Option<Uuid>,
    #[serde(default)]
    pub(super) metadata: Object,
    #[serde(default)]
    pub(super) if_exists: IfExists,
    pub(super) ttl: Option<TtlGiven>,
    /// States that are laid out one after the other. The metadata names the entrypoint
    /// (`graph_id`).
    #[serde(default)]
    pub(super) supersteps: Several<Superstep>,
}

/// A state that is laid out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub(super) struct Superstep {
    /// One edit: an entrypoint has one node.
    #[schemars(length(min = 1, max = 1))]
    pub(super) updates: Vec<StepUpdate>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub(super) struct StepUpdate {
    #[serde(default)]
    pub(super) values: Value,
    pub(super) as_node: Option<String>,
}

read_from_objects!(Superstep, StepUpdate);

/// When a thread is removed by itself.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "minutes, or `{\"ttl\": minutes, \"strategy\": \"delete\"}`")]
pub(super) enum TtlGiven {
    /// Minutes after its last change.
    Minutes(Minutes),
    Rule {
        ttl: Minutes,
        #[serde(default)]
        #[allow(dead_code, reason = "there is one strategy, and no other is taken")]
        strategy: TtlStrategy,
    },
}

impl TtlGiven {
    pub(super) fn rule(self) -> ThreadTtl {
        let (Self::Minutes(Minutes(ttl)) | Self::Rule { ttl: Minutes(ttl), .. }) = self;
        ThreadTtl { ttl }
    }
}

/// A time in minutes: more than none, and at most a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(inline, extend("exclusiveMinimum" = 0, "maximum" = 52_560_000))]
pub(super) struct Minutes(f64);

impl TryFrom<f64> for Minutes {
    type Error = &'static str;

    fn try_from(minutes: f64) -> Result<Self, &'static str> {
        let fits = minutes > 0.0 && minutes <= 52_560_000.0;
        fits.then_some(Self(minutes)).ok_or("must be more than 0 and at most 52560000 minutes")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum TtlStrategy {
    #[default]
    Delete,
}

/// What is added to a thread.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ThreadPatch {
    /// Taken up member by member.
    #[serde(default)]
    pub(super) metadata: Object,
    pub(super) ttl: Option<TtlGiven>,
}

/// Which threads are counted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct ThreadCount {
    /// What the metadata has at least.
    #[serde(default)]
    pub(super) metadata: Wanted<Object>,
    /// What the values have at least: an object has these members, anything else is equal.
    pub(super) values: Option<Wanted<Value>>,
    pub(super) status: Option<ThreadStatus>,
}

/// Which threads are listed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ThreadSearch {
    pub(super) ids: Option<Several<Uuid>>,
    #[serde(flatten)]
    pub(super) filter: ThreadCount,
    #[serde(default)]
    pub(super) limit: Limit,
    #[serde(default)]
    pub(super) offset: Offset,
    #[serde(default)]
    pub(super) sort_by: ThreadSortBy,
    #[serde(default)]
    pub(super) sort_order: SortOrder,
    /// The members that are shown; all by default.
    pub(super) select: Option<Vec<ThreadMember>>,
    /// Aliases with paths into the thread, such as `values.messages[-1].content`.
    #[schemars(length(max = 10))]
    pub(super) extract: Option<BTreeMap<String, JsonPath>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum ThreadSortBy {
    ThreadId,
    Status,
    #[default]
    CreatedAt,
    UpdatedAt,
    StateUpdatedAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum ThreadMember {
    ThreadId,
    CreatedAt,
    UpdatedAt,
    StateUpdatedAt,
    Metadata,
    Config,
    Context,
    Status,
    Values,
    Interrupts,
    Error,
}

impl AsRef<str> for ThreadMember {
    fn as_ref(&self) -> &str {
        match self {
            Self::ThreadId => "thread_id",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::StateUpdatedAt => "state_updated_at",
            Self::Metadata => "metadata",
            Self::Config => "config",
            Self::Context => "context",
            Self::Status => "status",
            Self::Values => "values",
            Self::Interrupts => "interrupts",
            Self::Error => "error",
        }
    }
}

/// Which threads are removed, or cut down.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PruneRequest {
    pub(super) thread_ids: Several<Uuid>,
    #[serde(default)]
    pub(super) strategy: PruneStrategy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum PruneStrategy {
    /// The threads are removed.
    #[default]
    Delete,
    /// Their history is, up to the newest state.
    KeepLatest,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Pruned {
    /// How many of the threads were there.
    pub(super) pruned_count: usize,
}
