//! Damaged data directories: the same data, a loud error, or a reported loss of the tail; never
//! anything else. More places:
//!
//! `RETHREAD_DAMAGES=10000 cargo test -p rethread-storage --lib damage -- --nocapture`

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::StorageError;
use crate::conformance::PARTITIONS;
use crate::conformance::history::{self, Finding, Prefix};
use crate::disk::{DiskOptions, DiskStorage, Sync};

const DAMAGES: &str = "RETHREAD_DAMAGES";
const DAMAGES_DEFAULT: usize = 60;
const COMMITS: u64 = 60;

fn count() -> usize {
    let count = std::env::var(DAMAGES).ok().and_then(|count| count.parse().ok());
    count.unwrap_or(DAMAGES_DEFAULT)
}

fn options() -> DiskOptions {
    DiskOptions { partitions: PARTITIONS, sync: Sync::Buffered, ..DiskOptions::default() }
}

fn temporary() -> TempDir {
    // In memory where that is possible: the directory is copied again and again.
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary directory")
}

/// Writes the history, a part of it to the tables' own files.
#[tokio::main(flavor = "current_thread")]
async fn written() -> TempDir {
    let directory = temporary();
    let storage = DiskStorage::open(directory.path(), options()).expect("it opens");
    let (lease, _) = history::acquire(&storage).await.expect("acquires");
    for number in 1..=COMMITS {
        history::submit(&storage, number).await.expect("submits");
        history::commit(&storage, lease, number).await.expect("commits");
        if number == COMMITS / 3 {
            let tables = &storage.inner.tables;
            for table in [&tables.live, &tables.threads, &tables.journals, &tables.items] {
                table.rotate_memtable_and_wait().expect("it is written out");
            }
        }
    }
    drop(storage);
    directory
}

/// All files under a directory, with where data ends in them.
fn files(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut rest = vec![directory.to_owned()];
    while let Some(directory) = rest.pop() {
        for entry in fs::read_dir(directory).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                rest.push(path);
            } else {
                let bytes = fs::read(&path).expect("readable");
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1);
                found.push((path, end));
            }
        }
    }
    found.sort();
    found
}

/// A copy in which one file was changed.
fn copy(from: &Path, changed: &Path, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let to = temporary();
    let mut change = Some(change);
    for (path, end) in files(from) {
        let target = to.path().join(path.strip_prefix(from).expect("invariant: it is under it"));
        fs::create_dir_all(target.parent().expect("invariant: it has one")).expect("writable");
        let mut bytes = fs::read(&path).expect("readable");
        bytes.truncate(end as usize);
        if path == changed
            && let Some(change) = change.take()
        {
            change(&mut bytes);
        }
        fs::write(target, bytes).expect("writable");
    }
    to
}

/// What became of a damaged directory.
#[derive(Debug)]
enum Outcome {
    Same,
    Loud,
    /// It has less, and says so.
    Shorter(u64),
    Wrong(String),
}

fn open_and_look(directory: &Path) -> Outcome {
    let look = || -> Result<(Prefix, u64), Finding> {
        let storage = DiskStorage::open(directory, options())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let left = runtime.block_on(history::look(&storage))?;
        Ok((left, storage.cut_off_bytes()))
    };
    match catch_unwind(AssertUnwindSafe(look)) {
        Ok(Ok((Prefix { commits: COMMITS, .. }, _))) => Outcome::Same,
        Ok(Ok((Prefix { commits, .. }, cut_off))) if cut_off > 0 => Outcome::Shorter(commits),
        Ok(Ok((left, _))) => Outcome::Wrong(format!("{left:?} without a word")),
        Ok(Err(Finding::Loud(_))) => Outcome::Loud,
        Ok(Err(Finding::Wrong(what))) => Outcome::Wrong(what),
        Err(_) => Outcome::Wrong("a panic".to_owned()),
    }
}

/// The newest journal.
fn newest_journal(directory: &Path) -> (PathBuf, u64) {
    let journals = files(directory)
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "jnl"));
    let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
    journals.max_by_key(|(path, _)| number(path)).expect("there is one")
}

#[test]
fn a_torn_tail_leaves_a_prefix_and_is_reported() {
    let directory = written();
    let (journal, end) = newest_journal(directory.path());
    let mut shortest = COMMITS;
    for nth in 0..count() as u64 {
        let keep = end * nth / count() as u64;
        let torn = copy(directory.path(), &journal, |bytes| bytes.truncate(keep as usize));
        match open_and_look(torn.path()) {
            Outcome::Same | Outcome::Loud => {}
            Outcome::Shorter(commits) => shortest = shortest.min(commits),
            // Cut between two writes, there is nothing to see but that the counters are older.
            Outcome::Wrong(what) if what.contains("without a word") => {}
            Outcome::Wrong(what) => panic!("cut to {keep} of {end}: {what}"),
        }
    }
    assert!(shortest < COMMITS / 2, "early cuts leave little: {shortest}");
}

#[test]
fn a_flipped_bit_is_never_taken_for_data() {
    let directory = written();
    let files = files(directory.path());
    let total: u64 = files.iter().map(|(_, end)| end).sum();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut same, mut loud, mut shorter) = (0, 0, 0);
    let count = count();
    let mut wrong = Vec::new();
    for nth in 0..count {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (mut at, bit) = ((state >> 8) % total, state >> 61);
        // Half of them fall on the small files, where each byte counts for more.
        let small = files.iter().filter(|(_, end)| (1..=4_096).contains(end)).count();
        let picked = if nth % 2 == 0 && small > 0 {
            let mut small = files.iter().filter(|(_, end)| (1..=4_096).contains(end)).cycle();
            let (path, end) = small.nth(nth / 2 % 1_000).expect("invariant: there are some");
            (path, at % end)
        } else {
            let hit = files.iter().find(|(_, end)| {
                let is_here = at < *end;
                if !is_here {
                    at -= end;
                }
                is_here
            });
            (&hit.expect("invariant: it is below the total").0, at)
        };
        let (path, at) = picked;
        let flipped = copy(directory.path(), path, |bytes| bytes[at as usize] ^= 1 << bit);
        match open_and_look(flipped.path()) {
            Outcome::Same => same += 1,
            Outcome::Loud => loud += 1,
            Outcome::Shorter(_) => shorter += 1,
            Outcome::Wrong(what) => {
                wrong.push(format!("bit {bit} of byte {at} of {path:?}: {what}"))
            }
        }
    }
    println!("{count} flipped bits: {same} without effect, {loud} loud, {shorter} shorter");
    assert!(wrong.is_empty(), "{} of {count}: {wrong:#?}", wrong.len());
}

#[test]
fn damage_in_an_older_journal_is_refused_from_then_on() {
    let directory = written();
    let (journal, end) = newest_journal(directory.path());
    let number: u64 = journal
        .file_stem()
        .and_then(|stem| stem.to_str()?.parse().ok())
        .expect("invariant: it is a journal");
    // A later journal that holds nothing yet, as after a change of journals.
    let damaged = copy(directory.path(), &journal, |bytes| bytes.truncate(end as usize - 3));
    let tables = damaged.path().join("fjall");
    fs::write(tables.join(format!("{}.jnl", number + 1)), []).expect("writable");
    for attempt in 1..=2 {
        let answer = DiskStorage::open(damaged.path(), options()).map(drop);
        assert!(matches!(answer, Err(StorageError::Corrupt { .. })), "{attempt}: {answer:?}");
    }
}
