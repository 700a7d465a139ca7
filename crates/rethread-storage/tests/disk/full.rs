//! A disk that runs full, on a small file system in memory where one can be mounted.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

use rethread_storage::StorageError;
use rethread_storage::conformance::{PARTITIONS, history};
use rethread_storage::disk::{DiskOptions, DiskStorage};
use tempfile::TempDir;

/// A mounted file system of 24 MiB.
struct Mounted(TempDir);

impl Mounted {
    /// None where this process may not mount.
    fn new() -> Option<Self> {
        let directory = TempDir::new().expect("a temporary directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(directory.path());
        let mounted = mount.output().ok()?.status.success();
        mounted.then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Fails only when something is still open, which the test has reported then.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_goes_on_when_there_is_room() {
    let Some(disk) = Mounted::new() else {
        println!("skipped: this process may not mount a file system");
        return;
    };
    let options =
        DiskOptions { partitions: PARTITIONS, free_bytes_min: 8 << 20, ..DiskOptions::default() };
    let data = disk.path().join("data");
    let storage = DiskStorage::open(&data, options.clone()).expect("it opens");
    let (lease, _) = history::acquire(&storage).await.expect("acquires");
    for number in 1..=20 {
        history::submit(&storage, number).await.expect("submits");
        history::commit(&storage, lease, number).await.expect("commits");
    }
    history::submit(&storage, 21).await.expect("submits");

    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 17 << 20]).expect("there is room");
    let refused = history::submit(&storage, 22).await;
    assert!(matches!(refused, Err(StorageError::Full { .. })), "{refused:?}");
    assert_eq!(history::look(&storage).await.expect("reads go on").commits, 20);

    fs::remove_file(&ballast).expect("it is there");
    let (lease, _) = history::acquire(&storage).await.expect("acquires");
    history::commit(&storage, lease, 21).await.expect("there is room again");
    drop(storage);
    let storage = DiskStorage::open(&data, options).expect("it opens");
    assert_eq!(history::look(&storage).await.expect("it is whole").commits, 21);
}
