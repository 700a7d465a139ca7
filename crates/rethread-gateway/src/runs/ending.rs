//! How runs end, and what is done about it.

use futures::StreamExt;
use rethread_client::{ClientError, EventKind, RunOutcome, Thread, ThreadStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use super::later;
use crate::assistants;
use crate::caller::Tenant;
use crate::error::ApiResult;
use crate::ids;
use crate::json::{show, shown};
use crate::records::{RunRecord, RunStatus};
use crate::shared::Shared;
use crate::sse::{asked, error_frame, interrupts, merged};
use crate::standing::{self, Standing};
use crate::threads;
use crate::times;
use crate::webhooks;

/// Names a run.
#[derive(Debug, Clone)]
pub(crate) struct RunName {
    pub(crate) tenant: Tenant,
    pub(crate) thread: Uuid,
    pub(crate) run: Uuid,
}

impl RunName {
    pub(crate) fn engine(&self, shared: &Shared) -> Thread {
        self.tenant.thread(shared.client(), self.thread)
    }
}

/// How a run ended, as far as that is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    Known(Box<RunOutcome>),
    /// Its events are no longer kept, or it never was.
    Forgotten,
}

impl Ending {
    pub(crate) fn outcome(&self) -> Option<&RunOutcome> {
        match self {
            Self::Known(outcome) => Some(outcome),
            Self::Forgotten => None,
        }
    }
}

/// Waits for the end of a run, or of the run in progress that its answers were given to.
///
/// # Cancel safety
/// Dropping the future changes nothing.
pub(super) async fn wait(shared: &Shared, name: &RunName) -> ApiResult<Ending> {
    let engine = name.engine(shared);
    let mut run = ids::run(name.run);
    loop {
        let mut events = engine.run(run).events();
        let mut joined = None;
        while let Some(event) = events.next().await {
            match event.map(|event| event.kind) {
                Ok(EventKind::RunEnded(RunOutcome::Joined(other))) => joined = Some(other),
                Ok(EventKind::RunEnded(outcome)) => return Ok(Ending::Known(Box::new(outcome))),
                Ok(_) => {}
                Err(ClientError::EventsGone { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        match joined {
            Some(other) => run = other,
            None if later::is_waiting(shared, name).await? => {}
            None => return Ok(Ending::Forgotten),
        }
    }
}

/// The same of a run that may be long over: then only its last events are read.
pub(super) async fn wait_or_look(shared: &Shared, name: &RunName) -> ApiResult<Ending> {
    match standing::of(&name.engine(shared), ids::run(name.run)).await? {
        Standing::Ended { outcome, .. } if !matches!(*outcome, RunOutcome::Joined(_)) => {
            Ok(Ending::Known(outcome))
        }
        Standing::Pending if !later::begins(shared, name).await? => Ok(Ending::Forgotten),
        _ => wait(shared, name).await,
    }
}

/// What a client that waits for a run is given.
pub(crate) async fn result(shared: &Shared, name: &RunName, ending: &Ending) -> ApiResult<Value> {
    let Ending::Known(outcome) = ending else {
        return match lost(shared, name).await? {
            Some(error) => Ok(json!({ "__error__": error })),
            None => values(shared, name).await,
        };
    };
    Ok(match &**outcome {
        RunOutcome::Done(value) => show(value),
        RunOutcome::Interrupted(open) => {
            beside_values(shared, name, interrupts(&asked(open))).await?
        }
        RunOutcome::Edited(_) => values(shared, name).await?,
        outcome => match error_frame(outcome) {
            Some(error) => json!({ "__error__": error }),
            None => json!({}),
        },
    })
}

/// What is told of a run with an error of which nothing is known; none if it has none.
pub(super) async fn lost(shared: &Shared, name: &RunName) -> ApiResult<Option<Value>> {
    let runs = shared.records().runs(&name.tenant, name.thread);
    let status = runs.get(name.run).await?.map(|record| record.status);
    let error = json!({
        "error": "NotFound",
        "message": "the run could not begin, or what happened in it is no longer kept",
    });
    Ok((status == Some(RunStatus::Error)).then_some(error))
}

/// The questions of a graph stand beside its values.
async fn beside_values(shared: &Shared, name: &RunName, asked: Value) -> ApiResult<Value> {
    let Some(overview) = name.engine(shared).overview().await? else { return Ok(asked) };
    if !assistants::is_graph(shared, &overview.entrypoint).await? {
        return Ok(asked);
    }
    Ok(merged(values(shared, name).await?, asked))
}

/// The values of the thread.
async fn values(shared: &Shared, name: &RunName) -> ApiResult<Value> {
    let state = name.engine(shared).state().await?;
    Ok(state.map(|state| shown(&state.values)).unwrap_or_else(|| json!({})))
}

/// Notes how a run ended, and tells those who asked to be told. Doing it twice does no harm.
pub(super) async fn note(shared: &Shared, name: &RunName, ending: &Ending) -> ApiResult<()> {
    let RunName { tenant, thread, run } = name;
    match ending {
        Ending::Known(outcome) => {
            threads::note_end(shared, tenant, *thread, *run, outcome).await?;
        }
        Ending::Forgotten => note_forgotten(shared, name).await?,
    }
    webhooks::tell(shared, name, ending).await
}

/// Notes the end of a run whose events are gone, as far as the thread tells it.
async fn note_forgotten(shared: &Shared, name: &RunName) -> ApiResult<()> {
    let RunName { tenant, thread, run } = name;
    let overview = name.engine(shared).overview().await?;
    let status = match overview.filter(|it| it.run == ids::run(*run)).map(|it| it.status) {
        Some(ThreadStatus::Idle | ThreadStatus::Interrupted(_)) => RunStatus::Success,
        Some(ThreadStatus::Cancelled) => RunStatus::Interrupted,
        _ => RunStatus::Error,
    };
    let note = |record: &mut RunRecord| {
        if !record.status.is_over() {
            record.status = status;
            record.updated_at = times::now();
        }
        Ok(())
    };
    shared.records().runs(tenant, *thread).update(run, note).await?;
    shared.records().active(tenant, *thread).delete(run).await
}
