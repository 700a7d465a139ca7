//! Notices what opening the tables cuts off their journals.
//!
//! After a crash in the middle of a write the newest journal ends with a part of it, which nobody
//! was told is stored. The tables cut it off and go on; they do the same where damage makes a
//! journal unreadable from some place on. That is only known by looking at the files before and
//! after: the rest of a journal that was written and is there no more.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::sequence::Sequence;
use crate::{Result, StorageError};

/// How much is read at once.
const PORTION: u64 = 64 << 10;

/// In the data directory: says that a journal lost something that later ones build on.
const DAMAGED_FILE: &str = "DAMAGED";

/// Where the journals ended before the tables were opened, the oldest first.
#[derive(Debug)]
pub(super) struct Tails(Vec<(PathBuf, u64)>);

impl Tails {
    /// Looks at the journals of a data directory whose tables are in `tables`.
    ///
    /// # Errors
    /// When it was found before that a journal lost something in its middle, or when the order of
    /// the writes in them is damaged; when files cannot be read.
    pub(super) fn look(path: &Path, tables: &Path) -> Result<Self> {
        if path.join(DAMAGED_FILE).exists() {
            return Err(damaged_for_good(path));
        }
        let failed = |error: io::Error| StorageError::Config {
            reason: format!("cannot read the journals in {}: {error}", tables.display()),
        };
        let mut journals = Vec::new();
        for entry in fs::read_dir(tables).map_err(failed)? {
            let journal = entry.map_err(failed)?.path();
            let name = journal.file_stem().and_then(|stem| stem.to_str()).map(str::parse::<u64>);
            let is_journal = journal.extension().is_some_and(|extension| extension == "jnl");
            if let (Some(Ok(number)), true) = (name, is_journal) {
                let end = end_of_data(&journal).map_err(failed)?;
                journals.push((number, journal, end));
            }
        }
        journals.sort();
        let mut sequence = Sequence::default();
        for (nth, (_, journal, end)) in journals.iter().enumerate() {
            let whole = sequence.walk(journal)?;
            let is_newest = nth + 1 == journals.len();
            if whole < *end && !is_newest {
                return Err(refuse_for_good(path, journal, end - whole));
            }
        }
        Ok(Self(journals.into_iter().map(|(_, journal, end)| (journal, end)).collect()))
    }

    /// Compares with what is left; returns how many bytes the newest journal lost.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when another one did: what later journals hold was written on
    /// top of it. The directory is refused from then on.
    pub(super) fn compare(self, path: &Path) -> Result<u64> {
        let newest = self.0.len().saturating_sub(1);
        let mut lost = 0;
        for (nth, (journal, end)) in self.0.into_iter().enumerate() {
            // One that is gone was written out to the tables as a whole.
            let Ok(now) = fs::metadata(&journal) else { continue };
            let cut_off = end.saturating_sub(now.len());
            if cut_off > 0 && nth < newest {
                return Err(refuse_for_good(path, &journal, cut_off));
            }
            lost = cut_off;
        }
        if lost > 0 {
            tracing::warn!(
                path = %path.display(),
                bytes = lost,
                "the end of the journal could not be read and was cut off: after a crash that is a write that nobody was told is done, otherwise the disk has lost or damaged data"
            );
        }
        Ok(lost)
    }
}

/// Leaves a note that a journal lost something that later ones build on.
fn refuse_for_good(path: &Path, journal: &Path, bytes: u64) -> StorageError {
    let note = format!("{} lost its last {bytes} bytes\n", journal.display());
    // The answer is the same if it cannot be written; only later ones may not be.
    let _ = fs::write(path.join(DAMAGED_FILE), note);
    damaged_for_good(path)
}

fn damaged_for_good(path: &Path) -> StorageError {
    StorageError::Corrupt {
        what: format!("the data in {}", path.display()),
        reason: format!(
            "a journal has lost something that later ones build on (see the file {DAMAGED_FILE} there): restore the directory from a backup"
        ),
    }
}

