use std::sync::Arc;
use std::time::Duration;

use rethread_core::thread::Limits;
use rethread_sdk::Registry;
use rethread_storage::{Clock, Storage};
use tokio::sync::Semaphore;

use crate::failure_log::FailureLog;
use crate::feeds::Feeds;
use crate::stats::Stats;
use crate::store::StoreAccess;

/// Threads that are loaded at the same time.
const LOADS_MAX: usize = 64;
/// Jobs of threads that are done at the same time.
const JOBS_MAX: usize = 256;

/// What all partition owners of a node share.
#[derive(Debug)]
pub(crate) struct Engine {
    /// A handle of the engine thread's own.
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) evict_after: Duration,
    pub(crate) sweep_every: Duration,
    pub(crate) feeds: Arc<Feeds>,
    pub(crate) store: Arc<StoreAccess>,
    pub(crate) loads: Arc<Semaphore>,
    pub(crate) jobs: Arc<Semaphore>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) failures: EngineFailures,
}

/// What is told of failing operations, of all partitions together.
#[derive(Debug)]
pub(crate) struct EngineFailures {
    pub(crate) commits: FailureLog,
    pub(crate) inboxes: FailureLog,
    pub(crate) loads: FailureLog,
    pub(crate) scans: FailureLog,
    pub(crate) store: FailureLog,
    pub(crate) cache: FailureLog,
    pub(crate) newer: FailureLog,
}

impl Default for EngineFailures {
    fn default() -> Self {
        Self {
            commits: FailureLog::new("writing a commit"),
            inboxes: FailureLog::new("reading inboxes"),
            loads: FailureLog::new("loading a thread"),
            scans: FailureLog::new("reading a partition"),
            store: FailureLog::new("asking the store"),
            cache: FailureLog::new("asking the cache"),
            newer: FailureLog::new("reading a message, which is left for a newer coordinator,"),
        }
    }
}

impl Engine {
    pub(crate) fn load_permits() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(LOADS_MAX))
    }

    pub(crate) fn job_permits() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(JOBS_MAX))
    }
}
