//! Giving leases back, beside everything else that a lease keeper does.

use std::sync::Arc;
use std::time::Duration;

use ractor::RpcReplyPort;
use rethread_storage::{Lease, Storage};
use tokio::time::timeout;

/// How often a release is tried before the lease is left to run out.
const TRIES: u32 = 3;
/// Wait before a release that failed is repeated.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The releases under way. Nothing waits for them but who asks to.
#[derive(Debug)]
pub(crate) struct Releases {
    storage: Arc<dyn Storage>,
    /// Longest wait for one request.
    patience: Duration,
    under_way: usize,
    /// Who waits until there are none.
    waiting: Option<RpcReplyPort<()>>,
}

impl Releases {
    pub(crate) fn new(storage: Arc<dyn Storage>, patience: Duration) -> Self {
        Self { storage, patience, under_way: 0, waiting: None }
    }

    /// Begins to release; `tell` is told whether it was done, and leads to a call of
    /// [`Releases::ended`].
    pub(crate) fn begin(&mut self, lease: Lease, tell: impl FnOnce(bool) + Send + 'static) {
        self.under_way += 1;
        let (storage, patience) = (Arc::clone(&self.storage), self.patience);
        tokio::spawn(async move { tell(release(&*storage, patience, lease).await) });
    }

    /// One has come to its end.
    pub(crate) fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Somebody waits until none is under way.
    pub(crate) fn wait(&mut self, reply: RpcReplyPort<()>) {
        self.waiting = Some(reply);
    }

    /// Who waited, once none is under way.
    pub(crate) fn take_waiting(&mut self) -> Option<RpcReplyPort<()>> {
        if self.under_way == 0 { self.waiting.take() } else { None }
    }
}

/// Says whether it was done. If not, the lease expires.
async fn release(storage: &dyn Storage, patience: Duration, lease: Lease) -> bool {
    let partition = lease.partition;
    for attempt in 1..=TRIES {
        let reason = match timeout(patience, storage.release(&lease)).await {
            Ok(Ok(())) => {
                tracing::debug!(%partition, "partition handed over");
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        if attempt < TRIES {
            tracing::debug!(%partition, attempt, reason, "cannot release, trying again");
            tokio::time::sleep(TRY_AGAIN).await;
        } else {
            tracing::warn!(%partition, reason, "cannot release a partition; its lease expires");
        }
    }
    false
}