/// The place behind the last byte that is not zero: journals are made larger than what is in them.
fn end_of_data(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut portion = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PORTION);
        file.seek(SeekFrom::Start(start))?;
        portion.clear();
        file.by_ref().take(end - start).read_to_end(&mut portion)?;
        if let Some(last) = portion.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(directory: &Path, number: u64, bytes: &[u8]) -> PathBuf {
        let path = directory.join(format!("{number}.jnl"));
        fs::write(&path, bytes).expect("it is written");
        path
    }

    #[test]
    fn the_end_of_the_data_is_found() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        for (bytes, end) in [(vec![], 0), (vec![0; 200_000], 0), (vec![1, 0, 2], 3)] {
            assert_eq!(end_of_data(&journal(directory.path(), 0, &bytes)).expect("reads"), end);
        }
        let mut long = vec![0; 300_000];
        long[70_000] = 1;
        assert_eq!(end_of_data(&journal(directory.path(), 0, &long)).expect("reads"), 70_001);
    }

    /// Batches without items.
    fn batches(numbers: &[u8]) -> Vec<u8> {
        let batch = |number: &u8| {
            let start = [1, 0, 0, 0, 0, *number, 0, 0, 0, 0, 0, 0, 0];
            let end = [3, 0, 0, 0, 0, 0, 0, 0, 0, b'F', b'J', b'L', 3];
            [start, end]
        };
        numbers.iter().flat_map(batch).flatten().collect()
    }

    #[test]
    fn what_the_newest_journal_loses_is_told_and_what_another_loses_refused() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let path = directory.path();
        let older = journal(path, 9, &batches(&[1, 2]));
        let newer = journal(path, 10, &[1; 10]);
        let look = || Tails::look(path, path);
        assert_eq!(look().expect("looks").compare(path), Ok(0));
        let tails = look().expect("looks");
        fs::write(&newer, [1; 7]).expect("it is cut off");
        assert_eq!(tails.compare(path), Ok(3));
        let tails = look().expect("looks");
        fs::write(&older, batches(&[1])).expect("it is cut off");
        assert!(matches!(tails.compare(path), Err(StorageError::Corrupt { .. })));
        assert!(matches!(look(), Err(StorageError::Corrupt { .. })), "from then on");
    }

    #[test]
    fn a_journal_that_ends_within_a_batch_is_refused_before_the_tables_see_it() {
        let whole = batches(&[1, 2]);
        for (torn, is_newest) in [(40, false), (40, true), (26, false), (52, false)] {
            let directory = tempfile::TempDir::new().expect("a temporary directory");
            let path = directory.path();
            journal(path, 9, &whole[..torn]);
            if !is_newest {
                journal(path, 10, &[]);
            }
            let is_refused = Tails::look(path, path).is_err();
            assert_eq!(is_refused, torn == 40 && !is_newest, "{torn}");
        }
    }

    #[test]
    fn the_start_of_a_batch_that_was_torn_in_its_number_is_cut_off_like_any_other() {
        let whole = batches(&[200, 201]);
        // Of the number of the third one, zeros were on the disk when the power went.
        let torn = [&whole[..], &[1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let path = directory.path();
        let newest = journal(path, 9, &torn);
        Tails::look(path, path).expect("nobody was told that it is stored");
        fs::write(&newest, [&torn[..], &batches(&[202])[13..]].concat()).expect("it is written");
        Tails::look(path, path).expect_err("a whole batch with such a number is damaged");
    }

    #[test]
    fn batches_whose_numbers_do_not_grow_are_refused() {
        for (older, newer, is_whole) in [
            (vec![1, 2], vec![3], true),
            (vec![2, 1], vec![3], false),
            (vec![1, 3], vec![3], false),
        ] {
            let directory = tempfile::TempDir::new().expect("a temporary directory");
            let path = directory.path();
            journal(path, 9, &batches(&older));
            journal(path, 10, &batches(&newer));
            assert_eq!(Tails::look(path, path).is_ok(), is_whole, "{older:?} {newer:?}");
        }
    }
}
