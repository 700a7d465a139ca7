//! Which coordinators live, as far as this node has heard.

use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::NodeId;
use rethread_storage::Storage;
use tokio::time::{Instant, timeout};

use crate::failure_log::FailureLog;
use crate::share::Share;

/// Longest wait between two announcements. A node that joins gets its part, and what a node
/// leaves behind is taken over, within about this time.
const ANNOUNCE_EVERY: Duration = Duration::from_millis(150);

/// Announces the node and keeps its part in the partitions.
///
/// A node counts as living for two thirds of a lease after its last announcement, the time in
/// which it may begin something new. So the others know by the end of its leases that it is dead,
/// and take its partitions over as they run out. Until then they cannot: somebody who is counted
/// out by mistake, or whose announcements fail, loses nothing.
#[derive(Debug)]
pub(crate) struct Membership {
    storage: Arc<dyn Storage>,
    node: NodeId,
    every: Duration,
    ttl: Duration,
    /// Longest wait for an answer.
    patience: Duration,
    next: Instant,
    /// The living as last heard; empty before that.
    living: Vec<NodeId>,
    share: Option<Share>,
    /// Until when others count on this node, at least.
    counts_until: Option<Instant>,
    is_over: bool,
    failures: FailureLog,
}

impl Membership {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        node: NodeId,
        lease_ttl: Duration,
        now: Instant,
    ) -> Self {
        let tick = Duration::from_millis(1);
        Self {
            storage,
            node,
            every: ANNOUNCE_EVERY.min(lease_ttl / 10).max(tick),
            ttl: (lease_ttl * 2 / 3).max(tick),
            patience: (lease_ttl / 10).max(tick),
            next: now,
            living: Vec::new(),
            share: None,
            counts_until: None,
            is_over: false,
            failures: FailureLog::new("announcing the node"),
        }
    }

    /// When to announce again; none once it has signed off.
    pub(crate) fn due(&self) -> Option<Instant> {
        (!self.is_over).then_some(self.next)
    }

    /// What this node may hold; none before the first answer.
    pub(crate) fn share(&self) -> Option<Share> {
        self.share
    }

    /// What this node may take: nothing when it was not heard for so long that others may not
    /// count on it any more, or when it leaves.
    pub(crate) fn share_to_take(&self, now: Instant) -> Option<Share> {
        let counts = !self.is_over && self.counts_until.is_some_and(|until| now < until);
        self.share.filter(|_| counts)
    }

    /// Announces the node if that is due; says whether the living have changed.
    pub(crate) async fn announce(&mut self) -> bool {
        let asked_at = Instant::now();
        if self.is_over || asked_at < self.next {
            return false;
        }
        let announcement = self.storage.announce_node(&self.node, self.ttl);
        let answer = timeout(self.patience, announcement).await;
        self.next = Instant::now() + self.every;
        let living = match answer {
            Ok(Ok(living)) => living,
            Ok(Err(error)) => {
                self.failures.failed(&error);
                return false;
            }
            Err(late) => {
                self.failures.failed(&late);
                return false;
            }
        };
        self.failures.worked();
        self.counts_until = Some(asked_at + self.ttl);
        if self.living == living && self.share.is_some() {
            return false;
        }
        let share = Share::of(&self.node, &living, self.storage.partitions());
        let (coordinators, partitions) = (living.len(), share.quota());
        if self.living.len() > 1 || coordinators > 1 {
            tracing::info!(coordinators, partitions, "coordinators share the partitions anew");
        }
        self.living = living;
        self.share = Some(share);
        true
    }

    /// Tells the others not to count on this node any more. Repeated a few times, then the
    /// announcement runs out.
    pub(crate) async fn sign_off(&mut self) {
        const TRIES: u32 = 3;
        self.is_over = true;
        for _ in 0..TRIES {
            let reason = match timeout(self.patience, self.storage.withdraw_node(&self.node)).await
            {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(late) => late.to_string(),
            };
            tracing::warn!(reason, "cannot sign the node off; the others notice a little later");
        }
    }
}

#[cfg(test)]
mod tests {
    use rethread_storage::memory::MemoryStorage;

    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    fn membership(storage: &MemoryStorage, name: &str) -> Membership {
        let node = NodeId::new(name).expect("an id");
        Membership::new(Arc::new(storage.clone()), node, LEASE, Instant::now())
    }

    fn room(share: Option<Share>) -> Option<usize> {
        share.map(|share| share.room(0))
    }

    #[tokio::test(start_paused = true)]
    async fn shares_with_those_that_live() {
        let storage = MemoryStorage::new(16);
        let (mut a, mut b) = (membership(&storage, "a"), membership(&storage, "b"));
        assert_eq!(room(a.share()), None);
        assert!(a.announce().await);
        assert!(!a.announce().await, "it is not due");
        assert_eq!(room(a.share()), Some(16));
        assert!(b.announce().await);
        assert_eq!(room(b.share_to_take(Instant::now())), Some(8));
        tokio::time::advance(ANNOUNCE_EVERY).await;
        assert!(a.announce().await);
        assert_eq!(room(a.share()), Some(8));

        b.sign_off().await;
        assert_eq!((b.due(), b.share_to_take(Instant::now())), (None, None));
        tokio::time::advance(ANNOUNCE_EVERY).await;
        assert!(!b.announce().await);
        assert!(a.announce().await);
        assert_eq!(room(a.share()), Some(16));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_not_heard_keeps_and_takes_nothing() {
        let storage = MemoryStorage::new(16);
        let (mut a, mut b) = (membership(&storage, "a"), membership(&storage, "b"));
        b.announce().await;
        a.announce().await;
        tokio::time::advance(ANNOUNCE_EVERY).await;
        b.announce().await;
        tokio::time::advance(LEASE * 2 / 3).await;
        assert_eq!(room(b.share()), Some(8));
        assert_eq!(b.share_to_take(Instant::now()), None);
        assert!(a.announce().await, "b counts as dead");
        assert_eq!(room(a.share()), Some(16));
        assert!(!b.announce().await, "b sees what it saw before");
        assert_eq!(room(b.share_to_take(Instant::now())), Some(8));
    }
}
