//! The assistants that there are: those that were made, and one for each entrypoint.

use futures::future::try_join;
use rethread_client::Millis;
use serde_json::json;
use uuid::Uuid;

use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::json::Object;
use crate::records::{AssistantRecord, EntrypointRecord};
use crate::shared::Shared;

/// The assistant that a request names by its id or by an entrypoint; none if there is none.
pub(crate) async fn resolve(
    shared: &Shared,
    tenant: &Tenant,
    named: &str,
) -> ApiResult<Option<AssistantRecord>> {
    let records = shared.records();
    match Uuid::try_parse(named) {
        Ok(id) => match records.assistants(tenant).get(id).await? {
            Some(found) => Ok(Some(found)),
            None => of_entrypoint_with(shared, id).await,
        },
        Err(_) => {
            let (entrypoints, assistants) = (records.entrypoints(), records.assistants(tenant));
            let found = entrypoints.get_dated(named);
            let (found, changed) =
                try_join(found, assistants.get(ids::assistant_of(named))).await?;
            let Some((entrypoint, since)) = found else { return Ok(None) };
            Ok(Some(changed.unwrap_or_else(|| of_entrypoint(&entrypoint, since))))
        }
    }
}

/// The same, for a request about the assistant itself.
pub(super) async fn require(
    shared: &Shared,
    tenant: &Tenant,
    named: &str,
) -> ApiResult<AssistantRecord> {
    let missing = || ApiError::not_found(format_args!("Assistant with ID {named} not found"));
    resolve(shared, tenant, named).await?.ok_or_else(missing)
}

/// All assistants of a tenant.
pub(super) async fn all(shared: &Shared, tenant: &Tenant) -> ApiResult<Vec<AssistantRecord>> {
    let mut all = shared.records().assistants(tenant).list().await?;
    for (entrypoint, since) in shared.records().entrypoints().list_dated().await? {
        let own = of_entrypoint(&entrypoint, since);
        if !all.iter().any(|it| it.assistant_id == own.assistant_id) {
            all.push(own);
        }
    }
    Ok(all)
}

/// Whether an assistant is the one that an entrypoint has from the start.
pub(super) async fn is_from_the_start(shared: &Shared, id: Uuid) -> ApiResult<bool> {
    Ok(of_entrypoint_with(shared, id).await?.is_some())
}

/// What coordinators say about an entrypoint.
pub(super) async fn entrypoint(shared: &Shared, name: &str) -> ApiResult<Option<EntrypointRecord>> {
    shared.records().entrypoints().get(name).await
}

/// Whether an entrypoint is a graph.
pub(crate) async fn is_graph(shared: &Shared, name: &str) -> ApiResult<bool> {
    Ok(entrypoint(shared, name).await?.is_some_and(|it| it.graph.is_some()))
}

async fn of_entrypoint_with(shared: &Shared, id: Uuid) -> ApiResult<Option<AssistantRecord>> {
    let all = shared.records().entrypoints().list_dated().await?;
    let found = all.into_iter().find(|(it, _)| ids::assistant_of(&it.name) == id);
    Ok(found.map(|(entrypoint, since)| of_entrypoint(&entrypoint, since)))
}

/// The assistant that an entrypoint has from the start.
fn of_entrypoint(entrypoint: &EntrypointRecord, since: Millis) -> AssistantRecord {
    AssistantRecord {
        assistant_id: ids::assistant_of(&entrypoint.name),
        graph_id: entrypoint.name.clone(),
        config: Object::new(),
        context: Object::new(),
        metadata: Object::from_iter([("created_by".to_owned(), json!("system"))]),
        name: entrypoint.name.clone(),
        description: None,
        version: 1,
        created_at: since,
        updated_at: since,
    }
}
