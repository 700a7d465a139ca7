//! The client for programs without an async runtime: the same operations, each of which blocks
//! the calling thread until it is done.
//!
//! A [`Client`] has a runtime of its own inside, so it must not be used where another one runs:
//! there every operation gives [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime).
//!
//! ```no_run
//! use rethread_client::blocking::Client;
//! use rethread_client::{EntrypointRef, Mode};
//!
//! # fn example() -> Result<(), rethread_client::ClientError> {
//! let workflow = EntrypointRef::<String, String>::named("workflow");
//! # #[cfg(feature = "redis")]
//! let client = Client::connect("redis://127.0.0.1/")?;
//! # #[cfg(not(feature = "redis"))]
//! # let client = Client::from_storage(std::sync::Arc::new(rethread_storage::memory::MemoryStorage::new(1)))?;
//! let thread = client.thread("essay-1")?;
//! let outcome = thread.invoke(&workflow, "cat".into()).send()?;
//! println!("{} questions", outcome.interrupts().len());
//! for event in thread.resume(true).stream([Mode::Custom])? {
//!     println!("{}", event?.data.to_json()?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What has no counterpart here is done with [`Client::block_on`].

mod request;
mod run;
mod runtime;
mod thread;

use std::future::IntoFuture;
use std::sync::Arc;

use rethread_core::ids::ThreadId;
use rethread_sdk::Store;
use rethread_storage::Storage;

use crate::cache::Cached;
use crate::error::Result;
use crate::options::ClientOptions;

pub use request::{EphemeralRequest, Request, UpdateRequest};
pub use run::{Events, RunHandle};
use runtime::OwnRuntime;
pub use thread::{Ephemeral, Thread};

/// Speaks to one namespace of a storage and blocks while it does. Clones share their connections
/// and their runtime.
#[derive(Debug, Clone)]
pub struct Client {
    client: crate::Client,
    runtime: Arc<OwnRuntime>,
}

impl Client {
    /// Connects to the storage at `url` with default options; see
    /// [`Client::connect`](crate::Client::connect).
    ///
    /// # Errors
    /// As there; [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime) where a runtime runs, [`ClientError::Runtime`](crate::ClientError::Runtime)
    /// when none can be started.
    pub fn connect(url: impl AsRef<str>) -> Result<Self> {
        Self::connect_with(url, ClientOptions::default())
    }

    /// Connects to the storage at `url`.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_with(url: impl AsRef<str>, options: ClientOptions) -> Result<Self> {
        let runtime = OwnRuntime::start()?;
        let client = runtime.block_on(crate::Client::connect_with(url, options))??;
        Ok(Self { client, runtime: Arc::new(runtime) })
    }

    /// Speaks to a storage that is open already, over connections of its own.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn from_storage(storage: Arc<dyn Storage>) -> Result<Self> {
        let runtime = OwnRuntime::start()?;
        let attached = runtime.block_on(async move { storage.attach().await })??;
        Ok(Self { client: crate::Client::from_storage(attached), runtime: Arc::new(runtime) })
    }

    /// The thread of this id, whether it has ever run or not.
    ///
    /// # Errors
    /// [`ClientError::InvalidId`](crate::ClientError::InvalidId) when the text is empty or has more than 256 bytes.
    pub fn thread(&self, id: impl AsRef<str>) -> Result<Thread> {
        Ok(self.thread_with_id(ThreadId::new(id)?))
    }

    /// The thread of an id that is checked already.
    pub fn thread_with_id(&self, id: ThreadId) -> Thread {
        Thread::new(self.client.thread_with_id(id), Arc::clone(&self.runtime))
    }

    /// A thread that nobody has used.
    pub fn new_thread(&self) -> Thread {
        Thread::new(self.client.new_thread(), Arc::clone(&self.runtime))
    }

    /// Runs of which nothing is kept; see [`Ephemeral`](crate::Ephemeral).
    pub fn ephemeral(&self) -> Ephemeral {
        Ephemeral::new(self.client.ephemeral(), Arc::clone(&self.runtime))
    }

    /// Forgets cached results; see [`Client::clear_cache`](crate::Client::clear_cache).
    ///
    /// # Errors
    /// As there, and [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime).
    pub fn clear_cache(&self, cached: Cached) -> Result<()> {
        self.runtime.block_on(self.client.clear_cache(cached))?
    }

    /// Long-term memory across threads; its requests are waited for with [`Client::block_on`].
    ///
    /// ```no_run
    /// # fn example(client: rethread_client::blocking::Client) -> rethread_client::Result<()> {
    /// let put = client.store().put(["users", "ada"], "city", &serde_json::json!({"is": "Paris"}));
    /// client.block_on(put)??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn store(&self) -> Store {
        self.client.store()
    }

    /// The client that this one wraps, for [`Client::block_on`].
    pub fn inner(&self) -> &crate::Client {
        &self.client
    }

    /// Waits for something of the async client.
    ///
    /// # Errors
    /// [`ClientError::InsideRuntime`](crate::ClientError::InsideRuntime) where a runtime runs.
    pub fn block_on<F: IntoFuture>(&self, future: F) -> Result<F::Output> {
        self.runtime.block_on(future)
    }
}
