//! Bounds of what an in-process adapter holds.

use std::time::Duration;

use crate::clock::millis;

/// How many messages an inbox holds before more are refused, unless options say otherwise.
pub(crate) const INBOX_MAX: u64 = 100_000;

/// How long dead letters are kept unless options say otherwise.
pub(crate) const DEAD_LETTER_RETENTION: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Bounds of what is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Messages of one inbox from which on more are refused.
    pub(crate) inbox_max: u64,
    pub(crate) dead_letter_retention_ms: u64,
}

impl Limits {
    pub(crate) fn new(inbox_max: u64, dead_letter_retention: Duration) -> Self {
        Self { inbox_max, dead_letter_retention_ms: millis(dead_letter_retention) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(INBOX_MAX, DEAD_LETTER_RETENTION)
    }
}
