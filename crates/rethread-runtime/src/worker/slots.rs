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
    use super::*;
    use tokio::task::yield_now;

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
}
