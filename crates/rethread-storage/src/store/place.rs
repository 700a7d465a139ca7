//! Namespaces that hold no item and are listed all the same: those in which an item was looked
//! for. LangGraph's in-memory store, the reference, knows a namespace from its first use on,
//! reading included, and programs that list namespaces see it.

use bytes::Bytes;
use rethread_core::store::Namespace;

use super::StoreFailure;
use crate::{ItemName, ItemRecord, Storage};

/// The key under which a namespace is noted; no item has it.
pub(super) const KEY: &str = "\0";

/// Notes a namespace, unless it is noted.
pub(super) async fn note(storage: &dyn Storage, namespace: Namespace) -> Result<(), StoreFailure> {
    let name = ItemName { namespace, key: KEY.to_owned() };
    if storage.read_item(&name).await?.is_none() {
        let record = ItemRecord { record: Bytes::new(), expires_at: None };
        storage.put_item(&name, record).await?;
    }
    Ok(())
}
