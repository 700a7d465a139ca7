//! Records of one kind.

use std::hash::{BuildHasher, RandomState};
use std::marker::PhantomData;
use std::sync::Arc;

use rethread_client::{Client, ClientError, Millis};
use rethread_core::store::Namespace;
use rethread_storage::ItemName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::claims::Turn;
use crate::again;
use crate::error::ApiResult;
use crate::times;

/// What can be kept in a [`Table`]: a struct, which is stored as a map. Members that are added
/// later have defaults.
pub(crate) trait Row: Serialize + DeserializeOwned + Send + 'static {}

/// Locks for changes of records by this gateway, shared by those whose names have the same hash.
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
    fn of(&self, name: &ItemName) -> &Mutex<()> {
        let hash = self.hasher.hash_one(name) as usize;
        &self.locks[hash % LOCKS]
    }
}

/// Who may change a record while others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changers {
    /// Requests to several gateways: they take turns.
    Requests,
    /// Whoever sees what happens writes the same down, so that the last one may win.
    Witnesses,
}

/// Names a record; they are sorted as the records are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowName(ItemName);

impl RowName {
    pub(crate) fn key(&self) -> &str {
        &self.0.key
    }
}

/// Records of one kind, in one namespace.
#[derive(Debug)]
pub(crate) struct Table<R> {
    client: Client,
    locks: Arc<Locks>,
    namespace: Namespace,
    changers: Changers,
    row: PhantomData<fn() -> R>,
}

impl<R: Row> Table<R> {
    pub(super) fn new(
        client: Client,
        locks: Arc<Locks>,
        namespace: Namespace,
        changers: Changers,
    ) -> Self {
        Self { client, locks, namespace, changers, row: PhantomData }
    }

    fn name(&self, key: impl ToString) -> ItemName {
        ItemName { namespace: self.namespace.clone(), key: key.to_string() }
    }

    /// Does something with a record while nobody else changes it.
    async fn in_turn<T>(
        &self,
        name: &ItemName,
        work: impl Future<Output = ApiResult<T>>,
    ) -> ApiResult<T> {
        let _guard = self.locks.of(name).lock().await;
        match self.changers {
            Changers::Witnesses => work.await,
            Changers::Requests => {
                let turn = Turn::at(&self.client, name).await?;
                let done = work.await;
                turn.end().await;
                done
            }
        }
    }

    /// The record of this name.
    pub(crate) async fn get(&self, key: impl ToString) -> ApiResult<Option<R>> {
        self.read(&self.name(key)).await
    }

    /// The record of this name with the time at which it was first written.
    pub(crate) async fn get_dated(&self, key: impl ToString) -> ApiResult<Option<(R, Millis)>> {
        self.read_dated(&self.name(key)).await
    }

    /// The record of a name that was listed.
    pub(crate) async fn get_named(&self, RowName(name): &RowName) -> ApiResult<Option<R>> {
        self.read(name).await
    }

    async fn read(&self, name: &ItemName) -> ApiResult<Option<R>> {
        Ok(self.read_dated(name).await?.map(|(row, _)| row))
    }

    async fn read_dated(&self, name: &ItemName) -> ApiResult<Option<(R, Millis)>> {
        let store = self.client.store();
        let found = store.get::<R>(name.namespace.labels(), &name.key).refresh_ttl(false);
        let found = found.await.map_err(ClientError::from)?;
        Ok(found.map(|item| (item.value, times::millis(item.created_at))))
    }

    /// Writes a record, replacing the one of the same name.
    pub(crate) async fn put(&self, key: impl ToString, row: &R) -> ApiResult<()> {
        self.write(&self.name(key), row).await
    }

    async fn write(&self, name: &ItemName, row: &R) -> ApiResult<()> {
        let store = self.client.store();
        let put = store.put(name.namespace.labels(), &name.key, row).index(false);
        Ok(put.await.map_err(ClientError::from)?)
    }

