//! The threads that there are: those that were made over HTTP, and those that others run.

use rethread_client::ThreadOverview;
use serde_json::json;
use uuid::Uuid;

use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::json::Object;
use crate::records::ThreadRecord;
use crate::shared::Shared;

/// The thread of this id; none if there is none.
pub(super) async fn find(
    shared: &Shared,
    tenant: &Tenant,
    id: Uuid,
) -> ApiResult<Option<ThreadRecord>> {
    if let Some(record) = shared.records().threads(tenant).get(id).await? {
        return Ok(Some(record));
    }
    let overview = tenant.thread(shared.client(), id).overview().await?;
    Ok(overview.map(|overview| of_others(id, &overview)))
}

/// The thread of this id.
///
/// # Errors
/// 404 if there is none.
pub(crate) async fn require(shared: &Shared, tenant: &Tenant, id: Uuid) -> ApiResult<ThreadRecord> {
    find(shared, tenant, id).await?.ok_or_else(|| missing(id))
}

pub(super) fn missing(id: Uuid) -> ApiError {
    ApiError::not_found(format_args!("Thread with ID {id} not found"))
}

/// What can be said of a thread that was not made over HTTP.
fn of_others(id: Uuid, overview: &ThreadOverview) -> ThreadRecord {
    let graph = &overview.entrypoint;
    let metadata = Object::from_iter([
        ("graph_id".to_owned(), json!(graph)),
        ("assistant_id".to_owned(), json!(ids::assistant_of(graph))),
    ]);
    let at = overview.updated_at;
    ThreadRecord { thread_id: id, metadata, ttl: None, created_at: at, updated_at: at }
}
