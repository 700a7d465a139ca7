//! The time that the in-process adapters go by.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rethread_core::ids::Millis;
use tokio::time::Instant;

/// Tells the time to an in-process adapter: leases, heartbeats and retention follow it.
///
/// It must never go backwards while the storage is open.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Millis + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands at `start` now and goes on with tokio's time, which tests can pause.
    pub fn starting_at(start: Millis) -> Self {
        let origin = Instant::now();
        Self::new(move || start.plus(millis(origin.elapsed())))
    }

    /// A clock that stands at the system's time now and goes on with tokio's time: it never goes
    /// backwards, and tests can pause it.
    pub fn system() -> Self {
        // A system clock before 1970 is as good as one at 1970.
        Self::starting_at(Millis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)))
    }

    /// The time now.
    pub fn now(&self) -> Millis {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}

/// Whole milliseconds of a duration; more than fit count as for ever.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
