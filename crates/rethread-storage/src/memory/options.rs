//! Settings of the memory adapter.

use std::time::Duration;

use crate::Clock;
use crate::live::{DEAD_LETTER_RETENTION, INBOX_MAX};

/// How long the events of ended runs are kept unless options say otherwise.
pub(crate) const EVENT_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// Settings of a [`super::MemoryStorage`].
#[derive(Debug, Clone)]
pub struct MemoryOptions {
    /// Number of partitions; 1 by default.
    pub partitions: u16,
    /// How long the events of ended runs are kept; a day by default.
    pub event_retention: Duration,
    /// How long dead letters are kept; 30 days by default.
    pub dead_letter_retention: Duration,
    /// How many messages the inbox of a partition holds before more are refused as
    /// [`Overloaded`](crate::StorageError::Overloaded); 100,000 by default.
    pub inbox_max: u64,
    /// The time that leases, heartbeats, retention and times to live follow. By default the
    /// system's time at opening, and tokio's from then on.
    pub clock: Option<Clock>,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            partitions: 1,
            event_retention: EVENT_RETENTION,
            dead_letter_retention: DEAD_LETTER_RETENTION,
            inbox_max: INBOX_MAX,
            clock: None,
        }
    }
}
