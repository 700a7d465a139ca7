//! One clock for all processes of the machine.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the system's monotonic clock, which all processes share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Milliseconds between two times of [`now`].
pub(crate) fn ms_between(from: u64, to: u64) -> u64 {
    to.saturating_sub(from) / 1_000_000
}
