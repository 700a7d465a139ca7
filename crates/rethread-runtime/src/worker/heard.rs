use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rethread_core::ids::Millis;
use rethread_storage::Clock;
use tokio::time::Instant;

/// What a worker knows of how the storage has heard of it: whether an order may have been
/// reclaimed from it.
///
/// A worker loses orders only while the storage takes it for dead, which is when its last
/// heartbeat is older than `dead_after`. Nothing but heartbeats counts: that an order was fetched
/// a moment ago proves nothing if the last heartbeat was old by then, and a fresh heartbeat
/// proves nothing of orders that were fetched before a silence that it ended. So an order is
/// surely still ours if two things hold:
///
/// - it was asked for after the storage had heard of us, and the heartbeats since then followed
///   each other closely: it was never reclaimed;
/// - the last of them was sent not long ago: it cannot be reclaimed now.
///
/// A heartbeat reaches the storage some time between its sending and its answer. Each silence is
/// taken at its longest, from the sending of one to the answer of the next, and must stay below
/// two thirds of `dead_after`: the rest is for clocks that run differently, and for the time
/// until a body really begins.
#[derive(Debug)]
pub(super) struct Heard {
    wall: Clock,
    silence_max: Duration,
    since: Mutex<Since>,
}

#[derive(Debug, Clone, Copy)]
struct Since {
    /// The answer to the first heartbeat of those that followed each other closely.
    first: Moment,
    /// The sending of the last one.
    last: Moment,
}

/// A point of time that notices when the process, or the whole machine, stood still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    instant: Instant,
    wall: Millis,
}

impl Moment {
    /// Now, `wall` being the clock on the machine's wall.
    pub(super) fn now(wall: &Clock) -> Self {
        Self { instant: Instant::now(), wall: wall.now() }
    }

    /// The time from `earlier` to this moment; zero if it is not earlier.
    ///
    /// Monotonic clocks may stand still with a suspended machine, whose wall clock is put right
    /// when it goes on, so the longer of both counts. That the wall clock was put forward for
    /// another reason costs a needless question.
    fn since(self, earlier: Self) -> Duration {
        let wall = Duration::from_millis(self.wall.0.saturating_sub(earlier.wall.0));
        self.instant.saturating_duration_since(earlier.instant).max(wall)
    }
}

impl Heard {
    /// A worker whose first heartbeat was sent at `sent` and has been answered.
    pub(super) fn new(wall: Clock, sent: Moment, dead_after: Duration) -> Self {
        let since = Since { first: Moment::now(&wall), last: sent };
        Self { wall, silence_max: dead_after * 2 / 3, since: Mutex::new(since) }
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&self.wall)
    }

    /// The time since then; see [`Moment`].
    pub(super) fn elapsed(&self, since: Moment) -> Duration {
        self.now().since(since)
    }

    fn since(&self) -> MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a heartbeat sent at `sent` has been answered.
    pub(super) fn note(&self, sent: Moment) {
        let answered = self.now();
        let mut since = self.since();
        if answered.since(since.last) >= self.silence_max {
            since.first = answered;
        }
        if sent.instant > since.last.instant {
            since.last = sent;
        }
    }

    /// Whether orders that were asked for at `asked` are still ours for sure.
    pub(super) fn covers(&self, asked: Moment) -> bool {
        let since = *self.since();
        asked.instant >= since.first.instant && self.is_recent(since.last)
    }

    /// Whether the storage has heard of us without a gap for this long, up to now.
    ///
    /// Whoever takes others for dead must have been heard itself for as long as it gives them:
    /// after an outage of the storage every heartbeat in it is old, also those of the living.
    pub(super) fn lasts(&self, long: Duration) -> bool {
        let since = *self.since();
        self.is_recent(since.last) && self.elapsed(since.first) >= long
    }

    /// Whether a heartbeat sent at `sent` keeps us alive for now.
    pub(super) fn is_recent(&self, sent: Moment) -> bool {
        self.elapsed(sent) < self.silence_max
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const DEAD_AFTER: Duration = Duration::from_secs(300);
    const STEP: Duration = Duration::from_secs(199);

    fn now() -> Moment {
        Moment::now(&Clock::system())
    }

    /// A worker whose first heartbeat is answered as soon as it is sent.
    fn heard() -> Heard {
        Heard::new(Clock::system(), now(), DEAD_AFTER)
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_was_heard_for_long_may_take_others_for_dead() {
        let heard = heard();
        assert!(!heard.lasts(DEAD_AFTER), "others had no time yet");
        for _ in 0..2 {
            advance(STEP).await;
            heard.note(heard.now());
        }
        assert!(heard.lasts(DEAD_AFTER));
        advance(STEP * 2).await;
        assert!(!heard.lasts(DEAD_AFTER), "a silence, as of an outage");
        heard.note(heard.now());
        assert!(!heard.lasts(DEAD_AFTER), "the others may just not have come back yet");
        for _ in 0..2 {
            advance(STEP).await;
            heard.note(heard.now());
        }
        assert!(heard.lasts(DEAD_AFTER));
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_that_follow_closely_cover_what_was_asked_for_after_the_first() {
        let before = now();
        advance(Duration::from_secs(1)).await;
        let heard = heard();
        assert!(!heard.covers(before), "nothing was heard of us by then");
        let asked = heard.now();
        for _ in 0..10 {
            assert!(heard.covers(asked));
            advance(STEP).await;
            heard.note(heard.now());
        }
        assert!(heard.covers(asked));
        advance(STEP + Duration::from_secs(1)).await;
        assert!(!heard.covers(asked), "the last one is old");
        assert!(!heard.covers(heard.now()), "also for what was fetched just now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_uncovers_what_was_asked_for_before_its_end() {
        let heard = heard();
        let before = heard.now();
        advance(STEP * 2).await;
        let within = heard.now();
        advance(Duration::from_secs(1)).await;
        heard.note(heard.now());
        assert!(!heard.covers(before));
        assert!(!heard.covers(within));
        assert!(heard.covers(heard.now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_counts_from_its_sending() {
        let heard = heard();
        let asked = heard.now();
        advance(STEP / 2).await;
        let sent = heard.now();
        advance(STEP / 2).await;
        heard.note(sent);
        assert!(heard.covers(asked));
        advance(STEP / 2 + Duration::from_secs(2)).await;
        assert!(!heard.covers(asked));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_stood_still_is_noticed_by_its_wall_clock() {
        let heard = heard();
        let mut sent = heard.now();
        sent.wall.0 -= u64::try_from((STEP * 2).as_millis()).expect("small");
        assert!(!heard.is_recent(sent));
    }
}
