use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Until when the holder of a lease may act, told by the lease keeper to the owner.
///
/// It ends at two thirds of the time to live after the last renewal began: before others may
/// take the partition. It is for liveness and politeness; what keeps two owners apart is the
/// token in every commit.
#[derive(Debug)]
pub(crate) struct Tenure {
    origin: Instant,
    until_ms: AtomicU64,
}

impl Tenure {
    /// A tenure that was granted or renewed by a request sent at `asked_at`.
    pub(crate) fn granted(asked_at: Instant, ttl: Duration) -> Self {
        let tenure = Self { origin: asked_at, until_ms: AtomicU64::new(0) };
        tenure.renew(asked_at, ttl);
        tenure
    }

    pub(crate) fn renew(&self, asked_at: Instant, ttl: Duration) {
        let until = asked_at.duration_since(self.origin) + ttl * 2 / 3;
        let until_ms = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.until_ms.store(until_ms, Ordering::SeqCst);
    }

    pub(crate) fn is_live(&self) -> bool {
        let until = Duration::from_millis(self.until_ms.load(Ordering::SeqCst));
        self.origin.elapsed() < until
    }
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
}
