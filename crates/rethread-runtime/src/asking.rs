//! When to ask for partitions that others hold.

use std::collections::BTreeMap;
use std::time::Duration;

use rethread_core::ids::PartitionId;
use tokio::time::Instant;

/// Longest wait between two questions while something has just changed.
const OFTEN: Duration = Duration::from_millis(100);
/// Longest wait between two questions at other times.
const SELDOM: Duration = Duration::from_millis(500);
/// How long something has just changed.
const CHANGED_FOR: Duration = Duration::from_secs(2);

/// When to ask for each partition that is wanted and not ours.
///
/// A partition that another node gives up is not announced by anybody: it is asked for, often
/// for a while after the living nodes have changed, since that is when partitions change hands,
/// and seldom at other times. A lease that runs out is asked for when it does. A node that has
/// its part asks for nothing, so an idle cluster pays for none of this.
#[derive(Debug)]
pub(crate) struct Asking {
    often: Duration,
    seldom: Duration,
    changed_until: Instant,
    /// Nothing is asked before.
    not_before: Instant,
    /// When to ask next; at once for those that are not in it.
    next: BTreeMap<PartitionId, Instant>,
}

impl Asking {
    /// For leases of this time to live.
    pub(crate) fn new(ttl: Duration, now: Instant) -> Self {
        let tick = Duration::from_millis(1);
        Self {
            often: OFTEN.min(ttl / 10).max(tick),
            seldom: SELDOM.min(ttl / 5).max(tick),
            changed_until: now + CHANGED_FOR,
            not_before: now,
            next: BTreeMap::new(),
        }
    }

    /// Something changed: partitions may be free, or soon will be.
    pub(crate) fn changed(&mut self, now: Instant) {
        self.changed_until = now + CHANGED_FOR;
        self.next.clear();
    }

    pub(crate) fn is_due(&self, partition: PartitionId, now: Instant) -> bool {
        self.due(partition) <= now
    }

    /// When to ask for this partition; none if it was not asked for since the last change.
    pub(crate) fn next(&self, partition: PartitionId) -> Option<Instant> {
        self.next.get(&partition).copied()
    }

    /// When to ask for this partition, at the earliest.
    pub(crate) fn due(&self, partition: PartitionId) -> Instant {
        self.next(partition).map_or(self.not_before, |at| at.max(self.not_before))
    }

    /// Another node holds the partition; if it does not renew its lease, for that long.
    pub(crate) fn is_held(&mut self, partition: PartitionId, now: Instant, expires_in: Duration) {
        let wait = if now < self.changed_until { self.often } else { self.seldom };
        // A lease ends with its last millisecond.
        let expired = expires_in.saturating_add(Duration::from_millis(1));
        self.next.insert(partition, now + wait.min(expired));
    }

    /// Its owner has just ended by itself: not at once again.
    pub(crate) fn ended(&mut self, partition: PartitionId, now: Instant) {
        self.next.insert(partition, now + self.often);
    }

    /// The storage did not answer: nothing is asked for a moment.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.not_before = now + self.often;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);
    const P: PartitionId = PartitionId(3);

    #[tokio::test(start_paused = true)]
    async fn asks_often_after_a_change_and_seldom_later() {
        let now = Instant::now();
        let mut asking = Asking::new(TTL, now);
        assert!(asking.is_due(P, now));
        asking.is_held(P, now, TTL);
        assert!(!asking.is_due(P, now));
        assert_eq!(asking.due(P), now + OFTEN);
        let later = now + CHANGED_FOR;
        asking.is_held(P, later, TTL);
        assert_eq!(asking.due(P), later + SELDOM);
        asking.changed(later);
        assert!(asking.is_due(P, later));
        asking.is_held(P, later, TTL);
        assert_eq!(asking.due(P), later + OFTEN);
    }

    #[tokio::test(start_paused = true)]
    async fn asks_when_a_lease_runs_out() {
        let now = Instant::now();
        let mut asking = Asking::new(TTL, now);
        asking.is_held(P, now, Duration::from_millis(7));
        assert_eq!(asking.due(P), now + Duration::from_millis(8));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_after_failures_and_scales_with_short_leases() {
        let now = Instant::now();
        let mut asking = Asking::new(Duration::from_millis(200), now);
        let often = Duration::from_millis(20);
        asking.failed(now);
        assert_eq!(asking.due(P), now + often);
        asking.ended(P, now + often);
        assert_eq!(asking.due(P), now + often * 2);
    }
}
