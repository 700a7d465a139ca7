//! Records of one kind.

use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;
use std::sync::Arc;

use rethread_client::{ClientError, Millis, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::error::ApiResult;
use crate::times;

/// What can be kept in a [`Table`]: a struct, which is stored as a map. Members that are added
/// later have defaults.
pub(crate) trait Row: Serialize + DeserializeOwned + Send + 'static {}

/// Locks for changes of records, shared by those whose names have the same hash.
///
/// They order the changes of one gateway. Changes of the same record through two gateways at the
/// same moment may still take each other back: the store has no conditional write.
#[derive(Debug)]
pub(super) struct Locks {
    locks: [Mutex<()>; LOCKS],
    hasher: RandomState,
}

const LOCKS: usize = 64;

impl Default for Locks {
    fn default() -> Self {
        let locks = std::array::from_fn(|_| Mutex::new(()));
        Self { locks, hasher: RandomState::new() }
    }
}

impl Locks {
    fn of(&self, name: (&[String], &str)) -> &Mutex<()> {
        let hash = self.hasher.hash_one(name) as usize;
        &self.locks[hash % LOCKS]
    }
}

/// Records of one kind, in one namespace.
#[derive(Debug)]
pub(crate) struct Table<R> {
    store: Store,
    locks: Arc<Locks>,
    namespace: Vec<String>,
    row: PhantomData<fn() -> R>,
}

impl<R: Row> Table<R> {
    pub(super) fn new(store: Store, locks: Arc<Locks>, namespace: Vec<String>) -> Self {
        Self { store, locks, namespace, row: PhantomData }
    }

    /// The record of this name.
    pub(crate) async fn get(&self, key: impl ToString) -> ApiResult<Option<R>> {
        Ok(self.get_dated(key).await?.map(|(row, _)| row))
    }

    /// The record of this name with the time at which it was first written.
    pub(crate) async fn get_dated(&self, key: impl ToString) -> ApiResult<Option<(R, Millis)>> {
        let found = self.store.get::<R>(&self.namespace, key.to_string()).refresh_ttl(false);
        let found = found.await.map_err(ClientError::from)?;
        Ok(found.map(|item| (item.value, times::millis(item.created_at))))
    }

    /// Writes a record, replacing the one of the same name.
    pub(crate) async fn put(&self, key: impl ToString, row: &R) -> ApiResult<()> {
        let put = self.store.put(&self.namespace, key.to_string(), row).index(false);
        Ok(put.await.map_err(ClientError::from)?)
    }

    /// Writes a record unless there is one of this name, which is given then.
    pub(crate) async fn create(&self, key: impl ToString, row: &R) -> ApiResult<Option<R>> {
        let key = key.to_string();
        let _guard = self.locks.of((&self.namespace, &key)).lock().await;
        if let Some(existing) = self.get(&key).await? {
            return Ok(Some(existing));
        }
        self.put(&key, row).await?;
        Ok(None)
    }

    /// Changes a record; gives what it is then, or none if there is none of this name. An error
    /// of `change` leaves it as it was.
    pub(crate) async fn update(
        &self,
        key: impl ToString,
        change: impl FnOnce(&mut R) -> ApiResult<()> + Send,
    ) -> ApiResult<Option<R>> {
        let key = key.to_string();
        let _guard = self.locks.of((&self.namespace, &key)).lock().await;
        let Some(mut row) = self.get(&key).await? else { return Ok(None) };
        change(&mut row)?;
        self.put(&key, &row).await?;
        Ok(Some(row))
    }

    /// Changes a record, which is made of `make` if there is none of this name.
    pub(crate) async fn upsert(
        &self,
        key: impl ToString,
        make: impl FnOnce() -> R + Send,
        change: impl FnOnce(&mut R) -> ApiResult<()> + Send,
    ) -> ApiResult<R> {
        let key = key.to_string();
        let _guard = self.locks.of((&self.namespace, &key)).lock().await;
        let mut row = self.get(&key).await?.unwrap_or_else(make);
        change(&mut row)?;
        self.put(&key, &row).await?;
        Ok(row)
    }

    /// Removes a record; no error if there is none.
    pub(crate) async fn delete(&self, key: impl ToString) -> ApiResult<()> {
        let key = key.to_string();
        // A change that has read the record would write it again.
        let _guard = self.locks.of((&self.namespace, &key)).lock().await;
        let delete = self.store.delete(&self.namespace, key);
        Ok(delete.await.map_err(ClientError::from)?)
    }

    /// All records, in the order of their keys.
    pub(crate) async fn list(&self) -> ApiResult<Vec<R>> {
        Ok(self.list_dated().await?.into_iter().map(|(row, _)| row).collect())
    }

    /// All records with the times at which they were first written.
    pub(crate) async fn list_dated(&self) -> ApiResult<Vec<(R, Millis)>> {
        let search = self.store.search(&self.namespace).refresh_ttl(false).limit(usize::MAX);
        let items = search.items::<R>().await.map_err(ClientError::from)?;
        Ok(items.into_iter().map(|item| (item.value, times::millis(item.created_at))).collect())
    }

    /// Removes all records.
    pub(crate) async fn clear(&self) -> ApiResult<()> {
        let search = self.store.search(&self.namespace).refresh_ttl(false).limit(usize::MAX);
        let items = search.items::<serde::de::IgnoredAny>().await.map_err(ClientError::from)?;
        for item in items {
            self.store.delete(&item.namespace, item.key).await.map_err(ClientError::from)?;
        }
        Ok(())
    }
}
