use axum::Json;
use axum::extract::State;
use uuid::Uuid;

use super::known::find;
use super::model::{PruneRequest, PruneStrategy, Pruned};
use super::remove::remove;
use crate::caller::{Caller, Tenant};
use crate::coordinators;
use crate::error::ApiResult;
use crate::extract::Body;
use crate::json::Several;
use crate::shared::Shared;

pub(super) async fn prune(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Body(PruneRequest { thread_ids, strategy }): Body<PruneRequest>,
) -> ApiResult<Json<Pruned>> {
    let Several(mut thread_ids) = thread_ids;
    thread_ids.sort_unstable();
    thread_ids.dedup();
    let mut pruned_count = 0;
    for id in thread_ids {
        if find(&shared, &tenant, id).await?.is_some() {
            match strategy {
                PruneStrategy::Delete => remove(&shared, &tenant, id).await?,
                PruneStrategy::KeepLatest => keep_latest(&shared, &tenant, id).await?,
            }
            pruned_count += 1;
        }
    }
    Ok(Json(Pruned { pruned_count }))
}

async fn keep_latest(shared: &Shared, tenant: &Tenant, id: Uuid) -> ApiResult<()> {
    let thread = tenant.thread(shared.client(), id);
    if thread.overview().await?.is_some() {
        coordinators::ask(shared, &thread, thread.prune(1)).await??;
    }
    Ok(())
}
