//! What operators see and do: threads, partitions, queues, workers, dead letters, and why a thread
//! does not go on.
//!
//! Everything is read from the storage, so it works without a coordinator; only
//! [`Admin::explain`] asks one, if there is one. What is returned holds ids and names, and values
//! of users only in questions that are open. The fields of these types are the JSON that the
//! command line prints.

mod dead_letters;
mod explain;
mod explanation;
mod overview;
mod runs;
mod situation;
mod span;
mod threads;

use std::fmt;

use rethread_core::record::Record;

use crate::client::Client;
use crate::error::{ClientError, Result};

pub use dead_letters::{DeadLetterInfo, DeadLetterKind, DeadLetterName};
pub use explanation::{Explanation, Finding, FindingKind};
pub use overview::{OwnerInfo, PartitionInfo, QueueInfo, WorkerInfo};
pub use runs::{EventInfo, RunInfo};
pub use span::span;
pub use threads::{ThreadCursor, ThreadInfo, ThreadList, ThreadQuery};

/// What operators see and do; see [`Client::admin`].
#[derive(Clone)]
pub struct Admin {
    client: Client,
}

impl Admin {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("client", &self.client).finish()
    }
}

fn decode<T: Record>(what: &str, record: &[u8]) -> Result<T> {
    T::from_record(record).map_err(|error| ClientError::corrupt(what, &error))
}
