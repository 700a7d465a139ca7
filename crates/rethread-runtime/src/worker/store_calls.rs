//! What a task body asks of the store: done here and at once, beside the body.

use std::collections::HashMap;
use std::sync::Arc;

use rethread_core::failure::Failure;
use rethread_core::ids::{CallId, ThreadId};
use rethread_core::payload::Payload;
use rethread_core::replay::{Outcome, SlotIndex, panic_failure};
use rethread_core::store::StoreRequest;
use rethread_core::tenant::Part;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::store::ended_without_answer;
use crate::worker::side::WorkerSide;

/// The requests of one attempt that have no answer yet. They end with it.
#[derive(Debug)]
pub(super) struct StoreCalls {
    /// What the body sees of the store.
    part: Part,
    requests: JoinSet<Outcome>,
    calls: HashMap<Id, Request>,
}

#[derive(Debug)]
struct Request {
    call: CallId,
    slot: SlotIndex,
    task: AbortHandle,
}

impl StoreCalls {
    /// Those of an attempt for this thread.
    pub(super) fn of(thread: &ThreadId) -> Self {
        Self { part: Part::of(thread), requests: JoinSet::new(), calls: HashMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn begin(
        &mut self,
        side: &Arc<WorkerSide>,
        call: CallId,
        slot: SlotIndex,
        request: StoreRequest,
    ) {
        let (side, part) = (Arc::clone(side), self.part.clone());
        let task = self.requests.spawn(async move {
            let reply = side.store.answer(part.inward(request)?).await?;
            Ok(Payload::encode(&part.outward(reply), "an answer of the store")?)
        });
        self.calls.insert(task.id(), Request { call, slot, task });
    }

    /// Ends a request that nobody waits for any more; gives the place of its outcome unless it
    /// has ended before. It may have had its effect.
    pub(super) fn cancel(&mut self, call: CallId) -> Option<SlotIndex> {
        let id = self.calls.iter().find(|(_, request)| request.call == call).map(|(id, _)| *id)?;
        let request = self.calls.remove(&id)?;
        request.task.abort();
        Some(request.slot)
    }

    /// Waits for the next answer; for ever if there is none to come.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn next(&mut self) -> (SlotIndex, Outcome) {
        loop {
            let ended = match self.requests.join_next_with_id().await {
                Some(Ok(ended)) => ended,
                Some(Err(error)) => (error.id(), Err(without_answer(error))),
                None => std::future::pending().await,
            };
            // One that was cancelled has none.
            if let Some(request) = self.calls.remove(&ended.0) {
                return (request.slot, ended.1);
            }
        }
    }

    /// Waits until all of them have had their effect.
    ///
    /// # Cancel safety
    /// Loses answers.
    pub(super) async fn settle(&mut self) {
        while self.requests.join_next().await.is_some() {}
        self.calls.clear();
    }
}

fn without_answer(error: JoinError) -> Failure {
    match error.try_into_panic() {
        Ok(panic) => panic_failure(panic.as_ref()),
        Err(error) => ended_without_answer(&error),
    }
}
