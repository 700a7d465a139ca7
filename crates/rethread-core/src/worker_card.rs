//! How a worker describes itself to operators and clients.

use serde::{Deserialize, Serialize};

use crate::ids::{Millis, QueueName};
use crate::record::{Record, kind};

/// What a worker can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerCard {
    /// The queues it serves, each with the number of its slots.
    pub queues: Vec<(QueueName, u32)>,
    /// The names of its tasks, sorted.
    pub tasks: Vec<String>,
    /// When it started.
    pub started_at: Millis,
    /// Version of the engine it was built with.
    pub version: String,
}

impl Record for WorkerCard {
    const KIND: u8 = kind::WORKER;
}
