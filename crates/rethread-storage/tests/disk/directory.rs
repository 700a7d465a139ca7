//! Who may open a directory.

use std::fs;

use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};
use rethread_storage::{Durability, Storage, StorageError};
use tempfile::TempDir;

use crate::open;

fn try_open(directory: &TempDir) -> Result<DiskStorage, StorageError> {
    DiskStorage::open(directory.path(), DiskOptions::default())
}

fn temporary() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

#[test]
fn a_directory_is_opened_once() {
    let directory = temporary();
    let first = try_open(&directory).expect("it opens");
    for _ in 0..3 {
        let error = try_open(&directory).expect_err("it is in use");
        assert_eq!(error, StorageError::Locked { path: directory.path().display().to_string() });
        assert!(error.to_string().contains(&directory.path().display().to_string()), "{error}");
    }
    let clone = first.clone();
    drop(first);
    assert!(matches!(try_open(&directory), Err(StorageError::Locked { .. })), "a clone is left");
    drop(clone);
    try_open(&directory).expect("it is free again");
}

#[test]
fn missing_directories_are_created_for_the_owner_only() {
    let directory = temporary();
    let path = directory.path().join("some/where");
    DiskStorage::open(&path, DiskOptions::default()).expect("it opens");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_foreign_directory_is_refused_and_left_as_it_is() {
    let directory = temporary();
    fs::write(directory.path().join("thesis.tex"), "…").expect("a file");
    let error = try_open(&directory).expect_err("it is foreign");
    assert!(matches!(error, StorageError::Config { .. }), "{error:?}");
    assert!(error.to_string().contains("thesis.tex"), "{error}");
    let names = fs::read_dir(directory.path()).expect("readable").count();
    assert_eq!(names, 1, "nothing was added");
}

#[test]
fn a_foreign_format_file_is_refused() {
    for text in ["", "parquet 2\n", "rethread\n", "rethread one\n"] {
        let directory = temporary();
        fs::write(directory.path().join("FORMAT"), text).expect("a file");
        let error = try_open(&directory).expect_err("it is foreign");
        assert!(matches!(error, StorageError::Config { .. }), "{text:?}: {error:?}");
    }
}

#[test]
fn a_future_format_is_refused() {
    let directory = temporary();
    drop(try_open(&directory).expect("it opens"));
    fs::write(directory.path().join("FORMAT"), "rethread 3\nsomething new\n").expect("a file");
    let error = try_open(&directory).expect_err("it is newer");
    assert!(matches!(error, StorageError::Config { .. }), "{error:?}");
    assert!(error.to_string().contains("format 3"), "{error}");
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let directory = temporary();
    let path = directory.path().join("file");
    fs::write(&path, "x").expect("a file");
    let error = DiskStorage::open(&path, DiskOptions::default()).expect_err("it is a file");
    assert!(matches!(error, StorageError::Config { .. }), "{error:?}");
}

#[test]
fn a_creation_that_was_cut_off_is_begun_again() {
    let directory = temporary();
    drop(try_open(&directory).expect("it opens"));
    // The format is written last: without it nothing was ever acknowledged.
    fs::remove_file(directory.path().join("FORMAT")).expect("it is there");
    fs::remove_file(directory.path().join("fjall/version")).expect("it is there");
    try_open(&directory).expect("it opens again");
}

#[test]
fn the_number_of_partitions_stays() {
    let directory = temporary();
    drop(open(directory.path(), Sync::Group));
    let storage = try_open(&directory).expect("it opens");
    assert_eq!(storage.partitions(), rethread_storage::conformance::PARTITIONS);
}

#[test]
fn durability_follows_the_sync_mode() {
    let directory = temporary();
    assert_eq!(open(directory.path(), Sync::Group).durability(), Durability::Disk);
    assert_eq!(open(directory.path(), Sync::Buffered).durability(), Durability::Process);
}

#[test]
fn a_directory_of_the_format_before_is_read_and_brought_up_to_date() {
    let directory = temporary();
    drop(open(directory.path(), Sync::Group));
    let format = directory.path().join("FORMAT");
    let now = fs::read_to_string(&format).expect("readable");
    assert_eq!(now, "rethread 2\npartitions 4\n");
    fs::write(&format, "rethread 1\npartitions 4\n").expect("a file");
    let storage = try_open(&directory).expect("it opens");
    assert_eq!(storage.partitions(), 4);
    drop(storage);
    assert_eq!(fs::read_to_string(&format).expect("readable"), now, "older versions refuse it");
}
