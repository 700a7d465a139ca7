//! Doing what takes I/O: coordinators never wait for it themselves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::failure::Failure;
use rethread_core::ids::{CallId, ThreadKey};
use rethread_core::message::CacheSlot;
use rethread_core::payload::Payload;
use rethread_core::store::{StoreReply, StoreRequest};
use rethread_core::thread::{Job, JobOutcome};
use rethread_storage::{CacheKey, CacheLookup};

use crate::coordinator::CoordinatorMessage;
use crate::engine::Engine;
use crate::partition::slot::Phase;
use crate::partition::{OwnerMessage, OwnerState};
use crate::store::StoreTrouble;
use crate::tenure::Tenure;

/// Shortest and longest wait before a request to a storage that is out of reach is repeated.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A job that is done.
#[derive(Debug)]
pub(crate) struct Done {
    thread: ThreadKey,
    call: CallId,
    outcome: JobOutcome,
}

impl OwnerState {
    /// Begins jobs whose writes are durable; of a partition that is left the next owner does.
    pub(super) fn begin_jobs(&self, jobs: Vec<(ThreadKey, CallId, Job)>) {
        if self.is_leaving() {
            return;
        }
        for (thread, call, job) in jobs {
            let (engine, tenure) = (Arc::clone(&self.engine), Arc::clone(&self.tenure));
            let owner = self.myself.clone();
            tokio::spawn(async move {
                match perform(engine, &tenure, job).await {
                    // An owner that is gone has left the thread to the next one, which asks again.
                    Some(outcome) => {
                        let _ = owner.cast(OwnerMessage::Done(Done { thread, call, outcome }));
                    }
                    // It still writes what is decided.
                    None if tenure.is_left() => {}
                    // A renewal that was under way may revive the tenure. Nobody does the job any
                    // more, so the owner must not go on without it.
                    None => owner.stop(Some("lease ended before a job was done".into())),
                }
            });
        }
    }

    /// Tells the thread, if it is in memory. One that is loaded later asks again.
    pub(super) fn job_done(&mut self, done: Done) {
        let Done { thread, call, outcome } = done;
        let Some(slot) = self.slots.get(&thread) else { return };
        let (Phase::Here(actor) | Phase::Leaving(actor)) = &slot.phase else { return };
        // One that just ended is reported, and its thread is loaded again.
        let _ = actor.cast(CoordinatorMessage::Done(call, outcome));
        if self.engine.evict_after.is_zero() {
            self.ask_to_leave(thread);
        }
    }
}

/// Does a job. None once the lease has ended: somebody else does it.
async fn perform(engine: Arc<Engine>, tenure: &Tenure, job: Job) -> Option<JobOutcome> {
    // Never closed.
    let _permit = engine.jobs.acquire().await.ok()?;
    match job {
        Job::Store(request) => ask_store(&engine, tenure, request).await.map(JobOutcome::Store),
        Job::LookUpCache(slot) => Some(JobOutcome::LookedUp(look_up(&engine, &slot).await)),
        Job::FillCache(slot, value) => {
            fill(&engine, &slot, &value).await;
            Some(JobOutcome::Filled)
        }
    }
}

async fn ask_store(
    engine: &Engine,
    tenure: &Tenure,
    request: StoreRequest,
) -> Option<Result<StoreReply, Failure>> {
    let mut wait = WAITS.0;
    while tenure.is_live() {
        let error = match engine.store.ask(request.clone()).await {
            Ok(reply) => {
                engine.failures.store.worked();
                return Some(Ok(reply));
            }
            Err(StoreTrouble::Lasting(failure)) => return Some(Err(failure)),
            Err(StoreTrouble::Passing(error)) => error,
        };
        engine.failures.store.failed(&error);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAITS.1);
    }
    None
}

/// Looks for a result without taking over the duty to make it.
async fn look_up(engine: &Engine, slot: &CacheSlot) -> Option<Payload> {
    match engine.storage.look_up_cache(&key_of(slot), "", Duration::ZERO).await {
        Ok(CacheLookup::Hit(value)) => Some(Payload::from_bytes(value)),
        Ok(CacheLookup::Vacant | CacheLookup::Filling) => None,
        Err(error) => {
            engine.failures.cache.failed(&error);
            None
        }
    }
}

async fn fill(engine: &Engine, slot: &CacheSlot, value: &Payload) {
    let value = Bytes::copy_from_slice(value.as_bytes());
    let ttl = slot.ttl_ms.map(Duration::from_millis);
    match engine.storage.fill_cache(&key_of(slot), value, ttl).await {
        Ok(()) => engine.failures.cache.worked(),
        Err(error) => engine.failures.cache.failed(&error),
    }
}

fn key_of(slot: &CacheSlot) -> CacheKey {
    CacheKey { group: slot.group.clone(), entry: slot.entry.clone() }
}
