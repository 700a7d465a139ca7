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

/// The files of a directory, journals without the zeros that follow their data.
struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    fn of(directory: &Path) -> Self {
        let mut found = Vec::new();
        let mut rest = vec![directory.to_owned()];
        while let Some(inner) = rest.pop() {
            for entry in fs::read_dir(inner).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    rest.push(path);
                    continue;
                }
                let mut bytes = fs::read(&path).expect("readable");
                if path.extension().is_some_and(|extension| extension == "jnl") {
                    let last = bytes.iter().rposition(|byte| *byte != 0);
                    bytes.truncate(last.map_or(0, |at| at + 1));
                }
                let name = path.strip_prefix(directory).expect("invariant: it is under it");
                found.push((name.to_owned(), bytes));
            }
        }
        found.sort();
        Self(found)
    }

    /// A directory with these files, of which one is changed.
    fn with(&self, changed: usize, change: impl FnOnce(&mut Vec<u8>)) -> TempDir {
        let directory = temporary();
        let mut change = Some(change);
        for (nth, (name, bytes)) in self.0.iter().enumerate() {
            let path = directory.path().join(name);
            let inner = path.parent().expect("invariant: it is under the directory");
            fs::create_dir_all(inner).expect("writable");
            match change.take_if(|_| nth == changed) {
                None => fs::write(path, bytes).expect("writable"),
                Some(change) => {
                    let mut bytes = bytes.clone();
                    change(&mut bytes);
                    fs::write(path, bytes).expect("writable");
                }
            }
        }
        directory
    }

    /// The newest journal: its place, number and length.
    fn newest_journal(&self) -> (usize, u64, usize) {
        let journals = self.0.iter().enumerate().filter_map(|(nth, (name, bytes))| {
            let is_journal = name.extension().is_some_and(|extension| extension == "jnl");
            let number = name.file_stem()?.to_str()?.parse().ok();
            Some((nth, number.filter(|_| is_journal)?, bytes.len()))
        });
        journals.max_by_key(|(_, number, _)| *number).expect("there is one")
    }
}

/// What became of a damaged directory.
#[derive(Debug)]
enum Outcome {
    Same,
    Loud,
    /// It has less, and says so.
    Shorter(u64),
    /// It has less.
    Silent(u64),
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
        Ok(Ok((left, _))) => Outcome::Silent(left.commits),
        Ok(Err(Finding::Loud(_))) => Outcome::Loud,
        Ok(Err(Finding::Wrong(what))) => Outcome::Wrong(what),
        Err(_) => Outcome::Wrong("a panic".to_owned()),
    }
}

#[test]
fn a_torn_tail_leaves_a_prefix_and_is_reported() {
    let directory = written();
    let files = Files::of(directory.path());
    let (journal, _, end) = files.newest_journal();
    let (mut shortest, mut reported, mut loud) = (COMMITS, 0, 0);
    for nth in 0..count() {
        let keep = end * nth / count();
        let torn = files.with(journal, |bytes| bytes.truncate(keep));
        match open_and_look(torn.path()) {
            Outcome::Same => {}
            // Some tables have in their files what is cut off here.
            Outcome::Loud => loud += 1,
            Outcome::Shorter(commits) => {
                (shortest, reported) = (shortest.min(commits), reported + 1)
            }
            // Cut between two writes: an older state, of which nothing is missing.
            Outcome::Silent(commits) => shortest = shortest.min(commits),
            Outcome::Wrong(what) => panic!("cut to {keep} of {end}: {what}"),
        }
    }
    assert!(matches!(open_and_look(files.with(journal, |_| {}).path()), Outcome::Same), "a copy");
    println!(
        "{} torn tails: {reported} reported, {loud} loud, the shortest has {shortest} commits",
        count()
    );
    assert!(shortest < COMMITS / 2 && reported > count() / 3 && loud > 0, "{shortest}");
}

