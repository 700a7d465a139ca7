//! Notices tables of different ages.
//!
//! All tables are written in one batch, but each keeps a part of what it has in files of its own,
//! and only the rest is in the journal. When the end of the journal is lost, a table may be ahead
//! of the others by what it had in its files. Each table therefore says with which group it was
//! written last, and the first one says that of all of them; after opening they must agree.

use fjall::{Keyspace, Readable, Snapshot};

use super::tables::{Tables, unreadable};
use super::values::{Reader, damaged};
use crate::{Result, StorageError};

/// Number of tables.
pub(super) const TABLES: usize = 7;

/// Where a table says its age: behind all keys that begin with a label, a tag, or the number of a
/// partition that there may be.
pub(super) const KEY: [u8; 1] = [0xff];

/// The group that each table was written with last; the first table is one of every group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ages([u64; TABLES]);

impl Ages {
    /// Reads the ages of open tables.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when they differ from what the first one says.
    pub(super) fn check(view: &Snapshot, tables: [&Keyspace; TABLES]) -> Result<Self> {
        let mut found = [0; TABLES];
        let mut said = Self::default();
        for (nth, table) in tables.into_iter().enumerate() {
            let Some(bytes) = view.get(table, KEY).map_err(unreadable)? else { continue };
            let mut reader = Reader(&bytes);
            found[nth] = reader.number().ok_or_else(|| damaged("the age of a table"))?;
            if nth == 0 {
                said.0[0] = found[0];
                for age in &mut said.0[1..] {
                    *age = reader.number().ok_or_else(|| damaged("the ages of the tables"))?;
                }
            }
            reader.end().ok_or_else(|| damaged("the age of a table"))?;
        }
        if found == said.0 {
            return Ok(said);
        }
        Err(StorageError::Corrupt {
            what: "the data directory".to_owned(),
            reason: format!(
                "a part of the journal is lost that some tables build on (written with {found:?}, should be {:?}): restore the directory from a backup",
                said.0
            ),
        })
    }

    /// The ages after a group that writes the marked tables, and the first one.
    pub(super) fn next(self, is_written: [bool; TABLES]) -> Self {
        let group = self.0[0] + 1;
        let mut ages = self.0;
        for (age, is_written) in ages.iter_mut().zip(is_written) {
            if is_written {
                *age = group;
            }
        }
        ages[0] = group;
        Self(ages)
    }

    /// What a table says.
    pub(super) fn encode(&self, table: usize) -> Vec<u8> {
        match table {
            0 => self.0.iter().flat_map(|age| age.to_be_bytes()).collect(),
            _ => self.0[table].to_be_bytes().to_vec(),
        }
    }
}

impl Tables {
    /// All tables, the one that every group writes first.
    pub(super) fn all(&self) -> [&Keyspace; TABLES] {
        let Self { live, threads, journals, checkpoints, events, items, cache, .. } = self;
        [live, threads, journals, checkpoints, events, items, cache]
    }
}
