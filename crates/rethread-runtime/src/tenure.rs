use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long the owner of a partition that is given to others may write what is decided. What it
/// has not written by then the next owner decides again, as after a crash.
pub(crate) const LEAVING_WRITES_MAX: Duration = Duration::from_millis(150);

/// Until when the holder of a lease may act, told by the lease keeper to the owner.
///
/// It ends at two thirds of the time to live after the last renewal began: before others may
/// take the partition. It is for liveness and politeness; what keeps two owners apart is the
/// token in every commit.
///
/// Before a partition is given to others its tenure is *left*: whoever is about to begin
/// something looks here, and leaves it to the next owner. So a hand-over does not wait behind
/// all that is to be done.
#[derive(Debug)]
pub(crate) struct Tenure {
    origin: Instant,
    until_ms: AtomicU64,
    /// When it ends because it was left; [`NEVER`] until then.
    left_ms: AtomicU64,
}

/// A time that does not come.
const NEVER: u64 = u64::MAX;

impl Tenure {
    /// A tenure that was granted or renewed by a request sent at `asked_at`.
    pub(crate) fn granted(asked_at: Instant, ttl: Duration) -> Self {
        let (until_ms, left_ms) = (AtomicU64::new(0), AtomicU64::new(NEVER));
        let tenure = Self { origin: asked_at, until_ms, left_ms };
        tenure.renew(asked_at, ttl);
        tenure
    }

    pub(crate) fn renew(&self, asked_at: Instant, ttl: Duration) {
        let until = asked_at.duration_since(self.origin) + ttl * 2 / 3;
        self.until_ms.store(millis(until), Ordering::SeqCst);
    }

    /// From now on nothing is begun; what is decided may be written for `longest`, however often
    /// the lease is renewed. Left again, it ends no later.
    pub(crate) fn leave(&self, longest: Duration) {
        let left_ms = millis(self.origin.elapsed() + longest);
        self.left_ms.fetch_min(left_ms, Ordering::SeqCst);
    }

    /// Whether the partition is given to others.
    pub(crate) fn is_left(&self) -> bool {
        self.left_ms.load(Ordering::SeqCst) != NEVER
    }

    /// Whether the owner may write.
    pub(crate) fn is_live(&self) -> bool {
        let until_ms = self.until_ms.load(Ordering::SeqCst);
        let left_ms = self.left_ms.load(Ordering::SeqCst);
        self.origin.elapsed() < Duration::from_millis(until_ms.min(left_ms))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ends_at_two_thirds_and_renews() {
        let ttl = Duration::from_millis(300);
        let tenure = Tenure::granted(Instant::now(), ttl);
        tokio::time::advance(Duration::from_millis(199)).await;
        assert!(tenure.is_live());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!tenure.is_live());
        tenure.renew(Instant::now(), ttl);
        assert!(tenure.is_live());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_left_ends_soon_although_it_is_renewed() {
        let ttl = Duration::from_secs(3);
        let tenure = Tenure::granted(Instant::now(), ttl);
        assert!(!tenure.is_left());
        tenure.leave(Duration::from_millis(200));
        assert!(tenure.is_left() && tenure.is_live());
        tokio::time::advance(Duration::from_millis(199)).await;
        tenure.renew(Instant::now(), ttl);
        tenure.leave(Duration::from_millis(200));
        assert!(tenure.is_live());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!tenure.is_live());
    }
}
