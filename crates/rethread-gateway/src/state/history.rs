use axum::extract::State;
use rethread_client::{CheckpointId, HistoryQuery};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::model::{CheckpointGiven, Showing};
use crate::caller::{Caller, Tenant};
use crate::error::ApiResult;
use crate::extract::{OptionalBody, Path, Query};
use crate::json::{Listed, Object, Wanted};
use crate::page::Limit;
use crate::shared::Shared;
use crate::threads;

/// Most states that are read at once.
const PAGE: usize = 100;

/// Which states are shown.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HistoryRequest {
    #[serde(default)]
    limit: Limit<1>,
    before: Option<Before>,
    /// What the metadata has at least.
    #[serde(default)]
    metadata: Wanted<Object>,
    /// Which graph within the graph is meant; by default the thread's.
    checkpoint: Option<CheckpointGiven>,
}

/// The same, in a query string.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct HistoryQueryString {
    #[serde(default)]
    limit: Limit,
    /// Only states that are older than this checkpoint.
    before: Option<Uuid>,
}

/// Only states that are older than this checkpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a checkpoint id, or an object with a `checkpoint_id`")]
enum Before {
    Id(Uuid),
    Config { configurable: CheckpointGiven },
    Checkpoint(CheckpointGiven),
}

impl Before {
    fn checkpoint(self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(id),
            Self::Config { configurable } => configurable.checkpoint_id,
            Self::Checkpoint(checkpoint) => checkpoint.checkpoint_id,
        }
    }
}

pub(super) async fn get(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Query(HistoryQueryString { limit, before }): Query<HistoryQueryString>,
) -> ApiResult<Listed> {
    let which = Which { limit: limit.get(), before, metadata: Wanted::default(), within: None };
    states(&shared, &tenant, thread, which).await
}

pub(super) async fn post(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    OptionalBody(request): OptionalBody<HistoryRequest>,
) -> ApiResult<Listed> {
    let HistoryRequest { limit, before, metadata, checkpoint } = request;
    let before = before.and_then(Before::checkpoint);
    let within = checkpoint.filter(|it| !it.path().is_empty());
    let which = Which { limit: limit.get(), before, metadata, within };
    states(&shared, &tenant, thread, which).await
}

/// Which states are shown.
struct Which {
    limit: usize,
    before: Option<Uuid>,
    metadata: Wanted<Object>,
    /// Those of a graph within the graph.
    within: Option<CheckpointGiven>,
}

async fn states(
    shared: &Shared,
    tenant: &Tenant,
    id: Uuid,
    Which { limit, before, metadata, within }: Which,
) -> ApiResult<Listed> {
    threads::require(shared, tenant, id).await?;
    let thread = tenant.thread(shared.client(), id);
    let (namespace, path) = match &within {
        Some(within) => (within.namespace(), within.path()),
        None => ("", Vec::new()),
    };
    let showing = Showing { thread: id, namespace, subgraphs: false };
    let newest = match path.is_empty() {
        true => thread.overview_and_state().await?,
        false => None,
    };
    let mut before = before.map(CheckpointId::from_uuid);
    let mut list = Listed::plain(shared.options().answer_bytes_max);
    let mut shown = 0;
    while shown < limit {
        // With a filter it is not known how many must be read.
        let wanted = if metadata.is_empty() { limit - shown } else { PAGE };
        let max = wanted.min(PAGE);
        let mut query = HistoryQuery::new().limit(max).within(&path);
        if let Some(before) = before {
            query = query.before(before);
        }
        let page = thread.history(query).await?;
        let is_last = page.len() < max;
        for snapshot in &page {
            let state = match &newest {
                Some((overview, head)) if head.checkpoint == snapshot.checkpoint => {
                    showing.newest(overview, head)
                }
                _ => showing.recorded(snapshot),
            };
            if shown < limit && state.has_metadata(&metadata) {
                list.push(&state)?;
                shown += 1;
            }
        }
        let Some(oldest) = page.last().filter(|_| !is_last) else { break };
        before = Some(oldest.checkpoint);
    }
    Ok(list)
}
