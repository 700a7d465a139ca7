//! What can go wrong in the store.

use rethread_core::failure::{Failure, kind};
use rethread_core::record::RecordError;
use rethread_core::store::Namespace;

use crate::StorageError;

/// A request to the store that was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFailure {
    /// The value of a put is not a map, or not a value at all.
    #[error("the value of `{key}` in `{namespace}` cannot be stored: {reason}")]
    Value {
        /// Where it was to be put.
        namespace: Namespace,
        /// Under which name.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A condition of a search means nothing.
    #[error("the condition on `{key}` cannot be checked: {reason}")]
    Filter {
        /// The key that the condition is on.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A search by text on a store without an index.
    #[error(
        "the store has no index to search by text: give it a `StoreIndex`, or leave the query out"
    )]
    NoIndex,
    /// The embedder failed.
    #[error("texts for the store's index could not be embedded: {0}")]
    Embedding(Failure),
    /// The embedder gave something else than it was asked for.
    #[error("the embedder of the store's index gave {found}, {expected} were expected")]
    Vectors {
        /// What it gave.
        found: String,
        /// What it should have given.
        expected: String,
    },
    /// A stored item cannot be read.
    #[error("item `{key}` in `{namespace}` cannot be read: {reason}")]
    Item {
        /// Where it lives.
        namespace: Namespace,
        /// Its name there.
        key: String,
        /// Why.
        reason: RecordError,
    },
    /// A key that the store keeps for itself.
    #[error("the key of a single NUL character is taken by the store; choose another one")]
    ReservedKey,
    /// The request is of a kind that this version does not know.
    #[error("this version of Rethread does not know the request: upgrade this process")]
    Unsupported,
    /// The storage did not do its part.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        let message = failure.to_string();
        match failure {
            StoreFailure::Value { .. } => Self::new(kind::SERIALIZATION, message).final_(),
            StoreFailure::Embedding(failure) => Self { message, ..failure },
            StoreFailure::Storage(StorageError::TooLong { .. }) => {
                Self::new(kind::LIMIT, message).final_()
            }
            // These pass; retry policies decide.
            StoreFailure::Storage(
                StorageError::Unavailable { .. }
                | StorageError::Unknown { .. }
                | StorageError::Full { .. },
            ) => Self::new(kind::STORE, message),
            _ => Self::new(kind::STORE, message).final_(),
        }
    }
}
