//! Making runs.

use std::time::Duration;

use axum::RequestPartsExt;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use futures::StreamExt;
use futures::future::{join, try_join, try_join4};
use rethread_client::{ClientError, EventKind, Refusal, RunOutcome};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::ending::RunName;
use super::later;
use super::model::{IfNotExists, MultitaskStrategy, OnCompletion, RunCreate};
use super::multitask;
use super::order::Order;
use crate::assistants;
use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};
use crate::extract::Path;
use crate::ids;
use crate::json::Object;
use crate::records::{ActiveRun, AssistantRecord, RunRecord, RunStatus, ThreadRecord};
use crate::shared::Shared;
use crate::threads;
use crate::times;
use crate::webhooks;

/// A run that was made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) name: RunName,
    pub(super) record: RunRecord,
    /// Whether nothing is kept of it.
    pub(super) is_passing: bool,
}

/// Where a run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Thread(Uuid),
    /// On a thread of its own, that has the same id as the run.
    Alone,
}

/// The thread that the path of a request names, if it names one.
impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let named = parts.extract::<Option<Path<Uuid>>>().await?;
        Ok(named.map_or(Self::Alone, |Path(thread)| Self::Thread(thread)))
    }
}

/// Wait before a request is sent again of which it is not known whether it was taken.
const SEND_AGAIN: Duration = Duration::from_secs(1);
const MISSING: &str = "Thread or assistant not found.";

/// Makes a run. It is made whole, also when whoever asks for it goes away meanwhile.
pub(crate) async fn create(
    shared: &Shared,
    tenant: &Tenant,
    place: Place,
    create: RunCreate,
) -> ApiResult<Made> {
    let (shared, tenant) = (shared.clone(), tenant.clone());
    let made = tokio::spawn(async move { make(&shared, &tenant, place, create).await });
    made.await.unwrap_or_else(|error| Err(ApiError::internal(error)))
}

async fn make(
    shared: &Shared,
    tenant: &Tenant,
    place: Place,
    create: RunCreate,
) -> ApiResult<Made> {
    webhooks::check(shared, create.webhook.as_deref())?;
    let (assistant, found) = try_join(
        assistants::resolve(shared, tenant, &create.assistant_id),
        find_thread(shared, tenant, place, create.if_not_exists),
    )
    .await?;
    let assistant = assistant.ok_or_else(|| unknown(&create.assistant_id))?;
    let run = Uuid::now_v7();
    let thread = match place {
        Place::Thread(thread) => thread,
        Place::Alone => run,
    };
    let name = RunName { tenant: tenant.clone(), thread, run };
    let metadata = metadata(&create, &assistant, found.as_ref());
    // Only where it makes a difference.
    let is_graph =
        create.names_nodes() && assistants::is_graph(shared, &assistant.graph_id).await?;
    let order = Order::new(&create, &assistant, &metadata, is_graph)?;
    let order = match place {
        Place::Thread(_) => meet_others(shared, &name, &create, order).await?,
        Place::Alone => order,
    };
    let is_passing = place == Place::Alone && create.on_completion == OnCompletion::Delete;
    let now = times::now();
    let record = RunRecord {
        run_id: run,
        thread_id: thread,
        assistant_id: assistant.assistant_id,
        metadata,
        status: RunStatus::Pending,
        kwargs: create.kwargs(is_passing),
        multitask_strategy: create.multitask_strategy.name().to_owned(),
        created_at: now,
        updated_at: now,
    };
    let records = shared.records();
    let (runs, active) = (records.runs(tenant, thread), records.active(tenant, thread));
    let tenant_name = tenant.name().map(str::to_owned);
    let mark = ActiveRun { tenant: tenant_name, thread_id: thread, run_id: run, created_at: now };
    let noted = try_join4(
        active.put(run, &mark),
        runs.put(run, &record),
        async {
            match is_passing {
                true => Ok(()),
                false => note_thread(shared, &name, &create, &assistant, found).await,
            }
        },
        async {
            match is_passing {
                true => later::pass(shared, &name, false).await,
                false => Ok(()),
            }
        },
    )
    .await;
    if let Err(error) = noted {
        forget(shared, &name).await;
        return Err(error);
    }
    begin(shared, &name, &create, order).await?;
    Ok(Made { name, record, is_passing })
}

/// Makes way for the run, and looks at where it starts, where one of these needs it.
async fn meet_others(
    shared: &Shared,
    name: &RunName,
    create: &RunCreate,
    order: Order,
) -> ApiResult<Order> {
    let strategy = create.multitask_strategy;
    if strategy == MultitaskStrategy::Enqueue && !order.names_a_checkpoint() {
        return Ok(order);
    }
    let overview = name.engine(shared).overview().await?;
    if strategy != MultitaskStrategy::Enqueue {
        multitask::make_way(shared, name, strategy, overview.as_ref()).await?;
    }
    Ok(order.unless_newest(overview.map(|it| it.checkpoint)))
}

