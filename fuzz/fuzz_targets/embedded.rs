//! Whatever bytes stand in a file of the embedded store: it opens with what was written, opens
//! with a part of it and says so, or says what is damaged.
//!
//! The first byte chooses the file, the next three the place; the rest is written there.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rethread_storage::conformance::PARTITIONS;
use rethread_storage::conformance::history::{self, Finding};
use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const COMMITS: u64 = 8;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

static FILES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let directory = temporary();
    RUNTIME.block_on(write(directory.path()));
    let mut files = Vec::new();
    read_all(directory.path(), directory.path(), &mut files);
    files.sort();
    // Its panics are made to errors; the fuzzer would take them for crashes.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    files
});

fn temporary() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary directory")
}

fn options() -> DiskOptions {
    let cache_bytes = 1 << 20;
    let partitions = PARTITIONS;
    DiskOptions { partitions, sync: Sync::Buffered, cache_bytes, ..DiskOptions::default() }
}

async fn write(directory: &Path) {
    let storage = DiskStorage::open(directory, options()).expect("it opens");
    let (lease, _) = history::acquire(&storage).await.expect("acquires");
    for number in 1..=COMMITS {
        history::submit(&storage, number).await.expect("submits");
        history::commit(&storage, lease, number).await.expect("commits");
    }
}

fn read_all(root: &Path, directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read_all(root, &path, files);
            continue;
        }
        let mut bytes = fs::read(&path).expect("readable");
        if path.extension().is_some_and(|extension| extension == "jnl") {
            // They are made larger than what is in them.
            bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1));
        }
        files.push((path.strip_prefix(root).expect("it is under it").to_owned(), bytes));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[file, a, b, c], changed)) = data.split_first_chunk() else { return };
    let directory = temporary();
    let meant = usize::from(file) % FILES.len();
    for (nth, (name, bytes)) in FILES.iter().enumerate() {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("writable");
        let mut bytes = bytes.clone();
        if nth == meant && !bytes.is_empty() {
            let at = u32::from_be_bytes([0, a, b, c]) as usize % bytes.len();
            for (byte, new) in bytes[at..].iter_mut().zip(changed) {
                *byte = *new;
            }
        }
        fs::write(path, bytes).expect("writable");
    }
    RUNTIME.block_on(look(directory.path()));
});

async fn look(directory: &Path) {
    let Ok(storage) = DiskStorage::open(directory, options()) else { return };
    match history::look(&storage).await {
        Ok(left) => assert!(left.commits == COMMITS || storage.cut_off_bytes() > 0, "{left:?}"),
        Err(Finding::Loud(_)) => {}
        Err(Finding::Wrong(what)) => panic!("{what}"),
    }
}
