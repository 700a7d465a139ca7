use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rethread_core::failure::Failure;
use rethread_core::payload::Payload;
use rethread_core::replay::{Ask, Scope, panic_failure};
use rethread_sdk::{TaskDef, TaskFuture};

/// The body of a task that is being run. A panic of it is its failure, wherever it happens.
///
/// It is polled only when something woke it: an attempt without a slot notices that its body
/// wants to run, and takes a slot first.
pub(super) struct Body {
    scope: Arc<Scope>,
    /// None only while it is dropped.
    future: Option<TaskFuture>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// What one poll came to.
pub(super) struct Step {
    /// What the body asked for.
    pub(super) asks: Vec<Ask>,
    /// Its end.
    pub(super) ended: Option<Result<Payload, Failure>>,
}

/// Remembers that a body was woken.
#[derive(Debug)]
pub(super) struct Bell(Mutex<BellState>);

#[derive(Debug)]
struct BellState {
    has_rung: bool,
    attempt: Option<Waker>,
}

impl Bell {
    /// Whether the body wants to be polled.
    pub(super) fn has_rung(&self) -> bool {
        self.state().has_rung
    }

    /// Waits until the body wants to be polled.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn rung(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            if state.has_rung {
                return Poll::Ready(());
            }
            state.attempt = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, BellState> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state();
        state.has_rung = true;
        let attempt = state.attempt.take();
        drop(state);
        if let Some(attempt) = attempt {
            attempt.wake();
        }
    }
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
        let bell = Arc::new(Bell(Mutex::new(BellState { has_rung: true, attempt: None })));
        let waker = Waker::from(Arc::clone(&bell));
        Ok(Self { scope, future: Some(future), bell, waker })
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// What rings when the body wants to be polled.
    pub(super) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// Polls once.
    pub(super) fn step(&mut self) -> Step {
        self.bell.state().has_rung = false;
        let Self { scope, future, waker, .. } = self;
        let mut context = Context::from_waker(waker);
        let polled = scope.enter(|| {
            catch_unwind(AssertUnwindSafe(|| match future {
                Some(future) => future.as_mut().poll(&mut context),
                None => Poll::Pending,
            }))
        });
        let ended = match polled {
            Ok(Poll::Ready(result)) => Some(result),
            Ok(Poll::Pending) => None,
            Err(panic) => Some(Err(panic_failure(panic.as_ref()))),
        };
        Step { asks: scope.take_asks(), ended }
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
