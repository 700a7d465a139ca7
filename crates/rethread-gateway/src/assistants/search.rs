use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

use super::known::{all, require};
use super::model::{Assistant, AssistantCount, AssistantSearch, AssistantSortBy, VersionsSearch};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Body, OptionalBody, Path};
use crate::json::{Listed, Partial};
use crate::page::Page;
use crate::records::AssistantRecord;
use crate::shared::Shared;

impl AssistantCount {
    fn admits(&self, record: &AssistantRecord) -> bool {
        let Self { graph_id, name, metadata } = self;
        graph_id.as_ref().is_none_or(|graph| *graph == record.graph_id)
            && name
                .as_ref()
                .is_none_or(|name| record.name.to_lowercase().contains(&name.to_lowercase()))
            && metadata.is_met_by(&record.metadata)
    }
}

pub(super) async fn search(
    State(shared): State<Shared>,
    caller: Caller,
    Body(search): Body<AssistantSearch>,
) -> ApiResult<(HeaderMap, Listed)> {
    let AssistantSearch { filter, limit, offset, sort_by, sort_order, select } = search;
    let mut found = all(&shared, &caller.tenant).await?;
    found.retain(|record| filter.admits(record));
    found.sort_by(|a, b| {
        let order = match sort_by {
            AssistantSortBy::AssistantId => a.assistant_id.cmp(&b.assistant_id),
            AssistantSortBy::GraphId => a.graph_id.cmp(&b.graph_id),
            AssistantSortBy::Name => a.name.cmp(&b.name),
            AssistantSortBy::CreatedAt => a.created_at.cmp(&b.created_at),
            AssistantSortBy::UpdatedAt => a.updated_at.cmp(&b.updated_at),
        };
        sort_order.apply(order).then(a.assistant_id.cmp(&b.assistant_id))
    });
    let page = Page::of(found, limit.get(), offset);
    let headers = page.headers();
    let mut list = Listed::plain(shared.options().answer_bytes_max);
    for record in page.members {
        list.push(&Partial::select(&Assistant::from(record), select.as_deref())?)?;
    }
    Ok((headers, list))
}

pub(super) async fn count(
    State(shared): State<Shared>,
    caller: Caller,
    Body(filter): Body<AssistantCount>,
) -> ApiResult<Json<usize>> {
    let all = all(&shared, &caller.tenant).await?;
    Ok(Json(all.iter().filter(|record| filter.admits(record)).count()))
}

pub(super) async fn get(
    State(shared): State<Shared>,
    caller: Caller,
    Path(named): Path<String>,
) -> ApiResult<Json<Assistant>> {
    Ok(Json(require(&shared, &caller.tenant, &named).await?.into()))
}

pub(super) async fn versions(
    State(shared): State<Shared>,
    caller: Caller,
    Path(named): Path<String>,
    OptionalBody(search): OptionalBody<VersionsSearch>,
) -> ApiResult<(HeaderMap, Listed)> {
    let current = require(&shared, &caller.tenant, &named).await?;
    let table = shared.records().versions(&caller.tenant, current.assistant_id);
    let mut versions = table.list().await?;
    // One that was never changed has one version, which is written nowhere else.
    if versions.is_empty() {
        versions.push(current);
    }
    versions.retain(|record| search.metadata.is_met_by(&record.metadata));
    versions.sort_by_key(|record| std::cmp::Reverse(record.version));
    let page = Page::of(versions, search.limit.get(), search.offset);
    let headers = page.headers();
    let mut list = Listed::plain(shared.options().answer_bytes_max);
    for record in page.members {
        list.push(&Assistant::from(record))?;
    }
    Ok((headers, list))
}
