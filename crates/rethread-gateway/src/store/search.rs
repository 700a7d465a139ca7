use axum::Json;
use axum::extract::State;
use rethread_client::{ClientError, Filter};

use super::model::{
    Item, ItemFound, ItemsFound, ItemsSearch, NamespacesFound, NamespacesSearch, shown,
};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Body, OptionalBody};
use crate::json::Object;
use crate::shared::Shared;

pub(super) async fn items(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(search): Body<ItemsSearch>,
) -> ApiResult<Json<ItemsFound>> {
    let ItemsSearch { namespace_prefix, filter, query, limit, offset, refresh_ttl } = search;
    let mut search = shared
        .store()
        .search(namespace_prefix.prefix(&tenant)?)
        .limit(limit.get())
        .offset(offset.get())
        .refresh_ttl(refresh_ttl.unwrap_or(true));
    for (key, wanted) in filter.unwrap_or_default() {
        search = search.filter(key, Filter::eq(wanted));
    }
    // Without an index nothing is nearer than anything else.
    if let Some(text) = query.filter(|_| shared.client().has_store_index()) {
        search = search.query(text);
    }
    let found = search.items::<Object>().await.map_err(ClientError::from)?;
    let items = found.into_iter().map(|item| {
        let score = item.score;
        ItemFound { item: Item::new(&tenant, item), score }
    });
    Ok(Json(ItemsFound { items: items.collect() }))
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
