//! The store and the cache, from outside of runs.

use rethread::client::Cached;
use serde_json::json;

use super::{Observed, Session, Stop, object};
use crate::case::Object;
use crate::errors;
use crate::operation::{Common, StoreAction};
use crate::store;

impl Session<'_> {
    pub(super) async fn store(&mut self, action: &StoreAction) -> Observed {
        let failed =
            |error: rethread::Error| Stop::Error(errors::raised(error.kind(), error.message()));
        let own = self.client.store();
        if let Some((namespace, key, value)) = action.put.clone() {
            store::put(&own, namespace, key, &value).await.map_err(failed)?;
            return Ok(Object::new());
        }
        let found = if let Some((namespace, key)) = action.get.clone() {
            store::get(&own, namespace, key).await
        } else {
            let prefix = action.search.clone().unwrap_or_default();
            store::search(&own, prefix, action.filter.as_ref()).await
        };
        Ok(object(json!({ "result": found.map_err(failed)? })))
    }

    pub(super) async fn clear_cache(&mut self, common: &Common, task: Option<&str>) -> Observed {
        let cached = match (task, &common.entry) {
            (Some(task), _) => Cached::task(task),
            (None, Some(entrypoint)) => Cached::entrypoint(entrypoint),
            (None, None) => Cached::All,
        };
        self.client.clear_cache(cached).await?;
        Ok(Object::new())
    }
}
