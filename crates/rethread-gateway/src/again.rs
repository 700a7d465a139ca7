//! Reading from the storage what the client has no name for.

use std::time::Duration;

use futures::future::BoxFuture;
use rethread_client::{Client, ClientError, StorageError};
use rethread_storage::Storage;
use tokio::time::{Instant, sleep};

use crate::error::{ApiError, ApiResult};

/// Pauses between attempts, from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Reads again and again while the storage cannot be reached, for as long as the client does.
pub(crate) async fn read<'c, T>(
    client: &'c Client,
    mut read: impl FnMut(&'c dyn Storage) -> BoxFuture<'c, Result<T, StorageError>>,
) -> ApiResult<T> {
    let began = Instant::now();
    let (mut pause, longest) = PAUSES;
    loop {
        match read(&**client.storage()).await {
            Ok(found) => return Ok(found),
            Err(StorageError::Unavailable { .. } | StorageError::Unknown { .. })
                if began.elapsed() < client.options().retry_for =>
            {
                sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
            Err(error) => return Err(ApiError::from(ClientError::from(error))),
        }
    }
}
