//! A write that failed: memory is ahead of the disk from then on, and the tables take no more.

use std::io::ErrorKind;

use crate::StorageError;

/// Why a write failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwritten {
    reason: String,
    is_full: bool,
}

impl Unwritten {
    pub(super) fn new(error: &fjall::Error) -> Self {
        let is_full = match error {
            fjall::Error::Io(error) => {
                matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
            }
            _ => false,
        };
        Self { reason: format!("writing to the data directory failed: {error}"), is_full }
    }

    /// What those are told whose write it was: it may be there when the directory is opened again.
    pub(super) fn to_writers(&self) -> StorageError {
        StorageError::Unknown { reason: self.reason.clone() }
    }

    /// What those are told who want to write later.
    pub(super) fn to_later_writers(&self) -> StorageError {
        let reason = format!("restart the process, an earlier write failed: {}", self.reason);
        match self.is_full {
            true => StorageError::Full { reason },
            false => StorageError::Unavailable { reason },
        }
    }
}
