//! Code that runs where bodies are polled, and must end at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::replay::body::SELF_WAKES_MAX;
use crate::replay::scope::{Ask, CallRequest, Scope};

/// What code did that may only compute: how it goes on in a message, behind the name of the code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotInPlace {
    /// It did not end at once.
    #[error("waits for something")]
    Waits,
    /// It called a task or an entrypoint.
    #[error("calls `{0}`")]
    Calls(String),
    /// It asked for time to pass.
    #[error("sleeps")]
    Sleeps,
    /// It asked the store.
    #[error("asks the store")]
    AsksStore,
    /// It asked a person.
    #[error("asks a person")]
    AsksPerson,
    /// It wrote to the stream.
    #[error("writes to the stream")]
    Writes,
}

/// Runs code to its end in a scope of its own, without letting any time pass.
///
/// # Errors
/// When it waits for something, or asks the engine for anything. What it asked for is dropped with
/// the scope, and has no effect.
pub fn in_place<T>(
    scope: &Arc<Scope>,
    mut code: Pin<&mut (impl Future<Output = T> + ?Sized)>,
) -> Result<T, NotInPlace> {
    let again = Arc::new(Again::default());
    let waker = Waker::from(Arc::clone(&again));
    let mut context = Context::from_waker(&waker);
    let polled = scope.enter(|| {
        // Some combinators wake themselves to let others run.
        for _ in 0..SELF_WAKES_MAX {
            match code.as_mut().poll(&mut context) {
                Poll::Pending if again.0.swap(false, Ordering::SeqCst) => {}
                polled => return polled,
            }
        }
        Poll::Pending
    });
    // What it asked for says more than that it waits, which is for that.
    match (scope.take_asks().into_iter().find_map(asked), polled) {
        (Some(asked), _) => Err(asked),
        (None, Poll::Ready(value)) => Ok(value),
        (None, Poll::Pending) => Err(NotInPlace::Waits),
    }
}

fn asked(ask: Ask) -> Option<NotInPlace> {
    Some(match ask {
        Ask::Call { request: CallRequest::Timer { .. }, .. } => NotInPlace::Sleeps,
        Ask::Call { request: CallRequest::Store(_), .. } => NotInPlace::AsksStore,
        Ask::Call { request, .. } => NotInPlace::Calls(request.name().to_owned()),
        Ask::Interrupt { .. } => NotInPlace::AsksPerson,
        Ask::Emit(_) => NotInPlace::Writes,
        // They stand behind one of the others, or say nothing.
        Ask::Withdraw(_) | Ask::Cancel(_) | Ask::Heartbeat(_) => return None,
    })
}

#[derive(Default)]
struct Again(AtomicBool);

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
