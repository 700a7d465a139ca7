//! What can go wrong in a storage, by what the caller does next.

use rethread_core::ids::PartitionId;

/// The result of a storage operation.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// A storage operation that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The owner token is not the current one. Stop: another node owns the partition.
    #[error("partition {partition} has another owner; nothing was written")]
    Fenced {
        /// The partition.
        partition: PartitionId,
    },
    /// The storage is behind what it acknowledged. Drop all memory of the partition and reload.
    #[error(
        "storage lost acknowledged writes of partition {partition}: commit {expected} was expected to be the last, found {found}"
    )]
    RolledBack {
        /// The partition.
        partition: PartitionId,
        /// Number of the last acknowledged commit.
        expected: u64,
        /// Number found.
        found: u64,
    },
    /// Nothing happened; try again later.
    #[error("storage is unavailable: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// It may or may not have happened. Repeat it under the same id, or reload.
    #[error("outcome of a storage operation is unknown: {reason}")]
    Unknown {
        /// Why.
        reason: String,
    },
    /// The storage has no room; nothing happened.
    #[error("storage is full: {reason}")]
    Full {
        /// What is full and what to do.
        reason: String,
    },
    /// Too much waits to be worked on already; nothing happened. Try again after a while.
    #[error(
        "partition {partition} is overloaded: {waiting} messages wait in its inbox; try again later, or start more coordinators"
    )]
    Overloaded {
        /// The partition.
        partition: PartitionId,
        /// Messages that wait.
        waiting: u64,
    },
    /// A name is longer than names may be; nothing happened.
    #[error("{what} has {bytes} bytes, {max} are allowed: use a shorter one, or a digest of it")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// The data directory is open already.
    #[error(
        "{path} is in use by another process, or by an engine or client of this one that is still \
         alive: stop or drop that one, or choose another directory"
    )]
    Locked {
        /// The directory.
        path: String,
    },
    /// Stored data cannot be read.
    #[error("{what} is damaged: {reason}")]
    Corrupt {
        /// Which data.
        what: String,
        /// What does not fit.
        reason: String,
    },
    /// The storage is set up in a way that Rethread cannot work with.
    #[error("{reason}")]
    Config {
        /// What is wrong and what to do.
        reason: String,
    },
}
