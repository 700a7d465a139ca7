//! From what is kept and what the engine knows to what clients see.

use std::collections::BTreeMap;

use rethread_client::{Millis, ThreadOverview, ThreadStatus as EngineStatus};
use serde_json::Value;

use super::busy::{active_runs, still_active};
use super::model::{Thread, ThreadExpiry, ThreadFault, ThreadStatus};
use crate::caller::Tenant;
use crate::error::ApiResult;
use crate::json::{Object, shown};
use crate::records::{ActiveRun, ThreadRecord, ThreadTtl};
use crate::shared::Shared;
use crate::state::{Question, task_id};
use crate::times::Time;

/// A thread as it stands, without its values.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) record: ThreadRecord,
    pub(super) overview: Option<ThreadOverview>,
    pub(super) status: ThreadStatus,
}

impl Look {
    /// Looks at a thread.
    pub(super) async fn at(
        shared: &Shared,
        tenant: &Tenant,
        record: ThreadRecord,
    ) -> ApiResult<Self> {
        let id = record.thread_id;
        let overview = tenant.thread(shared.client(), id).overview().await?;
        let active = active_runs(shared, tenant, id, overview.as_ref()).await?;
        Ok(Self::new(record, overview, !active.is_empty()))
    }

    /// The same, where the marks of its active runs were read already.
    pub(super) async fn with_marks(
        shared: &Shared,
        tenant: &Tenant,
        record: ThreadRecord,
        marks: Vec<ActiveRun>,
    ) -> ApiResult<Self> {
        let id = record.thread_id;
        let overview = tenant.thread(shared.client(), id).overview().await?;
        let active = still_active(shared, tenant, id, overview.as_ref(), marks).await?;
        Ok(Self::new(record, overview, !active.is_empty()))
    }

    fn new(record: ThreadRecord, overview: Option<ThreadOverview>, has_active: bool) -> Self {
        let status = match overview.as_ref().map(|it| &it.status) {
            _ if has_active => ThreadStatus::Busy,
            None => ThreadStatus::Idle,
            Some(status) => status_word(status),
        };
        Self { record, overview, status }
    }

    pub(super) fn state_updated_at(&self) -> Millis {
        self.overview.as_ref().map_or(self.record.created_at, |it| it.updated_at)
    }

    pub(super) fn updated_at(&self) -> Millis {
        self.record.updated_at.max(self.state_updated_at())
    }

    /// Its values: the last result.
    pub(super) async fn values(&self, shared: &Shared, tenant: &Tenant) -> ApiResult<Value> {
        if self.overview.is_none() {
            return Ok(Value::Null);
        }
        let state = tenant.thread(shared.client(), self.record.thread_id).state().await?;
        Ok(state.map(|state| shown(&state.values)).unwrap_or_default())
    }

    /// What clients see, with these values.
    pub(super) fn show(self, values: Value) -> Thread {
        let (updated_at, state_updated_at) = (self.updated_at(), self.state_updated_at());
        let Self { record, overview, status } = self;
        Thread {
            thread_id: record.thread_id,
            created_at: Time(record.created_at),
            updated_at: Time(updated_at),
            state_updated_at: Time(state_updated_at),
            metadata: record.metadata,
            status,
            config: Object::new(),
            values,
            interrupts: overview.as_ref().map(questions).unwrap_or_default(),
            error: overview.as_ref().and_then(|it| fault(&it.status)),
            ttl: None,
            extracted: None,
        }
    }

    /// When it is removed by itself.
    pub(super) fn expiry(&self) -> Option<ThreadExpiry> {
        let rule = self.record.ttl?;
        let expires_at = Time(expires_at(rule, self.updated_at()));
        Some(ThreadExpiry { strategy: "delete", ttl_minutes: rule.ttl, expires_at })
    }
}

/// When a thread is removed that was changed last at a time.
pub(super) fn expires_at(ThreadTtl { ttl }: ThreadTtl, changed: Millis) -> Millis {
    const MINUTE_MS: f64 = 60_000.0;
    changed.plus((ttl * MINUTE_MS) as u64)
}

/// The thread as clients see it.
pub(super) async fn show(
    shared: &Shared,
    tenant: &Tenant,
    record: ThreadRecord,
) -> ApiResult<Thread> {
    let look = Look::at(shared, tenant, record).await?;
    let values = look.values(shared, tenant).await?;
    Ok(look.show(values))
}

fn status_word(status: &EngineStatus) -> ThreadStatus {
    match status {
        EngineStatus::Running => ThreadStatus::Busy,
        EngineStatus::Interrupted(_) | EngineStatus::Cancelled | EngineStatus::Pending => {
            ThreadStatus::Interrupted
        }
        EngineStatus::Failed(_) | EngineStatus::Parked(_) => ThreadStatus::Error,
        _ => ThreadStatus::Idle,
    }
}

fn fault(status: &EngineStatus) -> Option<ThreadFault> {
    let fault = |error: &str, message: String| ThreadFault { error: error.to_owned(), message };
    match status {
        EngineStatus::Failed(failure) => Some(fault(&failure.kind, failure.message.to_string())),
        EngineStatus::Parked(mismatch) => Some(fault("ReplayMismatch", mismatch.to_string())),
        EngineStatus::Cancelled => Some(fault("Cancelled", "the run was cancelled".to_owned())),
        _ => None,
    }
}

fn questions(overview: &ThreadOverview) -> BTreeMap<String, Vec<Question>> {
    let open: Vec<_> = overview.interrupts.iter().map(Question::new).collect();
    if open.is_empty() {
        return BTreeMap::new();
    }
    let task = task_id(overview).to_string();
    BTreeMap::from([(task, open)])
}
