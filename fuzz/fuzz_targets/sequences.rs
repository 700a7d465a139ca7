//! Whatever operations in whatever order: the embedded store answers as the memory model does,
//! and holds the same in the end.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use rethread_storage::Storage;
use rethread_storage::conformance::differential::{PARTITIONS_USED, compare_chosen};
use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

async fn storage() -> (Arc<dyn Storage>, TempDir) {
    let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
    let directory = directory.expect("a temporary directory");
    let options = DiskOptions {
        partitions: PARTITIONS_USED,
        sync: Sync::Buffered,
        cache_bytes: 1 << 20,
        ..DiskOptions::default()
    };
    let storage = DiskStorage::open(directory.path(), options).expect("it opens");
    (Arc::new(storage), directory)
}

fuzz_target!(|data: &[u8]| {
    if let Err(difference) = RUNTIME.block_on(compare_chosen(data, storage)) {
        panic!("{difference}");
    }
});
