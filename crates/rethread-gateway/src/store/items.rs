use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rethread_client::ClientError;

use super::model::{Indexed, Item, ItemDelete, ItemPut, ItemQuery, Labels, lifetime};
use crate::caller::Caller;
use crate::error::ApiResult;
use crate::extract::{Body, Query};
use crate::json::Shown;
use crate::shared::Shared;

pub(super) async fn put(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(ItemPut { namespace, key, value, index, ttl }): Body<ItemPut>,
) -> ApiResult<StatusCode> {
    let mut put = shared
        .store()
        .put(namespace.namespace(&tenant)?, key, &value)
        .index(index.as_ref().is_none_or(Indexed::is_indexed));
    if let Some(minutes) = ttl {
        put = put.ttl(lifetime(minutes)?);
    }
    put.await.map_err(ClientError::from)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn get(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Query(ItemQuery { namespace, key, refresh_ttl }): Query<ItemQuery>,
) -> ApiResult<Json<Option<Item>>> {
    let namespace = Labels::parse(&namespace).namespace(&tenant)?;
    let get = shared.store().get::<Shown>(namespace, key);
    let found = get.refresh_ttl(refresh_ttl.unwrap_or(true)).await.map_err(ClientError::from)?;
    Ok(Json(found.map(|item| Item::new(&tenant, item))))
}

pub(super) async fn delete(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(ItemDelete { namespace, key }): Body<ItemDelete>,
) -> ApiResult<StatusCode> {
    let namespace = namespace.namespace(&tenant)?;
    shared.store().delete(namespace, key).await.map_err(ClientError::from)?;
    Ok(StatusCode::NO_CONTENT)
}
