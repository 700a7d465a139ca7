//! The disk adapter: the conformance suite in both sync modes, and what it keeps over a restart.
#![cfg(feature = "disk")]

mod directory;
mod faults;
mod full;
mod kill;
mod reopen;
mod reopen_more;
mod retention;

use std::path::Path;

use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};

/// Opens a directory with the partitions that the suite needs.
fn open(path: &Path, sync: Sync) -> DiskStorage {
    let partitions = rethread_storage::conformance::PARTITIONS;
    let inbox_max = rethread_storage::conformance::INBOX_MAX;
    let options = DiskOptions { partitions, sync, inbox_max, ..DiskOptions::default() };
    DiskStorage::open(path, options).expect("the directory opens")
}

mod synced {
    use std::sync::Arc;

    use rethread_storage::Storage;
    use tempfile::TempDir;

    async fn storage() -> (Arc<dyn Storage>, TempDir) {
        let directory = TempDir::new().expect("a temporary directory");
        (Arc::new(super::open(directory.path(), super::Sync::Group)), directory)
    }

    rethread_storage::conformance_suite!(storage);
}

mod buffered {
    use std::sync::Arc;

    use rethread_storage::Storage;
    use tempfile::TempDir;

    async fn storage() -> (Arc<dyn Storage>, TempDir) {
        let directory = TempDir::new().expect("a temporary directory");
        (Arc::new(super::open(directory.path(), super::Sync::Buffered)), directory)
    }

    rethread_storage::conformance_suite!(storage);
}
