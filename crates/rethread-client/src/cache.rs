use rethread_core::cache;
use rethread_core::ids::CallKind;

use crate::client::Client;
use crate::error::Result;

/// Whose cached results are cleared; see [`Client::clear_cache`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cached {
    /// Those of the task of this name, on threads that belong to no tenant.
    Task(String),
    /// Those of the entrypoint of this name, and not those of its tasks, on such threads.
    Entrypoint(String),
    /// All, those of tenants too.
    All,
}

impl Cached {
    /// Those of the task of this name.
    pub fn task(name: impl Into<String>) -> Self {
        Self::Task(name.into())
    }

    /// Those of the entrypoint of this name, and not those of its tasks.
    pub fn entrypoint(name: impl Into<String>) -> Self {
        Self::Entrypoint(name.into())
    }

    fn group(&self) -> Option<String> {
        match self {
            Self::Task(name) => Some(cache::group(CallKind::Task, name)),
            Self::Entrypoint(name) => Some(cache::group(CallKind::Entrypoint, name)),
            Self::All => None,
        }
    }
}

impl Client {
    /// Forgets cached results: equal calls made from now on run again. What a run has recorded
    /// already stays recorded.
    ///
    /// ```no_run
    /// # async fn example(client: rethread_client::Client) -> rethread_client::Result<()> {
    /// use rethread_client::Cached;
    ///
    /// client.clear_cache(Cached::task("write_essay")).await?;
    /// client.clear_cache(Cached::All).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Storage`](crate::ClientError::Storage) when the storage cannot be reached.
    pub async fn clear_cache(&self, cached: Cached) -> Result<()> {
        let group = cached.group();
        // May be done again: what is filled in between was made after the first time.
        self.read(|storage| storage.clear_cache(group.as_deref())).await
    }
}
