use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::json::{Object, Wanted, Whole};
use crate::page::{Limit, Offset, SortOrder};
use crate::records::AssistantRecord;
use crate::times::Time;

/// An assistant, as clients see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Assistant {
    assistant_id: Uuid,
    /// The entrypoint that it runs.
    graph_id: String,
    config: Object,
    context: Object,
    metadata: Object,
    name: String,
    description: Option<String>,
    version: u64,
    created_at: Time,
    updated_at: Time,
}

impl From<AssistantRecord> for Assistant {
    fn from(record: AssistantRecord) -> Self {
        Self {
            assistant_id: record.assistant_id,
            graph_id: record.graph_id,
            config: record.config,
            context: record.context,
            metadata: record.metadata,
            name: record.name,
            description: record.description,
            version: record.version,
            created_at: Time(record.created_at),
            updated_at: Time(record.updated_at),
        }
    }
}

/// An assistant that is to be made.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AssistantCreate {
    /// The entrypoint that it runs.
    pub(super) graph_id: String,
    pub(super) assistant_id: Option<Uuid>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) config: Object,
    #[serde(default)]
    pub(super) context: Object,
    #[serde(default)]
    pub(super) metadata: Object,
    #[serde(default)]
    pub(super) if_exists: IfExists,
}

/// What happens if there is a thing of the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum IfExists {
    /// 409.
    #[default]
    Raise,
    /// The one that is there is given.
    DoNothing,
}

/// What changes with the new version of an assistant.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AssistantPatch {
    pub(super) graph_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) config: Option<Object>,
    pub(super) context: Option<Object>,
    /// Taken up member by member.
    #[serde(default)]
    pub(super) metadata: Object,
}

/// The version that is to be used.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AssistantLatest {
    #[schemars(with = "u64", range(min = 1))]
    pub(super) version: Whole,
}

/// Which assistants are listed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AssistantSearch {
    #[serde(flatten)]
    pub(super) filter: AssistantCount,
    #[serde(default)]
    pub(super) limit: Limit,
    #[serde(default)]
    pub(super) offset: Offset,
    #[serde(default)]
    pub(super) sort_by: AssistantSortBy,
    #[serde(default)]
    pub(super) sort_order: SortOrder,
    /// The members that are shown; all by default.
    pub(super) select: Option<Vec<AssistantMember>>,
}

/// Which assistants are counted.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct AssistantCount {
    pub(super) graph_id: Option<String>,
    /// A part of the name, in any case.
    pub(super) name: Option<String>,
    /// What the metadata has at least.
    #[serde(default)]
    pub(super) metadata: Wanted<Object>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum AssistantSortBy {
    AssistantId,
    GraphId,
    Name,
    #[default]
    CreatedAt,
    UpdatedAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum AssistantMember {
    AssistantId,
    GraphId,
    Name,
    Description,
    Config,
    Context,
    CreatedAt,
    UpdatedAt,
    Metadata,
    Version,
}

impl AsRef<str> for AssistantMember {
    fn as_ref(&self) -> &str {
        match self {
            Self::AssistantId => "assistant_id",
            Self::GraphId => "graph_id",
            Self::Name => "name",
            Self::Description => "description",
            Self::Config => "config",
            Self::Context => "context",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Metadata => "metadata",
            Self::Version => "version",
        }
    }
}

/// Which versions are listed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct VersionsSearch {
    /// What the metadata has at least.
    #[serde(default)]
    pub(super) metadata: Wanted<Object>,
    #[serde(default)]
    pub(super) limit: Limit,
    #[serde(default)]
    pub(super) offset: Offset,
}

/// JSON Schemas of what an entrypoint takes and gives; null where it is not known.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AssistantSchemas {
    pub(super) graph_id: String,
    pub(super) input_schema: Option<Value>,
    pub(super) output_schema: Option<Value>,
    pub(super) state_schema: Option<Value>,
    pub(super) config_schema: Option<Value>,
    pub(super) context_schema: Option<Value>,
}

/// A graph as it is drawn. An entrypoint is one node between start and end.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AssistantGraph {
    pub(super) nodes: Vec<GraphNode>,
    pub(super) edges: Vec<GraphEdge>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GraphNode {
    pub(super) id: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<NodeData>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NodeData {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub(super) metadata: Object,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GraphEdge {
    pub(super) source: String,
    pub(super) target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conditional: Option<bool>,
    /// The result of a path that leads there, if it is not the name of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
}