#[test]
fn a_flipped_bit_is_never_taken_for_data() {
    let directory = written();
    let files = Files::of(directory.path());
    let total: usize = files.0.iter().map(|(_, bytes)| bytes.len()).sum();
    let small: Vec<_> = (0..files.0.len()).filter(|n| is_small(&files.0[*n].1)).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut same, mut loud, mut shorter, mut wrong) = (0, 0, 0, Vec::new());
    for nth in 0..count() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (mut at, bit) = ((state >> 8) as usize % total, state >> 61);
        let mut file = 0;
        if nth.is_multiple_of(2) {
            // Half of them fall on the small files, where each byte counts for more.
            file = small[nth / 2 % small.len()];
            at %= files.0[file].1.len();
        } else {
            while at >= files.0[file].1.len() {
                at -= files.0[file].1.len();
                file += 1;
            }
        }
        let flipped = files.with(file, |bytes| bytes[at] ^= 1 << bit);
        match open_and_look(flipped.path()) {
            Outcome::Same => same += 1,
            Outcome::Loud => loud += 1,
            Outcome::Shorter(_) => shorter += 1,
            Outcome::Silent(commits) => {
                wrong.push(format!("{:?} {at} {bit}: {commits} commits", files.0[file].0));
            }
            Outcome::Wrong(what) => {
                wrong.push(format!("{:?} {at} {bit}: {what}", files.0[file].0));
            }
        }
    }
    println!("{} flipped bits: {same} without effect, {loud} loud, {shorter} shorter", count());
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), count());
}

fn is_small(bytes: &[u8]) -> bool {
    (1..=4_096).contains(&bytes.len())
}

#[test]
fn damage_in_an_older_journal_is_refused_from_then_on() {
    let directory = written();
    let files = Files::of(directory.path());
    let (journal, number, end) = files.newest_journal();
    let damaged = files.with(journal, |bytes| bytes[end / 2..].fill(0xff));
    // A later journal that holds nothing yet, as after a change of journals.
    fs::write(damaged.path().join(format!("fjall/{}.jnl", number + 1)), []).expect("writable");
    for attempt in 1..=2 {
        let answer = DiskStorage::open(damaged.path(), options()).map(drop);
        assert!(matches!(answer, Err(StorageError::Corrupt { .. })), "{attempt}: {answer:?}");
    }
}

/// The tables are deleted by whoever opens them then.
#[test]
fn a_table_that_has_lost_its_manifest_is_refused() {
    let directory = written();
    let tables = |directory: &Path| {
        let entries = fs::read_dir(directory.join("fjall/keyspaces")).expect("readable");
        let mut tables: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        tables.sort_by_key(|path| path.file_name().and_then(|it| it.to_str()?.parse::<u64>().ok()));
        tables
    };
    let files = Files::of(directory.path());
    let count = tables(directory.path()).len();
    for nth in 0..count - 1 {
        let copy = files.with(usize::MAX, |_| {});
        fs::remove_file(tables(copy.path())[nth].join("current")).expect("it is there");
        let outcome = open_and_look(copy.path());
        assert!(matches!(outcome, Outcome::Loud), "table {nth}: {outcome:?}");
    }
}

#[test]
fn a_batch_that_claims_to_be_older_is_refused() {
    let directory = written();
    let files = Files::of(directory.path());
    let (journal, _, _) = files.newest_journal();
    let starts: Vec<usize> = starts_of_batches(&files.0[journal].1);
    assert!(starts.len() as u64 >= COMMITS, "{} batches", starts.len());
    for start in starts.iter().skip(1) {
        let number = start + 5;
        let older = files.with(journal, |bytes| {
            let was = u64::from_le_bytes(bytes[number..number + 8].try_into().expect("8 bytes"));
            bytes[number..number + 8].copy_from_slice(&(was / 2).to_le_bytes());
        });
        assert!(matches!(open_and_look(older.path()), Outcome::Loud), "at {start}");
    }
}

/// Where batches start: behind the end of another one.
fn starts_of_batches(journal: &[u8]) -> Vec<usize> {
    let ends = journal.windows(5).enumerate();
    let behind = ends.filter(|(_, window)| window == b"FJL\x03\x01").map(|(at, _)| at + 4);
    std::iter::once(0).chain(behind).collect()
}
