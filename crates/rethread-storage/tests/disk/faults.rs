//! Disks that fail: a write or a sync returns an error at every possible place.
//!
//! A child process writes with a library in front of the C library that lets one call fail. Once
//! something failed, all writes are refused, reads go on, and the directory opens again with
//! everything that was acknowledged. At every place:
//!
//! `RETHREAD_FAULT_PLACES=all cargo test -p rethread-storage --test disk faults`
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use rethread_storage::conformance::history;
use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};
use rethread_storage::{Storage, StorageError};
use tempfile::TempDir;

use crate::kill::say;
use crate::open;

const DIRECTORY: &str = "RETHREAD_FAULT_TEST_DIRECTORY";
const PLACES: &str = "RETHREAD_FAULT_PLACES";
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Commits of a child.
const COMMITS: u64 = 12;

/// About how many places are tried by default.
const SAMPLES: u64 = 20;

/// Refused writes that a child tries after the first.
const REFUSED: u64 = 3;

#[test]
fn a_failed_sync_loses_nothing_that_was_acknowledged() {
    at_every_place("faults::a_failed_sync_loses_nothing_that_was_acknowledged", "sync", EIO);
}

#[test]
fn a_failed_write_loses_nothing_that_was_acknowledged() {
    at_every_place("faults::a_failed_write_loses_nothing_that_was_acknowledged", "write", EIO);
}

#[test]
fn a_disk_that_is_full_loses_nothing_that_was_acknowledged() {
    let test = "faults::a_disk_that_is_full_loses_nothing_that_was_acknowledged";
    at_every_place(test, "write", ENOSPC);
}

fn at_every_place(test: &str, call: &str, error: i32) {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        return write_until_refused(Path::new(&directory));
    }
    let all = std::env::var(PLACES).as_deref() == Ok("all");
    let tools = TempDir::new().expect("a temporary directory");
    let shim = compile_shim(tools.path());
    let faultless = Fault { call, place: 0, error, lasts: false };
    let directory = TempDir::new().expect("a temporary directory");
    let told = run(test, &shim, directory.path(), faultless);
    assert!(told.is_done && told.calls > COMMITS, "{told:?}");
    let (mut places, mut closed, mut refusals) = (0, 0, 0);
    // The first ones open the directory, and the last ones close it.
    for place in 1..=told.calls {
        if !all && !place.is_multiple_of(told.calls / SAMPLES + 1) {
            continue;
        }
        let directory = TempDir::new().expect("a temporary directory");
        let fault = Fault { call, place, error, lasts: place.is_multiple_of(2) };
        let told = run(test, &shim, directory.path(), fault);
        places += 1;
        closed += u64::from(told.is_closed);
        refusals += u64::from(told.was_refused);
        check(directory.path(), &told, fault);
    }
    println!(
        "{call} fails with {error}: at {places} of {} places, {closed} while it opened, {refusals} with refused writes from then on",
        told.calls
    );
    assert!(refusals > 0, "the faults were seen");
}

#[derive(Debug, Clone, Copy)]
struct Fault<'a> {
    call: &'a str,
    place: u64,
    error: i32,
    lasts: bool,
}

/// Compiles the library that lets calls fail.
fn compile_shim(directory: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/shim.c");
    let library = directory.join("shim.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-D_FILE_OFFSET_BITS=64", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .expect("a C compiler named cc is there");
    assert!(compiled.success(), "the library compiles");
    library
}

/// What a child said.
#[derive(Debug, Default)]
struct Told {
    committed: u64,
    submitted: u64,
    /// A write failed or was refused.
    was_refused: bool,
    /// It wrote everything.
    is_done: bool,
    /// It did not get to the first write.
    is_closed: bool,
    /// How many calls it made.
    calls: u64,
}

fn run(test: &str, shim: &Path, directory: &Path, fault: Fault<'_>) -> Told {
    let count = shim.with_extension("count");
    let output = Command::new(std::env::current_exe().expect("the path of this test"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env("LD_PRELOAD", shim)
        .env("SHIM_DIRECTORY", directory)
        .env("SHIM_COUNT", &count)
        .env("SHIM_CALL", fault.call)
        .env("SHIM_AT", fault.place.to_string())
        .env("SHIM_ERROR", fault.error.to_string())
        .env("SHIM_LASTS", u8::from(fault.lasts).to_string())
        .output()
        .expect("a child process");
    let calls = std::fs::read_to_string(count).ok().and_then(|count| count.parse().ok());
    let mut told = Told { calls: calls.expect("the library counted"), ..Told::default() };
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines() {
        // The first of them follows the name of the test.
        let line = line.rsplit("... ").next().unwrap_or(line);
        let mut words = line.split(' ');
        match (words.next(), words.next().and_then(|n| n.parse().ok())) {
            (Some("committed"), Some(number)) => told.committed = number,
            (Some("submitted"), Some(number)) => told.submitted = number,
            (Some("refused"), _) => told.was_refused = true,
            (Some("done"), _) => told.is_done = true,
            (Some("closed"), _) => told.is_closed = true,
            _ => {}
        }
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{fault:?}: {told:?}\n{text}\n{errors}");
    told
}

#[tokio::main(flavor = "current_thread")]
async fn write_until_refused(directory: &Path) {
    let partitions = rethread_storage::conformance::PARTITIONS;
    let options = DiskOptions { partitions, sync: Sync::Group, ..DiskOptions::default() };
    let Ok(storage) = DiskStorage::open(directory, options) else { return say("closed", 0) };
    let Ok((lease, _)) = history::acquire(&storage).await else {
        return refuses_from_now_on(&storage, 0).await;
    };
    for number in 1..=COMMITS {
        if history::submit(&storage, number).await.is_err() {
            return refuses_from_now_on(&storage, number).await;
        }
        say("submitted", number);
        if history::commit(&storage, lease, number).await.is_err() {
            return refuses_from_now_on(&storage, number).await;
        }
        say("committed", number);
    }
    say("done", 0);
}

/// A write failed: no later one may succeed, and what is there can be read.
async fn refuses_from_now_on(storage: &DiskStorage, number: u64) {
    say("refused", number);
    assert!(storage.check_health().await.is_err(), "it says so");
    for later in 0..REFUSED {
        let answer = history::submit(storage, 1_000 + later).await;
        let is_refused =
            matches!(answer, Err(StorageError::Unavailable { .. } | StorageError::Full { .. }));
        assert!(is_refused, "{answer:?}");
    }
    let partition = rethread_core::ids::PartitionId(1);
    storage.list_threads(partition, None, 10).await.expect("reads go on");
    storage.queued_orders(partition).await.expect("reads go on");
}

#[tokio::main(flavor = "current_thread")]
async fn check(directory: &Path, told: &Told, fault: Fault<'_>) {
    let storage = open(directory, Sync::Group);
    let left = match history::look(&storage).await {
        Ok(left) => left,
        Err(finding) => panic!("{fault:?}: {told:?}: {finding:?}"),
    };
    let context = format!("{fault:?}: {left:?}, {told:?}");
    assert!((told.committed..=told.committed + 1).contains(&left.commits), "{context}");
    assert!(told.submitted <= left.commits || left.has_next_message, "{context}");
    // It works again.
    let (lease, last) = history::acquire(&storage).await.expect("acquires");
    history::submit(&storage, last + 1).await.expect("submits");
    history::commit(&storage, lease, last + 1).await.expect("commits");
}
