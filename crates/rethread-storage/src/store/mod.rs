//! The store: long-term memory across threads, on top of the items of a storage.
//!
//! [`StoreEngine`] does what a [`StoreRequest`] asks for, by the rules of LangGraph's stores.
//! Differences: items of a search without a query come in the order of namespace
//! and key, a query without an index is an error, and `true` does not equal 1.
//!
//! Namespaces whose first label begins with `@` are kept for the engine's own use: a search and a
//! listing find them only if their prefix begins with such a label.
//!
//! ```text
//!   request ──► StoreEngine ──► items of the storage: value, times, vectors
//!                   │
//!                   └──► StoreIndex ──► Embed (the user's): texts → vectors
//! ```

mod decode;
mod failure;
mod filter;
mod hidden;
mod index;
mod listing;
mod path;
mod place;
mod record;
mod search;
#[cfg(test)]
mod tests;
mod value;

use rethread_core::ids::Millis;
use rethread_core::payload::Payload;
use rethread_core::record::{Record, RecordError};
use rethread_core::store::{Item, Namespace, StoreReply, StoreRequest};

pub use failure::StoreFailure;
pub use index::{Embed, StoreIndex};

use crate::{Clock, ItemName, ItemRecord, Storage};
use record::StoredItem;

/// The part of its time to live that an item may have used up before a read renews it: reads in
/// quick succession write once.
const REFRESH_AFTER: u64 = 100;

/// Executes requests to the store.
#[derive(Debug)]
pub struct StoreEngine {
    clock: Clock,
    index: Option<StoreIndex>,
}

impl StoreEngine {
    /// An engine without an index. `clock` tells the same time as the storage: times to live
    /// count by it. For a storage with default options that is [`Clock::system`].
    pub fn new(clock: Clock) -> Self {
        Self { clock, index: None }
    }

    /// Has items that are put from now on indexed, and searched by texts.
    #[must_use]
    pub fn with_index(mut self, index: StoreIndex) -> Self {
        self.index = Some(index);
        self
    }

    /// Whether it has an index.
    pub fn has_index(&self) -> bool {
        self.index.is_some()
    }

    /// Does what a request asks for.
    ///
    /// # Errors
    /// [`StoreFailure`]. Nothing is written then, unless the storage says that it does not know.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether a put or a deletion has happened.
    pub async fn execute(
        &self,
        storage: &dyn Storage,
        request: StoreRequest,
    ) -> Result<StoreReply, StoreFailure> {
        match request {
            StoreRequest::Get { namespace, key, refresh_ttl } => {
                let name = checked(namespace, key)?;
                let found = self.get(storage, name, refresh_ttl).await?;
                Ok(StoreReply::Item(found.map(Box::new)))
            }
            StoreRequest::Put { namespace, key, value, ttl_ms, is_indexed } => {
                let name = checked(namespace, key)?;
                // As in LangGraph, where putting nothing is how a deletion is asked for.
                if value.is_null() {
                    storage.delete_item(&name).await?;
                } else {
                    self.put(storage, &name, value, ttl_ms, is_indexed).await?;
                }
                Ok(StoreReply::Done)
            }
            StoreRequest::Delete { namespace, key } => {
                storage.delete_item(&checked(namespace, key)?).await?;
                Ok(StoreReply::Done)
            }
            StoreRequest::Search(search) => {
                self.search(storage, *search).await.map(StoreReply::Items)
            }
            StoreRequest::ListNamespaces(query) => {
                Ok(StoreReply::Namespaces(self.list(storage, &query).await?))
            }
            _ => Err(StoreFailure::Unsupported),
        }
    }

    async fn get(
        &self,
        storage: &dyn Storage,
        name: ItemName,
        refresh_ttl: bool,
    ) -> Result<Option<Item>, StoreFailure> {
        let Some(ItemRecord { record, expires_at }) = storage.read_item(&name).await? else {
            // The read has its answer. What could not be noted is noted by the next one. A hidden
            // namespace is not listed, so nothing is lost without the note.
            if !hidden::is_hidden(&name.namespace)
                && let Err(error) = place::note(storage, name.namespace).await
            {
                tracing::debug!(%error, "a namespace that was asked for is not listed yet");
            }
            return Ok(None);
        };
        let found = Found { stored: StoredItem::read(&name, &record)?, name, expires_at };
        if refresh_ttl {
            self.refresh(storage, &found).await?;
        }
        Ok(Some(found.into_item(None)))
    }

    async fn put(
        &self,
        storage: &dyn Storage,
        name: &ItemName,
        value: Payload,
        ttl_ms: Option<u64>,
        is_indexed: bool,
    ) -> Result<(), StoreFailure> {
        decode::check_map(&value).map_err(|reason| StoreFailure::Value {
            namespace: name.namespace.clone(),
            key: name.key.clone(),
            reason,
        })?;
        let vectors = match self.index.as_ref().filter(|_| is_indexed) {
            Some(index) => index.vectors_of(&value).await?,
            None => Vec::new(),
        };
        let now = self.clock.now();
        let created_at = created_at(storage, name).await?.unwrap_or(now);
        let stored = StoredItem { value, created_at, updated_at: now, ttl_ms, vectors };
        let expires_at = ttl_ms.map(|ttl| now.plus(ttl));
        Ok(storage.put_item(name, ItemRecord { record: stored.to_record(), expires_at }).await?)
    }

    /// Begins the time to live of an item anew.
    async fn refresh(&self, storage: &dyn Storage, found: &Found) -> Result<(), StoreFailure> {
        let Some(ttl) = found.stored.ttl_ms else { return Ok(()) };
        let renewed = self.clock.now().plus(ttl);
        let gained = found.expires_at.map(|at| renewed.0.saturating_sub(at.0));
        if gained.is_none_or(|gained| gained > ttl / REFRESH_AFTER) {
            storage.touch_item(&found.name, renewed).await?;
        }
        Ok(())
    }
}

fn checked(namespace: Namespace, key: String) -> Result<ItemName, StoreFailure> {
    if key == place::KEY {
        return Err(StoreFailure::ReservedKey);
    }
    let name = ItemName { namespace, key };
    name.check()?;
    Ok(name)
}

/// When the item that is there was first put.
async fn created_at(
    storage: &dyn Storage,
    name: &ItemName,
) -> Result<Option<Millis>, StoreFailure> {
    let Some(old) = storage.read_item(name).await? else { return Ok(None) };
    match StoredItem::read(name, &old.record) {
        Ok(stored) => Ok(Some(stored.created_at)),
        Err(error @ StoreFailure::Item { reason: RecordError::TooNew { .. }, .. }) => Err(error),
        // Putting it anew is how a damaged item is repaired.
        Err(_) => Ok(None),
    }
}

/// An item as it was read.
struct Found {
    name: ItemName,
    stored: StoredItem,
    expires_at: Option<Millis>,
}

impl Found {
    fn into_item(self, score: Option<f32>) -> Item {
        let ItemName { namespace, key }: ItemName = self.name;
        let StoredItem { value, created_at, updated_at, .. } = self.stored;
        Item { namespace, key, value, created_at, updated_at, score }
    }
}