    /// Writes a record unless there is one of this name, which is given then.
    pub(crate) async fn create(&self, key: impl ToString, row: &R) -> ApiResult<Option<R>> {
        let name = self.name(key);
        let created = self.in_turn(&name, async {
            if let Some(existing) = self.read(&name).await? {
                return Ok(Some(existing));
            }
            self.write(&name, row).await?;
            Ok(None)
        });
        created.await
    }

    /// Changes a record; gives what it is then, or none if there is none of this name. An error
    /// of `change` leaves it as it was.
    pub(crate) async fn update(
        &self,
        key: impl ToString,
        change: impl FnOnce(&mut R) -> ApiResult<()> + Send,
    ) -> ApiResult<Option<R>> {
        let name = self.name(key);
        let updated = self.in_turn(&name, async {
            let Some(mut row) = self.read(&name).await? else { return Ok(None) };
            change(&mut row)?;
            self.write(&name, &row).await?;
            Ok(Some(row))
        });
        updated.await
    }

    /// Changes a record, which is made of `make` if there is none of this name.
    pub(crate) async fn upsert(
        &self,
        key: impl ToString,
        make: impl FnOnce() -> R + Send,
        change: impl FnOnce(&mut R) -> ApiResult<()> + Send,
    ) -> ApiResult<R> {
        let name = self.name(key);
        let changed = self.in_turn(&name, async {
            let mut row = self.read(&name).await?.unwrap_or_else(make);
            change(&mut row)?;
            self.write(&name, &row).await?;
            Ok(row)
        });
        changed.await
    }

    /// Removes a record; no error if there is none.
    pub(crate) async fn delete(&self, key: impl ToString) -> ApiResult<()> {
        let name = self.name(key);
        // A change that has read the record would write it again.
        self.in_turn(&name, self.remove(&name)).await
    }

    async fn remove(&self, name: &ItemName) -> ApiResult<()> {
        let store = self.client.store();
        let delete = store.delete(name.namespace.labels(), &name.key);
        Ok(delete.await.map_err(ClientError::from)?)
    }

    /// All records, in the order of their keys.
    pub(crate) async fn list(&self) -> ApiResult<Vec<R>> {
        Ok(self.list_dated().await?.into_iter().map(|(row, _)| row).collect())
    }

    /// All records with the times at which they were first written.
    pub(crate) async fn list_dated(&self) -> ApiResult<Vec<(R, Millis)>> {
        let store = self.client.store();
        let search = store.search(self.namespace.labels()).refresh_ttl(false).limit(usize::MAX);
        let items = search.items::<R>().await.map_err(ClientError::from)?;
        Ok(items.into_iter().map(|item| (item.value, times::millis(item.created_at))).collect())
    }

    /// Names of records behind one of them, in their order; at most `max`. Fewer are the end.
    pub(crate) async fn names(
        &self,
        behind: Option<&RowName>,
        max: usize,
    ) -> ApiResult<Vec<RowName>> {
        let prefix = self.namespace.labels();
        let behind = behind.map(|RowName(name)| name);
        let scanned = again::read(&self.client, |storage| storage.scan_items(prefix, behind, max));
        Ok(scanned.await?.into_iter().map(|(name, _)| RowName(name)).collect())
    }

    /// The place of a key among the names, whether there is a record or not.
    pub(crate) fn place(&self, key: impl ToString) -> RowName {
        RowName(self.name(key))
    }

    /// Removes all records.
    pub(crate) async fn clear(&self) -> ApiResult<()> {
        let mut last = None;
        loop {
            let names = self.names(last.as_ref(), CLEARED_AT_ONCE).await?;
            for RowName(name) in &names {
                self.remove(name).await?;
            }
            if names.len() < CLEARED_AT_ONCE {
                return Ok(());
            }
            last = names.into_iter().next_back();
        }
    }
}

/// Names that are read at once to be removed.
const CLEARED_AT_ONCE: usize = 200;
