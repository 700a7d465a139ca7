//! How much was written.

use fjall::PersistMode;

/// What a [`DiskStorage`](super::DiskStorage) has written since it was opened. Each group is one
/// write of the journal; what is written to the tables behind it, and what deletes what has
/// expired, does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Written {
    /// Groups of writes.
    pub groups: u64,
    /// Groups that were synced to disk before anybody was answered.
    pub syncs: u64,
    /// Rows that were put or removed.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl Written {
    /// Counts a row.
    pub(super) fn row(&mut self, bytes: usize) {
        self.rows += 1;
        self.bytes += bytes as u64;
    }

    /// Counts the group that all its rows are in.
    pub(super) fn group(&mut self, mode: PersistMode) {
        self.groups += 1;
        self.syncs += u64::from(mode != PersistMode::Buffer);
    }

    pub(super) fn add(&mut self, more: Self) {
        self.groups += more.groups;
        self.syncs += more.syncs;
        self.rows += more.rows;
        self.bytes += more.bytes;
    }
}
