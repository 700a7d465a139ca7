use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use rethread_core::ids::{OpId, PartitionId, RunId, ThreadId, ThreadKey};
use rethread_core::message::{Command, InboxMessage};
use rethread_core::record::Record;
use rethread_sdk::Store;
use rethread_storage::store::{StoreEngine, StoreIndex};
use rethread_storage::{Clock, Storage, StorageError};
use uuid::Uuid;

use crate::address;
use crate::admin::Admin;
use crate::ephemeral::Ephemeral;
use crate::error::{ClientError, Result};
use crate::events::Tails;
use crate::options::ClientOptions;
use crate::patience::{Patience, may_pass};
use crate::store::StoreAccess;
use crate::thread::Thread;

/// Speaks to one namespace of a storage. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Arc<dyn Storage>,
    options: ClientOptions,
    store: Arc<StoreEngine>,
    tails: Arc<Tails>,
}

impl Client {
    /// Connects to the storage at `url` with default options.
    ///
    /// Supported are `redis://[user:password@]host[:port][/db]`, `redis+unix:///path` and
    /// `redis+cluster://host:port,..` (feature `redis`), and `rediss://` (feature `tls`). Its connections are driven by the calling runtime.
    ///
    /// # Errors
    /// [`ClientError::UnsupportedUrl`] for other schemes, [`ClientError::Storage`] when the
    /// storage cannot be reached or refuses.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self> {
        Self::connect_with(url, ClientOptions::default()).await
    }

    /// Connects to the storage at `url`.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_with(url: impl AsRef<str>, options: ClientOptions) -> Result<Self> {
        let storage = address::open(url.as_ref(), &options).await?;
        Ok(Self::from_storage_with(storage, options))
    }

    /// Speaks to a storage that is open already.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use rethread_client::Client;
    /// use rethread_storage::memory::MemoryStorage;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # let _guard = runtime.enter();
    /// let client = Client::from_storage(Arc::new(MemoryStorage::new(1)));
    /// assert_eq!(client.thread("essay-1")?.id().as_str(), "essay-1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_storage(storage: Arc<dyn Storage>) -> Self {
        Self::from_storage_with(storage, ClientOptions::default())
    }

    /// Speaks to a storage that is open already, with options.
    pub fn from_storage_with(storage: Arc<dyn Storage>, options: ClientOptions) -> Self {
        let options = options.within_limits();
        let store = Arc::new(StoreEngine::new(Clock::system()));
        Self { inner: Arc::new(Inner { storage, options, store, tails: Arc::default() }) }
    }

    /// The thread of this id, whether it has ever run or not.
    ///
    /// # Errors
    /// [`ClientError::InvalidId`] when the text is empty or has more than 256 bytes.
    pub fn thread(&self, id: impl AsRef<str>) -> Result<Thread> {
        Ok(self.thread_with_id(ThreadId::new(id)?))
    }

    /// The thread of an id that is checked already.
    pub fn thread_with_id(&self, id: ThreadId) -> Thread {
        Thread::new(self.clone(), id)
    }

    /// A thread that nobody has used: its id is a fresh UUID, which sorts by time.
    pub fn new_thread(&self) -> Thread {
        let id = ThreadId::new(Uuid::now_v7().to_string());
        self.thread_with_id(id.expect("invariant: a UUID has 36 bytes"))
    }

    /// The same, with an index for its [`Client::store`]: items that it puts are indexed, and it
    /// searches by texts. It should be the index that workers and coordinators have.
    #[must_use]
    pub fn with_store_index(self, index: StoreIndex) -> Self {
        let Inner { storage, options, tails, .. } = &*self.inner;
        let (storage, options, tails) = (Arc::clone(storage), options.clone(), Arc::clone(tails));
        let store = Arc::new(StoreEngine::new(Clock::system()).with_index(index));
        Self { inner: Arc::new(Inner { storage, options, store, tails }) }
    }

    /// Whether its [`Client::store`] has an index, so that it can be searched by texts.
    pub fn has_store_index(&self) -> bool {
        self.inner.store.has_index()
    }

    /// Long-term memory across threads, the same that bodies reach with `store()`.
    ///
    /// ```
    /// # async fn example(client: rethread_client::Client) -> rethread_client::Result<()> {
    /// use serde_json::json;
    ///
    /// let store = client.store();
    /// store.put(["users", "ada"], "profile", &json!({"city": "Paris"})).await?;
    /// let found = store.search(["users"]).filter("city", "Paris").items::<serde_json::Value>().await?;
    /// println!("{} of them live in Paris", found.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Its requests give [`rethread_sdk::Error`], which turns into [`ClientError::Store`].
    pub fn store(&self) -> Store {
        Store::new(StoreAccess::new(self.clone(), Arc::clone(&self.inner.store)))
    }

    /// What operators see and do.
    pub fn admin(&self) -> Admin {
        Admin::new(self.clone())
    }

    /// Runs of which nothing is kept.
    pub fn ephemeral(&self) -> Ephemeral {
        Ephemeral::new(self.clone())
    }

    /// Its options.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// The storage it speaks to.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.inner.storage
    }

    /// The event logs that are read through it.
    pub(crate) fn tails(&self) -> &Arc<Tails> {
        &self.inner.tails
    }

    pub(crate) fn partition(&self, thread: ThreadKey) -> PartitionId {
        thread.partition(self.inner.storage.partitions())
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> {
        (0..self.inner.storage.partitions()).map(PartitionId)
    }

    /// Submits a request, repeating it under the same op id while its outcome is in doubt.
    pub(crate) async fn submit(&self, command: Command) -> Result<()> {
        let run = command.run;
        let partition = self.partition(command.thread.key());
        let op = op_of(run);
        let message = InboxMessage::Command(command).to_record();
        let mut patience = Patience::lasting(self.inner.options.retry_for);
        let mut may_be_accepted = false;
        loop {
            let submitted = self.inner.storage.submit(partition, op, message.clone()).await;
            let Err(error) = submitted else { return Ok(()) };
            may_be_accepted |= matches!(error, StorageError::Unknown { .. });
            if may_pass(&error) && patience.pause().await {
                tracing::debug!(run_id = %run, %error, "submitting the request again");
                continue;
            }
            return Err(match may_be_accepted {
                true => ClientError::Unconfirmed { run, source: error },
                false => ClientError::not_submitted(error),
            });
        }
    }

    /// Reads from the storage, again and again while it cannot be reached.
    pub(crate) async fn read<'a, T>(
        &'a self,
        mut read: impl FnMut(&'a dyn Storage) -> BoxFuture<'a, Result<T, StorageError>>,
    ) -> Result<T> {
        let mut patience = Patience::lasting(self.inner.options.retry_for);
        loop {
            match read(&*self.inner.storage).await {
                Err(error) if may_pass(&error) && patience.pause().await => {
                    tracing::debug!(%error, "reading again");
                }
                result => return Ok(result?),
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("storage", &self.inner.storage)
            .field("options", &self.inner.options)
            .finish()
    }
}

/// A run is asked for once: its id is that of the operation too.
fn op_of(run: RunId) -> OpId {
    OpId::from_bytes(*run.as_uuid().as_bytes())
}
