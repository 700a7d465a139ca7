//! Waiting for what only a coordinator can do, and noticing that there is none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use rethread_client::{ClientError, Thread};
use rethread_core::ids::PartitionId;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{ApiError, ApiResult};
use crate::shared::Shared;

/// How long it is known whether a partition has an owner.
const FRESH: Duration = Duration::from_secs(2);
/// Wait between two looks for an owner.
const LOOK: Duration = Duration::from_millis(250);

/// What is known of the owners of partitions.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// When a partition was looked at, and whether it had an owner.
    seen: Mutex<HashMap<PartitionId, (Instant, bool)>>,
}

impl Owners {
    fn remembered(&self, partition: PartitionId) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, is_owned) = seen.get(&partition)?;
        (at.elapsed() < FRESH).then_some(*is_owned)
    }

    fn remember(&self, partition: PartitionId, is_owned: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(partition, (Instant::now(), is_owned));
    }
}

/// Whether a coordinator is there for a thread.
async fn is_there(shared: &Shared, thread: &Thread, is_fresh: bool) -> ApiResult<bool> {
    let storage = shared.client().storage();
    let partition = thread.id().key().partition(storage.partitions());
    let owners = shared.owners();
    if let Some(is_owned) = owners.remembered(partition).filter(|is_owned| *is_owned || !is_fresh) {
        return Ok(is_owned);
    }
    let status = storage.partition_status(partition).await.map_err(ClientError::from)?;
    owners.remember(partition, status.owner.is_some());
    Ok(status.owner.is_some())
}

/// Has a coordinator do something with a thread, which is waited for as long as the operator allows
/// ([`coordinator_time`](crate::GatewayOptions::coordinator_time)).
///
/// # Errors
/// 503 when there is no coordinator: nothing was asked for. 504 when it does not answer: it may
/// still do it.
pub(crate) async fn ask<T>(
    shared: &Shared,
    thread: &Thread,
    work: impl IntoFuture<Output = Result<T, ClientError>>,
) -> ApiResult<Result<T, ClientError>> {
    let most = shared.options().coordinator_time;
    let began = Instant::now();
    while !is_there(shared, thread, true).await? {
        if began.elapsed() >= most {
            return Err(missing(most));
        }
        sleep(LOOK.min(most)).await;
    }
    timeout(most, work).await.map_err(|_| {
        let detail = format!(
            "no coordinator has done it within {} ms; one may still do it: look before another try",
            most.as_millis(),
        );
        ApiError::busy(StatusCode::GATEWAY_TIMEOUT, detail, 5)
    })
}

/// Ends when there was no coordinator for a thread for so long that whoever waits for one of its
/// runs should hear of it. The run is kept, and goes on when there is one.
pub(crate) async fn gone(shared: &Shared, thread: &Thread) -> ApiError {
    let most = shared.options().coordinator_time;
    let look = (most / 4).max(LOOK);
    let mut seen = Instant::now();
    loop {
        sleep(look).await;
        // While the storage is away nobody can say so, and whoever waits notices by itself.
        if is_there(shared, thread, false).await.unwrap_or(true) {
            seen = Instant::now();
        } else if seen.elapsed() >= most {
            return missing(most);
        }
    }
}

fn missing(waited: Duration) -> ApiError {
    let detail = format!(
        "no coordinator was there for {} ms: start one for this namespace, and try again",
        waited.as_millis(),
    );
    ApiError::busy(StatusCode::SERVICE_UNAVAILABLE, detail, 5)
}