/// Sends the request, now or later. One that was not taken leaves nothing behind.
async fn begin(shared: &Shared, name: &RunName, create: &RunCreate, order: Order) -> ApiResult<()> {
    let engine = name.engine(shared);
    let delay = create.after_seconds.millis();
    let begun = match delay {
        Some(delay) => later::delay(shared, name, order, times::now().plus(delay)).await,
        None => match send(shared, name, &order).await? {
            Ok(()) if create.multitask_strategy == MultitaskStrategy::Reject => {
                refuse_if_busy(shared, name).await
            }
            sent => sent,
        },
    };
    if let Err(error) = begun {
        forget(shared, name).await;
        return Err(error);
    }
    shared.notices().tell(shared.client(), engine.id());
    Ok(())
}

/// Sends the request until it is known whether it was taken: a client that is told to come back
/// would make another run. The inner error says that it was not taken.
///
/// # Errors
/// 409 when that is still not known when the gateway stops.
async fn send(shared: &Shared, name: &RunName, order: &Order) -> ApiResult<ApiResult<()>> {
    let engine = name.engine(shared);
    let mut draining = shared.draining();
    let mut may_be_taken = false;
    loop {
        let Err(error) = order.send(&engine, name.run).await else { return Ok(Ok(())) };
        may_be_taken |= matches!(error, ClientError::Unconfirmed { .. });
        let is_known =
            matches!(error, ClientError::Refused(_) | ClientError::CheckpointNotFound { .. });
        if !may_be_taken || is_known {
            return Ok(Err(error.into()));
        }
        let run = name.run;
        tracing::warn!(run_id = %run, %error, "it is not known whether a run was taken");
        tokio::select! {
            () = tokio::time::sleep(SEND_AGAIN) => {}
            _ = draining.wait_for(|is_draining| *is_draining) => {
                return Err(ApiError::conflict(format_args!(
                    "it is not known whether run {run} was taken: look for it before another try"
                )));
            }
        }
    }
}

/// Removes the records of a run that was not taken. That they may stay is not worth an error: a
/// run that is nowhere is noted as over by whoever looks for it.
async fn forget(shared: &Shared, RunName { tenant, thread, run }: &RunName) {
    let records = shared.records();
    let (runs, active) = (records.runs(tenant, *thread), records.active(tenant, *thread));
    let (record, mark) = join(runs.delete(run), active.delete(run)).await;
    if let Err(error) = record.and(mark) {
        tracing::warn!(run_id = %run, detail = error.detail(), "the record of a run stays");
    }
}

/// Whether the engine met another run in progress after all: several were made at once.
async fn refuse_if_busy(shared: &Shared, name: &RunName) -> ApiResult<()> {
    let mut events = name.engine(shared).run(ids::run(name.run)).events();
    let first = timeout(shared.options().coordinator_time, events.next()).await;
    // It was taken, whatever keeps it from being read, and whenever it begins.
    match first.ok().flatten().and_then(Result::ok).map(|event| event.kind) {
        Some(EventKind::RunEnded(RunOutcome::Refused(Refusal::Busy { .. }))) => {
            Err(multitask::busy())
        }
        _ => Ok(()),
    }
}

async fn find_thread(
    shared: &Shared,
    tenant: &Tenant,
    place: Place,
    if_not_exists: IfNotExists,
) -> ApiResult<Option<ThreadRecord>> {
    let Place::Thread(thread) = place else { return Ok(None) };
    match threads::require(shared, tenant, thread).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => match if_not_exists {
            IfNotExists::Create => Ok(None),
            IfNotExists::Reject => Err(ApiError::not_found(MISSING)),
        },
        Err(error) => Err(error),
    }
}

fn unknown(assistant: &str) -> ApiError {
    match Uuid::try_parse(assistant) {
        Ok(_) => ApiError::not_found(MISSING),
        Err(_) => ApiError::invalid(format_args!(
            "Graph '{assistant}' not found: no coordinator knows an entrypoint of this name"
        )),
    }
}

/// The facts about a run: those of its thread, its assistant and the request, the last one
/// winning.
fn metadata(
    create: &RunCreate,
    assistant: &AssistantRecord,
    thread: Option<&ThreadRecord>,
) -> Object {
    let mut all = thread.map(|it| it.metadata.clone()).unwrap_or_default();
    all.extend(assistant.metadata.clone());
    all.extend(create.config.metadata.clone());
    all.extend(create.metadata.clone());
    all.extend(stamp(assistant));
    all
}

/// What a thread and a run tell of their assistant.
fn stamp(assistant: &AssistantRecord) -> Object {
    Object::from_iter([
        ("graph_id".to_owned(), json!(assistant.graph_id)),
        ("assistant_id".to_owned(), json!(assistant.assistant_id)),
    ])
}

/// Makes the thread if it is missing, and notes which assistant runs on it.
async fn note_thread(
    shared: &Shared,
    name: &RunName,
    create: &RunCreate,
    assistant: &AssistantRecord,
    found: Option<ThreadRecord>,
) -> ApiResult<()> {
    let stamp = stamp(assistant);
    let has = |record: &ThreadRecord, (key, value): (&String, &Value)| {
        record.metadata.get(key) == Some(value)
    };
    if found.as_ref().is_some_and(|record| stamp.iter().all(|fact| has(record, fact))) {
        return Ok(());
    }
    let make = || found.unwrap_or_else(|| ThreadRecord::new(name.thread, create.metadata.clone()));
    let threads = shared.records().threads(&name.tenant);
    let stamped = threads.upsert(name.thread, make, |record| {
        record.merge(stamp);
        Ok(())
    });
    stamped.await.map(drop)
}
