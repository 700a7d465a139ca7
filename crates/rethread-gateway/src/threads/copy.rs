use axum::Json;
use axum::extract::State;
use uuid::Uuid;

use super::expiry::note_rule;
use super::known::require;
use super::look::show;
use super::model::Thread;
use crate::caller::Caller;
use crate::coordinators;
use crate::error::ApiResult;
use crate::extract::Path;
use crate::records::ThreadRecord;
use crate::shared::Shared;

/// A copy has the whole history and waits for the same answers; runs are not copied.
pub(super) async fn copy(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Thread>> {
    let original = require(&shared, &tenant, id).await?;
    let copied = Uuid::now_v7();
    let thread = tenant.thread(shared.client(), id);
    if thread.overview().await?.is_some() {
        let copy = tenant.thread(shared.client(), copied);
        coordinators::ask(&shared, &copy, thread.copy_to(copy.id().as_str())).await??;
    }
    let record = ThreadRecord { ttl: original.ttl, ..ThreadRecord::new(copied, original.metadata) };
    shared.records().threads(&tenant).put(copied, &record).await?;
    note_rule(&shared, &tenant, &record).await?;
    Ok(Json(show(&shared, &tenant, record).await?))
}
