//! The cache and the store of the model.

use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::Millis;
use rethread_core::store::Namespace;

use super::model::Model;
use super::shelf::Kept;
use crate::clock::millis;
use crate::names::PROGRESS_GROUP;
use crate::{CacheKey, CacheLookup, ItemName, ItemRecord, Result};

/// The cache. Methods mean what the operations of the same names of [`crate::Storage`] mean.
impl Model {
    /// See [`crate::Storage::look_up_cache`].
    ///
    /// # Errors
    /// [`crate::StorageError::TooLong`] for a key that is too long.
    pub fn look_up_cache(
        &mut self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
        now: Millis,
    ) -> Result<CacheLookup> {
        key.check()?;
        if let Some(kept) = self.cache.get(key, now) {
            return Ok(CacheLookup::Hit(kept.value.clone()));
        }
        let is_ours = self.live.duties.take(key, holder, hold, now);
        Ok(if is_ours { CacheLookup::Vacant } else { CacheLookup::Filling })
    }

    /// See [`crate::Storage::fill_cache`].
    ///
    /// # Errors
    /// [`crate::StorageError::TooLong`] for a key that is too long.
    pub fn fill_cache(
        &mut self,
        key: &CacheKey,
        value: Bytes,
        ttl: Option<Duration>,
        now: Millis,
    ) -> Result<()> {
        key.check()?;
        self.cache.sweep(now);
        self.cache.put(key, value, ttl.map(|ttl| now.plus(millis(ttl))));
        self.live.duties.end(key);
        Ok(())
    }

    /// See [`crate::Storage::abandon_cache`].
    pub fn abandon_cache(&mut self, key: &CacheKey, holder: &str) {
        self.live.duties.abandon(key, holder);
    }

    /// See [`crate::Storage::clear_cache`].
    pub fn clear_cache(&mut self, group: Option<&str>) {
        match group {
            None => self.cache.retain(|key| key.group == PROGRESS_GROUP),
            Some(group) => {
                let first = CacheKey { group: group.to_owned(), entry: Bytes::new() };
                self.cache.remove_while(&first, |key| key.group == group);
            }
        }
    }
}

/// The store. Methods mean what the operations of the same names of [`crate::Storage`] mean.
impl Model {
    /// See [`crate::Storage::put_item`].
    ///
    /// # Errors
    /// [`crate::StorageError::TooLong`] for a name that is too long.
    pub fn put_item(&mut self, name: &ItemName, record: ItemRecord, now: Millis) -> Result<()> {
        name.check()?;
        self.items.sweep(now);
        self.items.put(name, record.record, record.expires_at);
        Ok(())
    }

    /// See [`crate::Storage::read_item`].
    pub fn read_item(&self, name: &ItemName, now: Millis) -> Option<ItemRecord> {
        self.items.get(name, now).map(record)
    }

    /// See [`crate::Storage::delete_item`].
    pub fn delete_item(&mut self, name: &ItemName) {
        self.items.remove(name);
    }

    /// See [`crate::Storage::touch_item`].
    pub fn touch_item(&mut self, name: &ItemName, expires_at: Millis, now: Millis) {
        self.items.touch(name, expires_at, now);
    }

    /// See [`crate::Storage::scan_items`].
    pub fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
        now: Millis,
    ) -> Vec<(ItemName, ItemRecord)> {
        let under = self.under(prefix, after, now);
        under.take(max).map(|(name, kept)| (name.clone(), record(kept))).collect()
    }

    /// See [`crate::Storage::item_namespaces`].
    pub fn item_namespaces(&self, prefix: &[String], now: Millis) -> Vec<Namespace> {
        let mut found: Vec<Namespace> = Vec::new();
        for (name, _) in self.under(prefix, None, now) {
            if found.last() != Some(&name.namespace) {
                found.push(name.namespace.clone());
            }
        }
        found
    }

    fn under(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        now: Millis,
    ) -> impl Iterator<Item = (&ItemName, &Kept)> {
        // Labels that no namespace may have lead to nothing; no labels lead to everything.
        let start = Namespace::new(prefix.to_vec()).ok();
        let start = start.map(|namespace| ItemName { namespace, key: String::new() });
        let is_possible = start.is_some() || prefix.is_empty();
        let from = match (start, after) {
            (Some(start), Some(after)) if *after < start => Bound::Included(start),
            (_, Some(after)) => Bound::Excluded(after.clone()),
            (Some(start), None) => Bound::Included(start),
            (None, None) => Bound::Unbounded,
        };
        let behind = self.items.range((from, Bound::Unbounded), now);
        behind.take_while(move |(name, _)| is_possible && name.namespace.starts_with(prefix))
    }
}

fn record(kept: &Kept) -> ItemRecord {
    ItemRecord { record: kept.value.clone(), expires_at: kept.expires_at }
}
