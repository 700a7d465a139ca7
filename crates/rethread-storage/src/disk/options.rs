//! Settings of the disk adapter.

use std::time::Duration;

use crate::live::{DEAD_LETTER_RETENTION, INBOX_MAX};
use crate::memory::EVENT_RETENTION;
use crate::{Clock, Durability};

/// When a write counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// When it is on disk; writes that arrive during a sync share the next one.
    #[default]
    Group,
    /// When the operating system has it: it survives a crash of the process, not power loss.
    Buffered,
}

impl Sync {
    pub(super) fn durability(self) -> Durability {
        match self {
            Self::Group => Durability::Disk,
            Self::Buffered => Durability::Process,
        }
    }

    pub(super) fn persist_mode(self) -> fjall::PersistMode {
        match self {
            Self::Group => fjall::PersistMode::SyncData,
            Self::Buffered => fjall::PersistMode::Buffer,
        }
    }
}

/// Settings of a [`super::DiskStorage`].
#[derive(Debug, Clone)]
pub struct DiskOptions {
    /// Number of partitions of a new directory, 1 by default. A directory keeps the number that
    /// it was created with.
    pub partitions: u16,
    /// When a write counts as done.
    pub sync: Sync,
    /// How long the events of ended runs are kept; a day by default.
    pub event_retention: Duration,
    /// How long dead letters are kept; 30 days by default.
    pub dead_letter_retention: Duration,
    /// How many messages the inbox of a partition holds before more are refused as
    /// [`Overloaded`](crate::StorageError::Overloaded); 100,000 by default.
    pub inbox_max: u64,
    /// How much of the disk is kept free, in bytes; 128 MiB by default. With less than this free,
    /// new messages, items and cache entries are refused as
    /// [`Full`](crate::StorageError::Full); with less than half of it, all writes. They go on by
    /// themselves once there is room.
    pub free_bytes_min: u64,
    /// Memory for data that is read again, in bytes; 32 MiB by default.
    pub cache_bytes: u64,
    /// The time that leases, heartbeats and retention follow. By default the system's time at
    /// opening, and tokio's from then on.
    pub clock: Option<Clock>,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            partitions: 1,
            sync: Sync::default(),
            event_retention: EVENT_RETENTION,
            dead_letter_retention: DEAD_LETTER_RETENTION,
            inbox_max: INBOX_MAX,
            free_bytes_min: 128 << 20,
            cache_bytes: 32 << 20,
            clock: None,
        }
    }
}
