//! Making a cached result: of equal calls that run at the same time, one runs its body, and the
//! others wait for what it gives.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::message::{CacheSlot, Target};
use rethread_core::payload::Payload;
use rethread_storage::{CacheKey, CacheLookup, StorageError};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::worker::side::WorkerSide;

/// How long others wait for a holder that says nothing more.
const HOLD: Duration = Duration::from_secs(10);
/// How often the cache is told of a result, or of a duty given up, and the first pause between:
/// it may be away for a moment, and then others would wait for the rest of the hold.
const TELLS_MAX: u32 = 6;
const TELL_WAIT: Duration = Duration::from_millis(100);

/// The duty to make one cached result, or the wish for it. Given up when it is dropped.
#[derive(Debug)]
pub(super) struct Duty {
    side: Arc<WorkerSide>,
    key: CacheKey,
    ttl: Option<Duration>,
    holder: String,
    extending: Option<JoinHandle<()>>,
    /// Whether the entry may be held in our name.
    may_hold: bool,
}

/// What the cache says.
#[derive(Debug)]
pub(super) enum Answer {
    /// Here is the result.
    Found(Payload),
    /// The result is to be made here.
    Ours,
    /// Another is making the result.
    Taken,
    /// Nothing: it cannot be asked.
    Unknown,
}

impl Duty {
    pub(super) fn new(side: &Arc<WorkerSide>, slot: &CacheSlot, target: &Target) -> Self {
        let key = CacheKey { group: slot.group.clone(), entry: slot.entry.clone() };
        let ttl = slot.ttl_ms.map(Duration::from_millis);
        let holder = holder(target);
        Self { side: Arc::clone(side), key, ttl, holder, extending: None, may_hold: false }
    }

    /// Asks for the result, or for the duty to make it, which then is ours until this is dropped.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it open whose duty it is; dropping `self` settles it.
    pub(super) async fn ask(&mut self) -> Answer {
        self.may_hold = true;
        match self.side.storage.look_up_cache(&self.key, &self.holder, HOLD).await {
            Ok(answer) => {
                self.side.cache_failures.worked();
                self.may_hold = answer == CacheLookup::Vacant;
                match answer {
                    CacheLookup::Hit(value) => Answer::Found(Payload::from_bytes(value)),
                    CacheLookup::Vacant => {
                        self.extend();
                        Answer::Ours
                    }
                    CacheLookup::Filling => Answer::Taken,
                }
            }
            Err(error) => {
                self.side.cache_failures.failed(&error);
                Answer::Unknown
            }
        }
    }

    /// Keeps the duty for as long as the body runs, also while the body blocks its thread.
    fn extend(&mut self) {
        let (side, key, holder) = (Arc::clone(&self.side), self.key.clone(), self.holder.clone());
        let extending = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HOLD / 3).await;
                match side.storage.look_up_cache(&key, &holder, HOLD).await {
                    Ok(CacheLookup::Vacant) => side.cache_failures.worked(),
                    // It was too late. The result is made all the same: the newest one stands.
                    Ok(CacheLookup::Hit(_) | CacheLookup::Filling) => return,
                    Err(error) => side.cache_failures.failed(&error),
                }
            }
        });
        self.stop_extending();
        self.extending = Some(extending);
    }

    /// Puts the result into the cache, where it is before anybody gets it (D23).
    pub(super) async fn fill(mut self, value: &Payload) {
        self.stop_extending();
        let value = Bytes::copy_from_slice(value.as_bytes());
        let storage = &self.side.storage;
        match tell(|| storage.fill_cache(&self.key, value.clone(), self.ttl)).await {
            Ok(()) => {
                self.may_hold = false;
                self.side.cache_failures.worked();
            }
            Err(error) => {
                tracing::warn!(%error, "a result could not be put into the cache");
            }
        }
    }

    /// Gives the duty to whoever wants it.
    pub(super) async fn abandon(mut self) {
        self.stop_extending();
        self.may_hold = false;
        abandon(&self.side, &self.key, &self.holder).await;
    }

    /// Leaves the duty to another attempt of the same call, which has the same name.
    pub(super) fn leave(mut self) {
        self.stop_extending();
        self.may_hold = false;
    }

    fn stop_extending(&mut self) {
        if let Some(extending) = self.extending.take() {
            extending.abort();
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.stop_extending();
        if !self.may_hold {
            return;
        }
        // Without a runtime the hold runs out by itself.
        let Ok(runtime) = Handle::try_current() else { return };
        let (side, key) = (Arc::clone(&self.side), self.key.clone());
        let holder = std::mem::take(&mut self.holder);
        runtime.spawn(async move { abandon(&side, &key, &holder).await });
    }
}

/// Tells the cache something, again if it cannot be reached.
async fn tell<F>(mut attempt: impl FnMut() -> F) -> rethread_storage::Result<()>
where
    F: Future<Output = rethread_storage::Result<()>>,
{
    let mut wait = TELL_WAIT;
    for _ in 1..TELLS_MAX {
        match attempt().await {
            Err(StorageError::Unavailable { .. } | StorageError::Unknown { .. }) => {}
            told => return told,
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    attempt().await
}

async fn abandon(side: &WorkerSide, key: &CacheKey, holder: &str) {
    if let Err(error) = tell(|| side.storage.abandon_cache(key, holder)).await {
        // The hold runs out by itself.
        side.cache_failures.failed(&error);
    }
}

/// A further attempt of the same call takes the duty over at once: of one whose worker has died,
/// nobody waits for the end of the hold.
fn holder(target: &Target) -> String {
    format!("{}/{}", target.execution, target.call)
}
