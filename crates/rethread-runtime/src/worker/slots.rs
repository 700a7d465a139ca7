use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};

/// How many bodies of a pool may run. A body that waits for calls of its own does not count:
/// they may need the slot that it would hold.
///
/// Bodies that go on come before orders that were fetched.
#[derive(Debug)]
pub(super) struct Slots {
    permits: Arc<Semaphore>,
    /// Bodies that want a slot again.
    returning: watch::Sender<usize>,
    /// Attempts that have not ended, with and without a slot.
    attempts: watch::Sender<usize>,
}

impl Slots {
    pub(super) fn new(count: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(count));
        Arc::new(Self {
            permits,
            returning: watch::Sender::new(0),
            attempts: watch::Sender::new(0),
        })
    }

    pub(super) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    /// Waits until a new body might run.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn wait_for_free(&self) {
        drop(self.acquire().await);
    }

    /// Takes a slot for a new body.
    ///
    /// # Cancel safety
    /// Loses nothing but the place in the line.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Slot> {
        let permit = self.acquire().await?;
        self.attempts.send_modify(|count| *count += 1);
        Some(Slot { slots: Arc::clone(self), held: Some(permit), returning: None })
    }

    async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        let mut returning = self.returning.subscribe();
        loop {
            // The sender lives in `self`.
            let _ = returning.wait_for(|count| *count == 0).await;
            // Never closed.
            let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
            if *self.returning.borrow() == 0 {
                return Some(permit);
            }
        }
    }

    /// Waits until all attempts have ended.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn all_ended(&self) {
        // The sender lives in `self`.
        let _ = self.attempts.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// The right of one attempt to run its body now, or to ask for it.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    held: Option<OwnedSemaphorePermit>,
    returning: Option<Returning>,
}

/// A body's place in the line of those that want a slot again.
struct Returning {
    slots: Arc<Slots>,
    permit: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>,
}

impl Slot {
    /// Whether the body may run now.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Lets others use it while the body waits.
    pub(super) fn give_back(&mut self) {
        self.held = None;
    }

    /// Waits until the body may run.
    ///
    /// # Cancel safety
    /// Loses nothing: the place in the line is kept.
    pub(super) async fn take_again(&mut self) {
        if self.held.is_some() {
            return;
        }
        let slots = &self.slots;
        let returning = self.returning.get_or_insert_with(|| Returning::begin(slots));
        // Never closed.
        self.held = returning.permit.as_mut().await.ok();
        self.returning = None;
    }
}

impl Returning {
    fn begin(slots: &Arc<Slots>) -> Self {
        slots.returning.send_modify(|count| *count += 1);
        let permit = Box::pin(Arc::clone(&slots.permits).acquire_owned());
        Self { slots: Arc::clone(slots), permit }
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        self.slots.returning.send_modify(|count| *count -= 1);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.held = None;
        self.slots.attempts.send_modify(|count| *count -= 1);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("held", &self.held.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use tokio::task::yield_now;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_body_that_goes_on_comes_before_new_ones() {
        let slots = Slots::new(1);
        let mut waiting = slots.take().await.expect("open");
        waiting.give_back();
        let running = slots.take().await.expect("open");
        let new = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take().await }
        });
        yield_now().await;
        let again = tokio::spawn(async move {
            waiting.take_again().await;
            waiting
        });
        yield_now().await;
        drop(running);
        let again = again.await.expect("no panic");
        assert!(!new.is_finished(), "it stood in line first, and is new");
        drop(again);
        drop(new.await.expect("no panic"));
        slots.all_ended().await;
        assert_eq!(slots.free(), 1);
    }

    #[tokio::test]
    async fn giving_up_the_place_in_the_line_holds_up_nobody() {
        let slots = Slots::new(1);
        let mut waiting = slots.take().await.expect("open");
        waiting.give_back();
        let running = slots.take().await.expect("open");
        tokio::select! {
            biased;
            () = waiting.take_again() => panic!("the slot is taken"),
            () = yield_now() => {}
        }
        drop((waiting, running));
        drop(slots.take().await.expect("open"));
        slots.all_ended().await;
    }

    /// A small deterministic generator (SplitMix64).
    struct Rng(u64);

    impl Rng {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) % n
        }
    }

    /// A body that runs.
    struct Running(Arc<AtomicUsize>);

    impl Running {
        fn begin(count: &Arc<AtomicUsize>, most: usize) -> Self {
            assert!(count.fetch_add(1, Ordering::SeqCst) < most, "too many run");
            Self(Arc::clone(count))
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// An attempt as it may go: it runs, waits, gives up waiting, goes on, and ends in any way.
    async fn attempt(slots: Arc<Slots>, seed: u64, count: Arc<AtomicUsize>, most: usize) {
        let mut rng = Rng(seed);
        let Some(mut slot) = slots.take().await else { return };
        // Dropped before the slot, whatever ends the attempt.
        let mut running = None;
        for _ in 0..rng.below(8) {
            if slot.is_held() && running.is_none() {
                running = Some(Running::begin(&count, most));
            }
            match rng.below(5) {
                0 => {
                    running = None;
                    slot.give_back();
                }
                1 => slot.take_again().await,
                2 => {
                    let wait = Duration::from_millis(rng.below(3));
                    let _ = timeout(wait, slot.take_again()).await;
                }
                3 => tokio::time::sleep(Duration::from_millis(rng.below(5))).await,
                _ => assert!(rng.below(10) > 0, "the body panics"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_slot_is_lost_however_attempts_end() {
        for seed in 0..200 {
            let mut rng = Rng(seed);
            let count = 1 + usize::try_from(rng.below(4)).expect("small");
            let (slots, running) = (Slots::new(count), Arc::new(AtomicUsize::new(0)));
            let begin =
                |n| attempt(Arc::clone(&slots), seed * 1_000 + n, Arc::clone(&running), count);
            let attempts: Vec<_> = (0..30).map(|n| tokio::spawn(begin(n))).collect();
            for attempt in &attempts {
                if rng.below(4) == 0 {
                    tokio::time::sleep(Duration::from_millis(rng.below(3))).await;
                    attempt.abort();
                }
            }
            for attempt in attempts {
                if let Err(error) = attempt.await
                    && let Ok(panic) = error.try_into_panic()
                {
                    let text = panic.downcast_ref::<&str>();
                    assert_eq!(text, Some(&"the body panics"), "seed {seed}");
                }
            }
            slots.all_ended().await;
            assert_eq!(slots.free(), count, "seed {seed}");
            assert_eq!((*slots.returning.borrow(), *slots.attempts.borrow()), (0, 0));
        }
    }
}
