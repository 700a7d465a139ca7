//! Turns at changing a record that several gateways may change.
//!
//! The store has no conditional write. What the storage does have is a duty that one of many takes
//! over at once: to make a cached value. Whoever changes a record takes over the duty for its name,
//! and gives it up afterwards; no value is ever made.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use rethread_client::{Client, ClientError};
use rethread_storage::{CacheKey, CacheLookup, ItemName};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};

/// The group of the duties.
const GROUP: &str = "@http/changes";
/// How long a turn lasts that is not given up: a gateway that stands still for longer between its
/// read and its write may take back what another has written meanwhile.
const LASTS: Duration = Duration::from_secs(10);
/// How long a turn is waited for.
const WAITS: Duration = Duration::from_secs(20);
/// Wait between two looks, and the longest, which it grows to.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// A turn; it is given up when this is dropped, if not before.
#[derive(Debug)]
pub(super) struct Turn {
    client: Client,
    key: CacheKey,
    holder: String,
    is_over: bool,
}

impl Turn {
    /// Waits for the turn at a record.
    ///
    /// # Errors
    /// 503 when others have it all the time, and when the storage cannot be asked.
    pub(super) async fn at(client: &Client, name: &ItemName) -> ApiResult<Self> {
        let entry = Bytes::copy_from_slice(&Sha256::digest(name.to_sortable()));
        let key = CacheKey { group: GROUP.to_owned(), entry };
        // Made first, so that a turn is given up also where the request is dropped meanwhile.
        let holder = Uuid::now_v7().to_string();
        let turn = Self { client: client.clone(), key, holder, is_over: false };
        let began = Instant::now();
        let (mut pause, longest) = PAUSES;
        loop {
            let found = client.storage().look_up_cache(&turn.key, &turn.holder, LASTS).await;
            if found.map_err(ClientError::from)? == CacheLookup::Vacant {
                return Ok(turn);
            }
            if began.elapsed() > WAITS {
                return Err(ApiError::busy(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the record is changed by others all the time; try again later",
                    1,
                ));
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

impl Turn {
    /// Gives it up.
    pub(super) async fn end(mut self) {
        give_up(&self.client, &self.key, &self.holder).await;
        self.is_over = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (client, key) = (self.client.clone(), self.key.clone());
        let holder = std::mem::take(&mut self.holder);
        runtime.spawn(async move { give_up(&client, &key, &holder).await });
    }
}

async fn give_up(client: &Client, key: &CacheKey, holder: &str) {
    if let Err(error) = client.storage().abandon_cache(key, holder).await {
        tracing::debug!(%error, "a turn at a record was not given up; it ends by itself");
    }
}
