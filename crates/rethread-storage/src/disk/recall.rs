//! The cache and the store of the adapter.

use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::Millis;
use rethread_core::store::Namespace;

use super::DiskStorage;
use super::committer::Request;
use super::shelf::{self, Shelf, ShelfWrite};
use super::values::Kept;
use crate::clock::millis;
use crate::names::{NAMESPACE_BYTES_MAX, PROGRESS_GROUP};
use crate::{CacheKey, CacheLookup, ItemName, ItemRecord, Result};

/// Cache entries that are removed by one write.
const CLEARED_AT_ONCE: usize = 1_000;

impl DiskStorage {
    pub(super) async fn look_up(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        key.check()?;
        if let Some(value) = self.cached(key).await? {
            return Ok(CacheLookup::Hit(value));
        }
        let now = self.inner.clock.now();
        if !self.with(|live| live.duties.take(key, holder, hold, now)) {
            return Ok(CacheLookup::Filling);
        }
        // A duty ends behind its value: looked at once more, a value that came in the meantime is
        // seen, and not made again.
        let found = self.cached(key).await;
        if !matches!(found, Ok(None)) {
            self.with(|live| live.duties.abandon(key, holder));
        }
        Ok(found?.map_or(CacheLookup::Vacant, CacheLookup::Hit))
    }

    async fn cached(&self, key: &CacheKey) -> Result<Option<Bytes>> {
        let (key, now) = (key.to_bytes(), self.inner.clock.now());
        let found = self.read_tables(move |tables| Shelf::Cache.read(tables, &key)).await?;
        Ok(found.filter(|kept| kept.lasts(now)).map(|kept| kept.value))
    }

    pub(super) async fn fill(
        &self,
        key: &CacheKey,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<()> {
        key.check()?;
        let now = self.inner.clock.now();
        let kept = Kept { value, expires_at: ttl.map(|ttl| now.plus(millis(ttl))) };
        self.shelve(ShelfWrite::Put { shelf: Shelf::Cache, key: key.to_bytes(), kept }).await?;
        self.with(|live| live.duties.end(key));
        Ok(())
    }

    pub(super) async fn clear(&self, group: Option<&str>) -> Result<()> {
        let prefix = group.map(CacheKey::group_prefix).unwrap_or_default();
        let stays = group.is_none().then(|| CacheKey::group_prefix(PROGRESS_GROUP));
        let mut last = None;
        loop {
            let (prefix, after) = (prefix.clone(), last.take());
            let list = move |tables: &_| Shelf::Cache.keys(tables, &prefix, after, CLEARED_AT_ONCE);
            let mut keys = self.read_tables(list).await?;
            let Some(end) = keys.last() else { return Ok(()) };
            last = Some(end.clone());
            if let Some(stays) = &stays {
                keys.retain(|key| !key.starts_with(stays));
            }
            self.shelve(ShelfWrite::Remove { shelf: Shelf::Cache, keys }).await?;
        }
    }

    pub(super) async fn put(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        name.check()?;
        let kept = Kept { value: record.record, expires_at: record.expires_at };
        self.shelve_durably(ShelfWrite::Put { shelf: Shelf::Items, key: name.to_sortable(), kept })
            .await
    }

    pub(super) async fn item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        if name.check().is_err() {
            return Ok(None);
        }
        let (key, now) = (name.to_sortable(), self.inner.clock.now());
        let found = self.read_tables(move |tables| Shelf::Items.read(tables, &key)).await?;
        let found = found.filter(|kept| kept.lasts(now));
        Ok(found.map(|kept| ItemRecord { record: kept.value, expires_at: kept.expires_at }))
    }

    pub(super) async fn delete(&self, name: &ItemName) -> Result<()> {
        if name.check().is_err() {
            return Ok(());
        }
        let keys = vec![name.to_sortable()];
        self.shelve_durably(ShelfWrite::Remove { shelf: Shelf::Items, keys }).await
    }

    pub(super) async fn touch(&self, name: &ItemName, expires_at: Millis) -> Result<()> {
        if name.check().is_err() {
            return Ok(());
        }
        let (shelf, key) = (Shelf::Items, name.to_sortable());
        // As many reads extend the life of an item, it waits for no sync.
        self.shelve(ShelfWrite::Touch { shelf, key, expires_at }).await
    }

    pub(super) async fn scan(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        if is_too_long(prefix) {
            return Ok(Vec::new());
        }
        after.map_or(Ok(()), ItemName::check)?;
        let (prefix, after) = (prefix.to_vec(), after.cloned());
        let now = self.inner.clock.now();
        let scan = move |tables: &_| shelf::scan_items(tables, &prefix, after.as_ref(), max, now);
        self.read_tables(scan).await
    }

    pub(super) async fn namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>> {
        if is_too_long(prefix) {
            return Ok(Vec::new());
        }
        let (prefix, now) = (prefix.to_vec(), self.inner.clock.now());
        self.read_tables(move |tables| shelf::item_namespaces(tables, &prefix, now)).await
    }

    /// Writes something that survives a crash of the process, and not power loss.
    async fn shelve(&self, write: ShelfWrite) -> Result<()> {
        self.ask(|reply| Request::Shelve { write, is_durable: false, reply }).await
    }

    /// Writes something that is as durable as anything.
    async fn shelve_durably(&self, write: ShelfWrite) -> Result<()> {
        self.ask(|reply| Request::Shelve { write, is_durable: true, reply }).await
    }
}

/// Whether labels are longer than those of any item: there is nothing under them. The tables do not
/// take keys of any length, so nothing is asked for that cannot be there, here and above.
fn is_too_long(labels: &[String]) -> bool {
    labels.iter().map(|label| label.len().max(1)).sum::<usize>() > NAMESPACE_BYTES_MAX
}
