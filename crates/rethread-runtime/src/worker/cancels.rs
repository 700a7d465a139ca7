//! Attempts that coordinators cancel.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rethread_core::message::{OpenCall, Target};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a cancel is remembered for orders that come later.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Most cancels that are remembered; the oldest are forgotten first.
const REMEMBERED_MAX: usize = 10_000;

/// Who runs here, and who need not start any more.
///
/// A cancel counts once: the call may be ordered again under the same number when its run is
/// retried.
#[derive(Debug, Default)]
pub(super) struct Cancels {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<(OpenCall, u64), Running>,
    begun: u64,
    /// For each call the newest attempt that was cancelled.
    remembered: HashMap<OpenCall, u32>,
    /// The same calls, the oldest first.
    by_age: VecDeque<(Instant, OpenCall)>,
}

#[derive(Debug)]
struct Running {
    attempt: u32,
    cancelled: watch::Sender<bool>,
}

impl Cancels {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes up an attempt, under the number that its order has.
    pub(super) fn enter(self: &Arc<Self>, target: &Target) -> Cancellation {
        let call = target.open_call();
        let mut state = self.state();
        state.forget_old(Instant::now());
        let is_cancelled =
            state.remembered.get(&call).is_some_and(|newest| target.attempt <= *newest);
        if is_cancelled {
            state.remembered.remove(&call);
        }
        let (sender, cancelled) = watch::channel(is_cancelled);
        state.begun += 1;
        let key = (call, state.begun);
        state.running.insert(key, Running { attempt: target.attempt, cancelled: sender });
        Cancellation { cancels: Arc::clone(self), key, cancelled }
    }

    /// Ends attempts of the call up to this one. If none runs here, one that comes is ended.
    pub(super) fn cancel(&self, target: &Target) {
        let call = target.open_call();
        let mut state = self.state();
        let mut is_here = false;
        for (_, running) in state.running.range((call, 0)..=(call, u64::MAX)) {
            if running.attempt <= target.attempt {
                running.cancelled.send_replace(true);
                is_here = true;
            }
        }
        if !is_here {
            state.remember(Instant::now(), call, target.attempt);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, now: Instant, call: OpenCall, attempt: u32) {
        self.forget_old(now);
        if let Some(newest) = self.remembered.get_mut(&call) {
            *newest = attempt.max(*newest);
        } else {
            self.remembered.insert(call, attempt);
            self.by_age.push_back((now, call));
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((since, call)) = self.by_age.front() {
            let is_old = now.duration_since(*since) > REMEMBERED_FOR;
            if !is_old && self.by_age.len() < REMEMBERED_MAX {
                return;
            }
            // It may have counted since, and another one may have come: that is forgotten early,
            // as any may be that is lost on its way.
            self.remembered.remove(call);
            self.by_age.pop_front();
        }
    }
}

/// Tells an attempt that it is cancelled, until it is dropped.
#[derive(Debug)]
pub(super) struct Cancellation {
    cancels: Arc<Cancels>,
    key: (OpenCall, u64),
    cancelled: watch::Receiver<bool>,
}

impl Cancellation {
    pub(super) fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Waits until the attempt is cancelled; returns at once if it is already.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn cancelled(&mut self) {
        // The sender lives in `cancels` until this is dropped.
        let _ = self.cancelled.wait_for(|is_cancelled| *is_cancelled).await;
    }
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        self.cancels.state().running.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rethread_core::ids::{CallId, ExecutionId, RunId, ThreadKey};
    use tokio::time::timeout;

    fn target(call: u64, attempt: u32) -> Target {
        let run: RunId = "00000000-0000-0000-0000-000000000001".parse().expect("a UUID");
        let execution = ExecutionId::from(run);
        let call = CallId::nth(u128::from(call), 0);
        Target { thread: ThreadKey::from_bytes([1; 16]), execution, call, attempt }
    }

    async fn is_cancelled(cancellation: &mut Cancellation) -> bool {
        let has_heard = timeout(Duration::ZERO, cancellation.cancelled()).await.is_ok();
        assert_eq!(has_heard, cancellation.is_cancelled());
        has_heard
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_reaches_attempts_up_to_its_own() {
        let cancels = Cancels::new();
        let (mut first, mut second) = (cancels.enter(&target(1, 1)), cancels.enter(&target(1, 2)));
        let mut other = cancels.enter(&target(2, 1));
        cancels.cancel(&target(1, 1));
        assert!(is_cancelled(&mut first).await);
        assert!(!is_cancelled(&mut second).await);
        assert!(!is_cancelled(&mut other).await);
        assert!(!is_cancelled(&mut cancels.enter(&target(1, 1))).await, "it is ordered anew");
        drop((first, second, other));
        assert!(cancels.state().running.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_that_comes_before_its_attempt_counts_once() {
        let cancels = Cancels::new();
        cancels.cancel(&target(1, 2));
        cancels.cancel(&target(1, 1));
        assert!(!is_cancelled(&mut cancels.enter(&target(1, 3))).await);
        assert!(is_cancelled(&mut cancels.enter(&target(1, 2))).await);
        assert!(!is_cancelled(&mut cancels.enter(&target(1, 2))).await);
    }

    #[tokio::test(start_paused = true)]
    async fn cancels_are_forgotten_when_they_are_old_or_many() {
        let cancels = Cancels::new();
        cancels.cancel(&target(1, 1));
        tokio::time::advance(REMEMBERED_FOR * 2).await;
        assert!(!is_cancelled(&mut cancels.enter(&target(1, 1))).await);
        for call in 0..2 * REMEMBERED_MAX as u64 {
            cancels.cancel(&target(call, 1));
        }
        let state = cancels.state();
        assert_eq!((state.remembered.len(), state.by_age.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
    }
}
