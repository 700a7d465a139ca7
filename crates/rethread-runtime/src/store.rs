//! The store, for the bodies of this node.

use std::fmt;
use std::sync::Arc;

use rethread_core::failure::{Failure, kind};
use rethread_core::replay::panic_failure;
use rethread_core::store::{StoreReply, StoreRequest};
use rethread_storage::store::{StoreEngine, StoreFailure, StoreIndex};
use rethread_storage::{Clock, Storage, StorageError};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::presence::Presence;

/// Answers requests to the store.
///
/// The index runs code of the user, which may take its time: like the bodies of tasks it runs on
/// the caller's runtime, whoever asks.
pub(crate) struct StoreAccess {
    engine: StoreEngine,
    /// A handle of the caller's runtime.
    storage: Arc<dyn Storage>,
    runtime: Handle,
    _presence: Presence,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum StoreTrouble {
    /// The storage is out of reach or full. Later it may answer.
    Passing(StorageError),
    /// There will be no answer.
    Lasting(Failure),
}

impl StoreAccess {
    /// Access from the calling runtime.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        index: Option<StoreIndex>,
        clock: &Clock,
        presence: Presence,
    ) -> Arc<Self> {
        let engine = StoreEngine::new(clock.clone());
        let engine = match index {
            Some(index) => engine.with_index(index),
            None => engine,
        };
        Arc::new(Self { engine, storage, runtime: Handle::current(), _presence: presence })
    }

    /// Answers on the caller's runtime.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the request has had its effect.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: StoreRequest,
    ) -> Result<StoreReply, StoreTrouble> {
        let access = Arc::clone(self);
        // Ends with the future.
        let mut asked = JoinSet::new();
        asked.spawn_on(async move { access.answer(request).await }, &self.runtime);
        match asked.join_next().await {
            Some(Ok(answer)) => answer.map_err(StoreTrouble::from),
            Some(Err(error)) => Err(StoreTrouble::Lasting(match error.try_into_panic() {
                Ok(panic) => panic_failure(panic.as_ref()),
                Err(error) => ended_without_answer(&error),
            })),
            None => Err(StoreTrouble::Lasting(ended_without_answer(&"it was never asked"))),
        }
    }

    /// Answers where it is called, which should be the caller's runtime.
    ///
    /// # Cancel safety
    /// As for [`StoreAccess::ask`].
    pub(crate) async fn answer(&self, request: StoreRequest) -> Result<StoreReply, StoreFailure> {
        self.engine.execute(&*self.storage, request).await
    }
}

/// The failure that stands for an answer that got lost.
pub(crate) fn ended_without_answer(reason: &dyn fmt::Display) -> Failure {
    Failure::new(kind::STORE, format!("the store gave no answer: {reason}"))
}

impl From<StoreFailure> for StoreTrouble {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Storage(
                error @ (StorageError::Unavailable { .. }
                | StorageError::Unknown { .. }
                | StorageError::Full { .. }),
            ) => Self::Passing(error),
            lasting => Self::Lasting(Failure::from(lasting)),
        }
    }
}

impl fmt::Debug for StoreAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreAccess").field("engine", &self.engine).finish_non_exhaustive()
    }
}
