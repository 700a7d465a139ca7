use rethread_storage::StorageError;

/// The result of starting or stopping a node.
pub type Result<T, E = NodeError> = std::result::Result<T, E>;

/// Why a node could not be started or stopped in order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The storage did not let the node in.
    #[error("node cannot use its storage: {0}")]
    Storage(#[from] StorageError),
    /// The options do not fit together.
    #[error("{reason}")]
    Config {
        /// What is wrong and what to do.
        reason: String,
    },
    /// The system gave no thread or runtime.
    #[error("cannot start the node's threads: {0}")]
    Threads(#[from] std::io::Error),
    /// The node's own threads are gone, which only a bug or a kill brings about.
    #[error("node has stopped: start a new one")]
    Stopped,
}
