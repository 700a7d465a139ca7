//! The disk adapter against the memory adapter, by random sequences of operations.
//!
//! `cargo test -p rethread-storage --test differential -- --sequences 10000 --seed 1`

use std::process::ExitCode;
use std::sync::Arc;

use rethread_storage::Storage;
use rethread_storage::conformance::differential::{Campaign, PARTITIONS_USED};
use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};
use tempfile::TempDir;

async fn storage() -> (Arc<dyn Storage>, TempDir) {
    // In memory where that is possible: each sequence opens a directory of its own.
    let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
    let directory = directory.expect("a temporary directory");
    let options =
        DiskOptions { partitions: PARTITIONS_USED, sync: Sync::Buffered, ..DiskOptions::default() };
    let storage = DiskStorage::open(directory.path(), options).expect("it opens");
    (Arc::new(storage), directory)
}

#[tokio::main]
async fn main() -> ExitCode {
    let campaign = Campaign::from_arguments(Campaign { sequences: 50, seed: 1 });
    match campaign.run(storage).await {
        Ok(()) => {
            println!("{campaign:?}: the answers are the same");
            ExitCode::SUCCESS
        }
        Err(difference) => {
            println!("{difference}");
            ExitCode::FAILURE
        }
    }
}
