//! What the gateway keeps of assistants, threads and runs: records in the long-term store, under
//! namespaces that programs and clients do not see, one part for each tenant.
//!
//! | namespace | key | record |
//! |---|---|---|
//! | `@http`, `assistants`, TENANT | assistant id | [`AssistantRecord`], the latest version |
//! | `@http`, `versions`, TENANT, ASSISTANT | version | [`AssistantRecord`] |
//! | `@http`, `threads`, TENANT | thread id | [`ThreadRecord`] |
//! | `@http`, `runs`, TENANT, THREAD | run id | [`RunRecord`] |
//! | `@http`, `active`, TENANT, THREAD | run id | [`ActiveRun`], until its end is known |
//! | `@http`, `expiring` | tenant and thread id | [`ExpiringThread`] |
//! | `@http`, `delayed` | run id | [`DelayedRun`] |
//! | `@http`, `due` | time and run id | [`DueRun`], one for each of these |
//! | `@http`, `passing` | run id | [`PassingRun`] |
//! | `@rethread`, `entrypoints` | name | [`EntrypointRecord`], written by coordinators |

mod active;
mod assistant;
mod claims;
mod due;
mod entrypoint;
mod expiring;
mod run;
mod table;
mod thread;

use std::sync::Arc;

use rethread_client::Client;
use rethread_core::store::Namespace;
use uuid::Uuid;

use crate::caller::Tenant;
use crate::runs::{DelayedRun, PassingRun};

pub(crate) use active::ActiveRun;
pub(crate) use assistant::AssistantRecord;
pub(crate) use due::DueRun;
pub(crate) use entrypoint::{Drawing, EntrypointRecord, Lines};
pub(crate) use expiring::ExpiringThread;
pub(crate) use run::{RunRecord, RunStatus};
pub(crate) use table::{Row, RowName, Table};
pub(crate) use thread::{ThreadRecord, ThreadTtl};

use table::{Changers, Locks};

/// The first label of what the gateway keeps.
const ROOT: &str = "@http";

/// All records.
#[derive(Debug)]
pub(crate) struct Records {
    client: Client,
    locks: Arc<Locks>,
}

impl Records {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, locks: Arc::default() }
    }

    /// Assistants of a tenant, by id.
    pub(crate) fn assistants(&self, tenant: &Tenant) -> Table<AssistantRecord> {
        self.changed_by_requests([ROOT, "assistants", &tenant.label()])
    }

    /// Versions of an assistant, by number.
    pub(crate) fn versions(&self, tenant: &Tenant, assistant: Uuid) -> Table<AssistantRecord> {
        self.table([ROOT, "versions", &tenant.label(), &assistant.to_string()])
    }

    /// Threads of a tenant, by id.
    pub(crate) fn threads(&self, tenant: &Tenant) -> Table<ThreadRecord> {
        self.changed_by_requests([ROOT, "threads", &tenant.label()])
    }

    /// Runs of a thread, by id. Look for one only where the thread is known to exist.
    pub(crate) fn runs(&self, tenant: &Tenant, thread: Uuid) -> Table<RunRecord> {
        self.table([ROOT, "runs", &tenant.label(), &thread.to_string()])
    }

    /// Runs of a thread whose end is not known, by id.
    pub(crate) fn active(&self, tenant: &Tenant, thread: Uuid) -> Table<ActiveRun> {
        self.table([ROOT, "active", &tenant.label(), &thread.to_string()])
    }

    /// The same of all threads of a tenant.
    pub(crate) fn all_active(&self, tenant: &Tenant) -> Table<ActiveRun> {
        self.table([ROOT, "active", &tenant.label()])
    }

    /// The same of all tenants.
    pub(crate) fn active_anywhere(&self) -> Table<ActiveRun> {
        self.table([ROOT, "active"])
    }

    /// Threads of all tenants that are removed by themselves.
    pub(crate) fn expiring(&self) -> Table<ExpiringThread> {
        self.table([ROOT, "expiring"])
    }

    /// Runs that begin later, by id.
    pub(crate) fn delayed(&self) -> Table<DelayedRun> {
        self.table([ROOT, "delayed"])
    }

    /// The same by the time at which they begin.
    pub(crate) fn due(&self) -> Table<DueRun> {
        self.table([ROOT, "due"])
    }

    /// Runs without a thread of which nothing is kept, by id.
    pub(crate) fn passing(&self) -> Table<PassingRun> {
        self.table([ROOT, "passing"])
    }

    /// Entrypoints that coordinators know, by name.
    pub(crate) fn entrypoints(&self) -> Table<EntrypointRecord> {
        self.table(["@rethread", "entrypoints"])
    }

    fn table<R: Row, const N: usize>(&self, labels: [&str; N]) -> Table<R> {
        self.table_for(Changers::Witnesses, labels)
    }

    fn changed_by_requests<R: Row, const N: usize>(&self, labels: [&str; N]) -> Table<R> {
        self.table_for(Changers::Requests, labels)
    }

    fn table_for<R: Row, const N: usize>(&self, changers: Changers, labels: [&str; N]) -> Table<R> {
        let namespace = Namespace::new(labels);
        let namespace = namespace.expect("invariant: labels of records are plain");
        Table::new(self.client.clone(), Arc::clone(&self.locks), namespace, changers)
    }
}
