use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rethread_core::ids::{OpId, PartitionId, RunId, ThreadId, ThreadKey};
use rethread_core::message::{Command, InboxMessage};
use rethread_core::record::Record;
use rethread_storage::{Storage, StorageError};
use uuid::Uuid;

use crate::address;
use crate::error::{ClientError, Result};
use crate::patience::{Patience, may_pass};
use crate::thread::Thread;

/// A storage forgets the op id of a request after ten minutes at the earliest; repeating one
/// must end before that.
const RETRY_FOR_MAX: Duration = Duration::from_secs(9 * 60);

/// Settings of a [`Client`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The installation to speak to, where several share a server. Only for
    /// [`Client::connect_with`]. Default `default`.
    pub namespace: String,
    /// How long an operation is repeated while the storage cannot be reached; at most nine
    /// minutes. Default 30 s.
    pub retry_for: Duration,
    /// How often a waiting reader looks for events without being woken, in case a wake-up is
    /// lost. Default 5 s.
    pub poll_interval: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            retry_for: Duration::from_secs(30),
            poll_interval: Duration::from_secs(5),
        }
    }
}

impl ClientOptions {
    /// The same with another namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The same with another time for repeating operations.
    #[must_use]
    pub fn retry_for(mut self, retry_for: Duration) -> Self {
        self.retry_for = retry_for;
        self
    }

    /// The same with another poll interval.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: Duration) -> Self {
        self.poll_interval = poll_interval;
        self
    }
}

/// Speaks to one namespace of a storage. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    storage: Arc<dyn Storage>,
    options: ClientOptions,
}

impl Client {
    /// Connects to the storage at `url` with default options.
    ///
    /// Supported are `redis://[user:password@]host[:port][/db]` and `redis+unix:///path`
    /// (feature `redis`). Its connections are driven by the calling runtime.
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
    pub fn from_storage_with(storage: Arc<dyn Storage>, mut options: ClientOptions) -> Self {
        options.retry_for = options.retry_for.min(RETRY_FOR_MAX);
        Self { inner: Arc::new(Inner { storage, options }) }
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

    /// Its options.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// The storage it speaks to.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.inner.storage
    }

    pub(crate) fn partition(&self, thread: ThreadKey) -> PartitionId {
        thread.partition(self.inner.storage.partitions())
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
                tracing::debug!(%run, %error, "submitting the request again");
                continue;
            }
            return Err(match may_be_accepted {
                true => ClientError::Unconfirmed { run, source: error },
                false => error.into(),
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
