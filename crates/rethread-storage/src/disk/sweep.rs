//! Deletes, a little at a time, what is not needed any more: logs of runs that ended long ago
//! and replaced journals.

use std::time::{Duration, Instant};

use fjall::{Keyspace, PersistMode, Readable};
use rethread_core::ids::Millis;

use super::keys;
use super::tables::{Tables, unreadable};
use super::values::{Reader, damaged};
use crate::{Result, StorageError};

/// Garbage in the events table.
pub(super) const EVENTS: u8 = b'e';

/// Garbage in the journals table.
pub(super) const JOURNALS: u8 = b'j';

/// Shortest time between two sweeps that find little.
const PAUSE: Duration = Duration::from_secs(1);

/// Most keys deleted by one sweep: about two milliseconds.
const KEYS_MAX: usize = 2_000;

/// Remembers where the last sweep stopped.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    /// All garbage that was due earlier is gone. Scanning from here steps over few tombstones.
    from: Millis,
    last: Option<Instant>,
    has_more: bool,
}

impl Sweeper {
    /// Whether it is time to sweep again.
    pub(super) fn is_due(&self) -> bool {
        self.has_more || self.last.is_none_or(|last| last.elapsed() >= PAUSE)
    }

    /// Deletes some of what is due at `now`.
    pub(super) fn sweep(&mut self, tables: &Tables, now: Millis) -> Result<()> {
        self.last = Some(Instant::now());
        self.has_more = false;
        let view = tables.view();
        let mut batch = tables.db.batch().durability(Some(PersistMode::Buffer));
        let mut from = self.from;
        let due = keys::garbage_from(self.from)..keys::garbage_from(now.plus(1));
        for garbage in view.range(&tables.live, due) {
            let garbage_key = garbage.key().map_err(unreadable)?;
            let (due, table, prefix) = parse(tables, &garbage_key)?;
            let room = KEYS_MAX.saturating_sub(batch.len());
            let mut found = 0;
            for pair in view.prefix(table, prefix).take(room) {
                batch.remove(table, pair.key().map_err(unreadable)?);
                found += 1;
            }
            if found == room {
                self.has_more = true;
                break;
            }
            batch.remove(&tables.live, garbage_key);
            from = due;
        }
        batch.commit().map_err(|error| StorageError::Unknown {
            reason: format!("writing to the data directory failed: {error}"),
        })?;
        self.from = from;
        Ok(())
    }
}

fn parse<'t, 'k>(tables: &'t Tables, key: &'k [u8]) -> Result<(Millis, &'t Keyspace, &'k [u8])> {
    let mut reader = Reader(key);
    let fields = reader.byte().zip(reader.number()).zip(reader.byte());
    let table = match fields {
        Some((_, EVENTS)) => &tables.events,
        Some((_, JOURNALS)) => &tables.journals,
        _ => return Err(damaged("a list of keys to be deleted")),
    };
    let due = fields.map_or(0, |((_, due), _)| due);
    Ok((Millis(due), table, reader.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(table: &Keyspace, prefix: &[u8]) -> usize {
        table.prefix(prefix).count()
    }

    #[test]
    fn garbage_goes_in_portions_when_it_is_due_and_nothing_else_goes() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let (tables, _) = Tables::open(directory.path(), 1, 1 << 20).expect("it opens");
        let mut batch = tables.db.batch();
        for n in 0..KEYS_MAX as u64 + 500 {
            for prefix in [&b"old"[..], b"new"] {
                batch.insert(&tables.journals, [prefix, &n.to_be_bytes()].concat(), &b"entry"[..]);
            }
        }
        for (due, prefix) in [(10, &b"old"[..]), (11, b"new")] {
            batch.insert(&tables.live, keys::garbage(Millis(due), JOURNALS, prefix), &b""[..]);
        }
        batch.commit().expect("it is written");

        let mut sweeper = Sweeper::default();
        sweeper.sweep(&tables, Millis(9)).expect("sweeps");
        assert_eq!(count(&tables.journals, b"old"), KEYS_MAX + 500, "it is not due");
        sweeper.sweep(&tables, Millis(10)).expect("sweeps");
        assert_eq!(count(&tables.journals, b"old"), 500, "the first portion");
        assert!(sweeper.is_due(), "there is more");
        sweeper.sweep(&tables, Millis(10)).expect("sweeps");
        assert_eq!(count(&tables.journals, b"old"), 0, "the rest");
        assert!(!sweeper.is_due(), "there is no hurry any more");
        assert_eq!(count(&tables.journals, b"new"), KEYS_MAX + 500, "it is not due");
        assert_eq!(count(&tables.live, &keys::garbage_from(Millis(10))), 0, "and forgotten");
    }
}
