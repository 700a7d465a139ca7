//! Telling others that a run is over.
//!
//! Off unless the operator allows hosts: whoever may start runs could make the gateway ask
//! anything of what it can reach. Also then only named hosts are asked, never addresses of this
//! machine or of its network, over https, without following redirects.

mod rules;
mod secret;
mod send;

use std::time::Duration;

use bytes::Bytes;
use rethread_client::{ClientError, EventKind, Millis};
use rethread_storage::{CacheKey, CacheLookup};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::json::Object;
use crate::records::RunRecord;
use crate::runs::{Ending, Run, RunName, result};
use crate::shared::Shared;
use crate::sse::error_frame;
use crate::times;

pub use rules::WebhookRules;
pub use secret::{InvalidWebhookSecret, WebhookSecret};

/// The claims of those who tell: who sees the end of a run first tells it.
const CLAIMS: &str = "@http/webhooks";
/// How long somebody may take to tell.
const CLAIM_LASTS: Duration = Duration::from_secs(60);
/// How long it is known that it was told.
const TOLD_LASTS: Duration = Duration::from_secs(24 * 3_600);

/// Whether a run may have this webhook.
///
/// # Errors
/// 422 if not.
pub(crate) fn check(shared: &Shared, webhook: Option<&str>) -> ApiResult<()> {
    let Some(url) = webhook else { return Ok(()) };
    let rules = shared.options().webhooks.as_ref().ok_or_else(|| {
        ApiError::invalid("webhook: webhooks are turned off; the operator may allow hosts for them")
    })?;
    let allowed = rules.allow(url).map_err(|why| ApiError::invalid(format_args!("webhook: {why}")));
    allowed.map(drop)
}

/// Tells that a run is over, if that was asked for and nobody has done so.
pub(crate) async fn tell(shared: &Shared, name: &RunName, ending: &Ending) -> ApiResult<()> {
    let Some(rules) = &shared.options().webhooks else { return Ok(()) };
    let runs = shared.records().runs(&name.tenant, name.thread);
    let Some(record) = runs.get(name.run).await? else { return Ok(()) };
    let Some(url) = record.kwargs.get("webhook").and_then(Value::as_str) else { return Ok(()) };
    let Ok(url) = rules.allow(url) else { return Ok(()) };
    if !claim(shared, name).await? {
        return Ok(());
    }
    let body = body(shared, name, record, ending).await?;
    if let Err(error) = send::post(rules, &url, name.run, &body).await {
        tracing::warn!(run_id = %name.run, %error, "a webhook could not be told of a run");
    }
    told(shared, name).await
}

fn key(name: &RunName) -> CacheKey {
    let entry = Bytes::copy_from_slice(name.run.as_bytes());
    CacheKey { group: CLAIMS.to_owned(), entry }
}

/// Whether it is on the caller to tell.
async fn claim(shared: &Shared, name: &RunName) -> ApiResult<bool> {
    let holder = Uuid::now_v7().to_string();
    let storage = shared.client().storage();
    let found = storage.look_up_cache(&key(name), &holder, CLAIM_LASTS).await;
    Ok(found.map_err(ClientError::from)? == CacheLookup::Vacant)
}

async fn told(shared: &Shared, name: &RunName) -> ApiResult<()> {
    let storage = shared.client().storage();
    let filled = storage.fill_cache(&key(name), Bytes::new(), Some(TOLD_LASTS)).await;
    Ok(filled.map_err(ClientError::from)?)
}

/// What is told: the run, when it was, and what came of it.
async fn body(
    shared: &Shared,
    name: &RunName,
    record: RunRecord,
    ending: &Ending,
) -> ApiResult<Value> {
    let (began, ended) = span(shared, name).await?;
    let mut body = match serde_json::to_value(Run::from(record))? {
        Value::Object(members) => members,
        _ => Object::new(),
    };
    for (member, value) in [
        ("run_started_at", json!(began.map(times::text))),
        ("run_ended_at", json!(ended.map(times::text))),
        ("webhook_sent_at", json!(times::text(times::now()))),
        ("values", result(shared, name, ending).await?),
    ] {
        body.insert(member.to_owned(), value);
    }
    if let Some(error) = ending.outcome().and_then(error_frame) {
        body.insert("error".to_owned(), error);
    }
    Ok(Value::Object(body))
}

/// When the run began and ended.
async fn span(shared: &Shared, name: &RunName) -> ApiResult<(Option<Millis>, Option<Millis>)> {
    let (engine, run) = (name.engine(shared), ids::run(name.run));
    let (mut began, mut ended, mut last) = (None, None, 0);
    loop {
        let events = shared.client().admin().events(engine.id(), run, last).await?;
        let Some(newest) = events.last() else { return Ok((began, ended)) };
        last = newest.seq;
        for event in events {
            match event.kind {
                EventKind::RunStarted { .. } => began = Some(event.at),
                EventKind::RunEnded(_) => ended = Some(event.at),
                _ => {}
            }
        }
    }
}
