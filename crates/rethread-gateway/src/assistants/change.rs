use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::known::{entrypoint, is_from_the_start, require};
use super::model::{Assistant, AssistantCreate, AssistantLatest, AssistantPatch, IfExists};
use crate::caller::{Caller, Tenant};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, Path, Query};
use crate::json::{Object, Whole};
use crate::records::AssistantRecord;
use crate::shared::Shared;
use crate::{threads, times};

pub(super) async fn create(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(create): Body<AssistantCreate>,
) -> ApiResult<Json<Assistant>> {
    require_entrypoint(&shared, &create.graph_id).await?;
    let now = times::now();
    let assistant_id = create.assistant_id.unwrap_or_else(Uuid::now_v7);
    let mut record = AssistantRecord {
        assistant_id,
        graph_id: create.graph_id,
        config: create.config,
        context: create.context,
        metadata: create.metadata,
        name: create.name.unwrap_or_else(|| "Untitled".to_owned()),
        description: create.description,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    mirror(&mut record)?;
    let existing = if is_from_the_start(&shared, assistant_id).await? {
        Some(require(&shared, &tenant, &assistant_id.to_string()).await?)
    } else {
        shared.records().assistants(&tenant).create(assistant_id, &record).await?
    };
    match existing {
        None => {
            keep_version(&shared, &tenant, &record).await?;
            Ok(Json(record.into()))
        }
        Some(existing) if create.if_exists == IfExists::DoNothing => Ok(Json(existing.into())),
        Some(_) => {
            let detail = format!("Assistant with ID {assistant_id} already exists");
            Err(ApiError::conflict(detail))
        }
    }
}

pub(super) async fn patch(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(named): Path<String>,
    Body(patch): Body<AssistantPatch>,
) -> ApiResult<Json<Assistant>> {
    let before = require(&shared, &tenant, &named).await?;
    let id = before.assistant_id;
    if let Some(graph) = &patch.graph_id {
        require_entrypoint(&shared, graph).await?;
        // Requests name it by its entrypoint, which must not mean another.
        if *graph != before.graph_id && is_from_the_start(&shared, id).await? {
            return Err(ApiError::conflict(format_args!(
                "the assistant is that of entrypoint `{}`: make another one for `{graph}`",
                before.graph_id
            )));
        }
    }
    let versions = shared.records().versions(&tenant, id).list().await?;
    if versions.is_empty() {
        keep_version(&shared, &tenant, &before).await?;
    }
    let newest = versions.iter().map(|it| it.version).max().unwrap_or(before.version);
    let change = |record: &mut AssistantRecord| {
        if let Some(graph) = patch.graph_id {
            record.graph_id = graph;
        }
        if let Some(name) = patch.name {
            record.name = name;
        }
        if let Some(description) = patch.description {
            record.description = Some(description);
        }
        match (patch.config, patch.context) {
            (Some(config), Some(context)) => (record.config, record.context) = (config, context),
            (Some(config), None) => {
                record.config = config;
                record.context.clear();
            }
            (None, Some(context)) => {
                record.config.remove("configurable");
                record.context = context;
            }
            (None, None) => {}
        }
        record.metadata.extend(patch.metadata);
        record.version = newest.max(record.version) + 1;
        record.updated_at = times::now();
        mirror(record)
    };
    let table = shared.records().assistants(&tenant);
    let record = table.upsert(id, || before, change).await?;
    keep_version(&shared, &tenant, &record).await?;
    Ok(Json(record.into()))
}

/// What is removed besides an assistant.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct DeleteQuery {
    /// Whether the threads are removed whose last run was one of the assistant.
    #[serde(default)]
    delete_threads: bool,
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(named): Path<String>,
    Query(DeleteQuery { delete_threads }): Query<DeleteQuery>,
) -> ApiResult<StatusCode> {
    let record = require(&shared, &tenant, &named).await?;
    let id = record.assistant_id;
    if is_from_the_start(&shared, id).await? {
        let graph = &record.graph_id;
        return Err(ApiError::conflict(format_args!(
            "the assistant is there for as long as entrypoint `{graph}` is"
        )));
    }
    if delete_threads {
        threads::remove_those_of(&shared, &tenant, id).await?;
    }
    shared.records().assistants(&tenant).delete(id).await?;
    shared.records().versions(&tenant, id).clear().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_latest(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(named): Path<String>,
    Body(AssistantLatest { version: Whole(version) }): Body<AssistantLatest>,
) -> ApiResult<Json<Assistant>> {
    let current = require(&shared, &tenant, &named).await?;
    if current.version == version {
        return Ok(Json(current.into()));
    }
    let id = current.assistant_id;
    let wanted = shared.records().versions(&tenant, id).get(version_key(version)).await?;
    let missing = || ApiError::not_found(format_args!("Assistant has no version {version}"));
    let wanted = wanted.ok_or_else(missing)?;
    let table = shared.records().assistants(&tenant);
    let latest = table.upsert(
        id,
        || wanted.clone(),
        |record| {
            record.clone_from(&wanted);
            Ok(())
        },
    );
    Ok(Json(latest.await?.into()))
}

async fn require_entrypoint(shared: &Shared, graph: &str) -> ApiResult<()> {
    match entrypoint(shared, graph).await? {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found(format_args!("Graph {graph} not found"))),
    }
}

async fn keep_version(shared: &Shared, tenant: &Tenant, record: &AssistantRecord) -> ApiResult<()> {
    let table = shared.records().versions(tenant, record.assistant_id);
    table.put(version_key(record.version), record).await
}

/// Versions in the order of their numbers.
fn version_key(version: u64) -> String {
    format!("{version:020}")
}

/// `context` and `config.configurable` are two names for the same.
fn mirror(record: &mut AssistantRecord) -> ApiResult<()> {
    let configurable = match record.config.get("configurable") {
        None | Some(Value::Null) => None,
        Some(Value::Object(configurable)) => {
            Some(configurable).filter(|configurable| !configurable.is_empty())
        }
        Some(_) => return Err(ApiError::invalid("config.configurable: must be an object")),
    };
    match configurable {
        None if record.context.is_empty() => {}
        None => {
            let context = Value::Object(record.context.clone());
            record.config.insert("configurable".to_owned(), context);
        }
        Some(configurable) if record.context.is_empty() => record.context = configurable.clone(),
        Some(configurable) if is_same(configurable, &record.context) => {}
        Some(_) => {
            return Err(ApiError::bad_request(
                "config.configurable and context are the same thing: give one of them",
            ));
        }
    }
    Ok(())
}

fn is_same(configurable: &Object, context: &Object) -> bool {
    configurable == context
}
