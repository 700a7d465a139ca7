use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rethread_core::ids::CallId;
use rethread_core::replay::{CallRequest, Outcome, Scope, SlotIndex};

/// The outcome of a call, as it is recorded. Dropping it gives the place up; the call goes on.
pub(crate) struct Recorded {
    scope: Arc<Scope>,
    slot: SlotIndex,
    is_taken: bool,
}

impl Recorded {
    /// Makes a call under a key.
    pub(crate) fn call(scope: &Arc<Scope>, request: CallRequest, key: &str) -> Self {
        let slot = scope.call(request, Some(key));
        Self { scope: Arc::clone(scope), slot, is_taken: false }
    }

    /// The call.
    pub(crate) fn id(&self) -> CallId {
        self.scope.call_id(self.slot).unwrap_or(CallId::ANYWHERE)
    }
}

impl Future for Recorded {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = self.scope.poll_slot(self.slot, context);
        self.is_taken = outcome.is_ready();
        outcome
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if !self.is_taken {
            self.scope.abandon(self.slot);
        }
    }
}
