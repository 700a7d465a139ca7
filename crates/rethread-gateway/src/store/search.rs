use axum::Json;
use axum::extract::State;
use rethread_client::{ClientError, Filter};

use super::model::{Item, ItemFound, ItemsSearch, NamespacesFound, NamespacesSearch, shown};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Body, OptionalBody};
use crate::json::{Listed, Shown};
use crate::shared::Shared;

/// Items that are read at once.
const PAGE: usize = 100;

pub(super) async fn items(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(search): Body<ItemsSearch>,
) -> ApiResult<Listed> {
    let ItemsSearch { namespace_prefix, filter, query, limit, offset, refresh_ttl } = search;
    let prefix = namespace_prefix.prefix(&tenant)?;
    let filter: Vec<_> = filter.into_inner().into_iter().collect();
    // Without an index nothing is nearer than anything else.
    let query = query.filter(|_| shared.client().has_store_index());
    let mut list = Listed::items(shared.options().answer_bytes_max);
    let mut shown = 0;
    while shown < limit.get() {
        let left = limit.get() - shown;
        // What is nearest is known of all of them at once only.
        let wanted = if query.is_some() { left } else { left.min(PAGE) };
        let mut search = shared
            .store()
            .search(&prefix)
            .limit(wanted)
            .offset(offset.get().saturating_add(shown))
            .refresh_ttl(refresh_ttl.unwrap_or(true));
        for (key, value) in &filter {
            search = search.filter(key, Filter::eq(value));
        }
        if let Some(text) = &query {
            search = search.query(text);
        }
        let found = search.items::<Shown>().await.map_err(ClientError::from)?;
        let is_last = found.len() < wanted;
        shown += found.len();
        for item in found {
            let score = item.score;
            list.push(&ItemFound { item: Item::new(&tenant, item), score })?;
        }
        if is_last {
            break;
        }
    }
    Ok(list)
}

pub(super) async fn namespaces(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    OptionalBody(search): OptionalBody<NamespacesSearch>,
) -> ApiResult<Json<NamespacesFound>> {
    let NamespacesSearch { prefix, suffix, max_depth, limit, offset } = search;
    let hidden = usize::from(tenant.store_label().is_some());
    let labels = suffix.len().max(prefix.len()) + hidden;
    let mut prefix = prefix.prefix(&tenant)?;
    // The label of the tenant is no part of what a suffix is compared with.
    if hidden > 0 {
        prefix.resize(labels.max(prefix.len()), "*".to_owned());
    }
    let mut list = shared
        .store()
        .list_namespaces()
        .prefix(prefix)
        .suffix(suffix.suffix()?)
        .limit(limit.get())
        .offset(offset.get());
    if let Some(depth) = max_depth {
        list = list.max_depth(depth.get() + hidden);
    }
    let found = list.await.map_err(ClientError::from)?;
    let namespaces = found.into_iter().map(|namespace| shown(&tenant, namespace));
    Ok(Json(NamespacesFound { namespaces: namespaces.collect() }))
}
