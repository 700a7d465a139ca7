//! Whether a service lives and can work, with the reasons if not.

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use super::meters::Operation;
use super::server::{Shared, Stage, Watched};

/// How long the storage may take to answer.
const STORAGE_MAX: Duration = Duration::from_secs(2);
/// How long the engine may be busy with one thing before it counts as hung.
const ENGINE_MAX: Duration = Duration::from_secs(5);

/// What is answered to a probe.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    /// Whether all checks hold.
    pub(super) is_ok: bool,
    pub(super) checks: Vec<Check>,
}

/// One thing that must hold.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    name: &'static str,
    is_ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Check {
    fn new(name: &'static str, result: Result<(), String>) -> Self {
        Self { name, is_ok: result.is_ok(), reason: result.err() }
    }
}

impl From<Vec<Check>> for Health {
    fn from(checks: Vec<Check>) -> Self {
        Self { is_ok: checks.iter().all(|check| check.is_ok), checks }
    }
}

/// Whether the process is of use at all. While it starts and drains it is.
pub(super) async fn live(shared: &Shared) -> Health {
    let Stage::Running(watched) = shared.stage() else { return Vec::new().into() };
    vec![engine(&watched).await].into()
}

/// Whether it has been ready once.
pub(super) fn started(shared: &Shared) -> Health {
    vec![Check::new("startup", startup(shared))].into()
}

/// Whether it can work now.
pub(super) async fn ready(shared: &Shared) -> Health {
    let started = Check::new("startup", startup(shared));
    let Stage::Running(watched) = shared.stage() else { return vec![started].into() };
    let is_draining = shared.is_draining() || watched.probe.status().is_draining;
    let draining = if is_draining { Err("told to stop".to_owned()) } else { Ok(()) };
    let mut checks = vec![started, Check::new("draining", draining)];
    if is_draining {
        return checks.into();
    }
    checks.push(engine(&watched).await);
    checks.push(Check::new("storage", storage(&watched).await));
    if watched.service.coordinates {
        checks.push(Check::new("leases", leases(&watched)));
    }
    if watched.service.works {
        checks.push(Check::new("heartbeat", heartbeat(&watched)));
    }
    checks.into()
}

fn startup(shared: &Shared) -> Result<(), String> {
    match shared.stage() {
        Stage::Starting(what) => Err(format!("starting: {what}")),
        Stage::Running(watched) if !watched.probe.status().is_ready => {
            Err("starting: asking for partitions and reading what is in progress in them".into())
        }
        Stage::Running(_) => Ok(()),
    }
}

async fn engine(watched: &Watched) -> Check {
    let hangs = "an entrypoint holds up the thread that drives all of them: look for blocking or \
                 endless work outside of tasks";
    let responsive = watched.probe.is_responsive(ENGINE_MAX).await;
    // A node that ends stops its thread first.
    let is_ok = responsive || watched.probe.status().is_draining;
    Check::new("engine", if is_ok { Ok(()) } else { Err(hangs.into()) })
}

async fn storage(watched: &Watched) -> Result<(), String> {
    match timeout(STORAGE_MAX, watched.storage.check_health()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", STORAGE_MAX.as_secs())),
    }
}

fn leases(watched: &Watched) -> Result<(), String> {
    if watched.probe.status().partitions.is_empty() {
        return Ok(());
    }
    let ttl = watched.service.lease_ttl;
    match watched.meters.age(Operation::Renew) {
        Some(age) if age > ttl * 2 / 3 => Err(format!(
            "leases were not renewed for {} ms; they are lost after {} ms",
            age.as_millis(),
            ttl.as_millis()
        )),
        _ => Ok(()),
    }
}

fn heartbeat(watched: &Watched) -> Result<(), String> {
    let limit = watched.service.dead_after;
    match watched.meters.age(Operation::Heartbeat) {
        Some(age) if age > limit => Err(format!(
            "no heartbeat for {} ms: others take its tasks over after {} ms",
            age.as_millis(),
            limit.as_millis()
        )),
        _ => Ok(()),
    }
}
