use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use rethread_core::failure::Failure;
use rethread_core::payload::Payload;
use rethread_core::replay::{Ask, Scope, panic_failure};
use rethread_sdk::{TaskDef, TaskFuture};

/// The body of a task that is being run. A panic of it is its failure, wherever it happens.
pub(super) struct Body {
    scope: Arc<Scope>,
    /// None only while it is dropped.
    future: Option<TaskFuture>,
}

/// What one poll came to.
pub(super) struct Step {
    /// What the body asked for.
    pub(super) asks: Vec<Ask>,
    /// Its end.
    pub(super) ended: Option<Result<Payload, Failure>>,
}

impl Body {
    /// Makes the body for these arguments.
    pub(super) fn start(
        task: &TaskDef,
        input: &Payload,
        scope: Arc<Scope>,
    ) -> Result<Self, Failure> {
        let started = scope.enter(|| catch_unwind(AssertUnwindSafe(|| task.start(input))));
        let future = started.unwrap_or_else(|panic| Err(panic_failure(panic.as_ref())))?;
        Ok(Self { scope, future: Some(future) })
    }

    /// Polls until the body asks for something or ends.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn step(&mut self) -> Step {
        poll_fn(|context| {
            let Self { scope, future } = self;
            let Some(future) = future else { return Poll::Pending };
            let poll = || catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
            let ended = match scope.enter(poll) {
                Ok(Poll::Ready(result)) => Some(result),
                Ok(Poll::Pending) => None,
                Err(panic) => Some(Err(panic_failure(panic.as_ref()))),
            };
            let asks = scope.take_asks();
            if asks.is_empty() && ended.is_none() {
                return Poll::Pending;
            }
            Poll::Ready(Step { asks, ended })
        })
        .await
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let future = self.future.take();
        let dropped = self.scope.enter(|| catch_unwind(AssertUnwindSafe(|| drop(future))));
        if dropped.is_err() {
            tracing::error!(task = self.scope.info().name, "a task panicked while it was dropped");
        }
    }
}
