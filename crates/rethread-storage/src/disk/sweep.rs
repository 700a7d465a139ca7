//! Deletes, a little at a time, what is not needed any more: logs of runs that ended long ago,
//! replaced journals, what is left of deleted threads, and items and cache entries whose time is
//! over.

use std::time::{Duration, Instant};

use fjall::{Keyspace, OwnedWriteBatch, PersistMode, Readable, Snapshot};
use rethread_core::ids::Millis;

use super::keys;
use super::tables::{Tables, unreadable};
use super::values::{Kept, Reader, Standing, damaged};
use crate::{Result, StorageError};

/// Everything with a prefix in the events table.
pub(super) const EVENTS: u8 = b'e';

/// Everything with a prefix in the journals table.
pub(super) const JOURNALS: u8 = b'j';

/// The standing of a deleted thread, if it has stayed as the deletion left it: partition, thread,
/// and its generation then. It outlasts all journals of the thread that were garbage by then, so that no
/// later journal gets the prefix of one of them.
pub(super) const STANDINGS: u8 = b's';

/// One key of the items table, if the time of its value is over.
pub(super) const ITEMS: u8 = b'i';

/// One key of the cache table, if the time of its value is over.
pub(super) const CACHE: u8 = b'c';

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
            let (due, garbage) = parse(tables, &garbage_key)?;
            let room = KEYS_MAX.saturating_sub(batch.len());
            if garbage.collect(&view, &mut batch, room, now)? == room {
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

/// What one entry of the list says.
enum Garbage<'t, 'k> {
    Prefix { table: &'t Keyspace, prefix: &'k [u8] },
    Ended { table: &'t Keyspace, key: &'k [u8] },
    Standing { table: &'t Keyspace, thread: &'k [u8], generation: u64 },
}

impl Garbage<'_, '_> {
    /// Adds the removal of at most `room` keys to the batch; returns how many it added. More may
    /// be left if it is as many as there was room for.
    fn collect(
        &self,
        view: &Snapshot,
        batch: &mut OwnedWriteBatch,
        room: usize,
        now: Millis,
    ) -> Result<usize> {
        match *self {
            Self::Prefix { table, prefix } => {
                let mut found = 0;
                for pair in view.prefix(table, prefix).take(room) {
                    batch.remove(table, pair.key().map_err(unreadable)?);
                    found += 1;
                }
                Ok(found)
            }
            Self::Ended { table, key } => match view.get(table, key).map_err(unreadable)? {
                Some(value) if !Kept::stored_lasts(&value, now)? => {
                    Ok(collect_one(table, key.to_vec(), batch, room))
                }
                _ => Ok(0),
            },
            Self::Standing { table, thread, generation } => {
                let left = Standing { generation, ..Standing::default() }.encode();
                let key = keys::standing_of(thread);
                let found = view.get(table, &key).map_err(unreadable)?;
                let header = view.get(table, keys::header_of(thread)).map_err(unreadable)?;
                match header.is_none() && found.is_some_and(|standing| *standing == *left) {
                    true => Ok(collect_one(table, key, batch, room)),
                    false => Ok(0),
                }
            }
        }
    }
}

fn collect_one(table: &Keyspace, key: Vec<u8>, batch: &mut OwnedWriteBatch, room: usize) -> usize {
    if room > 0 {
        batch.remove(table, key);
    }
    room.min(1)
}

fn parse<'t, 'k>(tables: &'t Tables, key: &'k [u8]) -> Result<(Millis, Garbage<'t, 'k>)> {
    let mut reader = Reader(key);
    let fields = reader.byte().zip(reader.number()).zip(reader.byte());
    let ((_, due), what) = fields.ok_or_else(damaged_list)?;
    let key = reader.0;
    let garbage = match what {
        EVENTS => Garbage::Prefix { table: &tables.events, prefix: key },
        JOURNALS => Garbage::Prefix { table: &tables.journals, prefix: key },
        ITEMS => Garbage::Ended { table: &tables.items, key },
        CACHE => Garbage::Ended { table: &tables.cache, key },
        STANDINGS => {
            let (thread, generation) = key.split_last_chunk().ok_or_else(damaged_list)?;
            let generation = u64::from_be_bytes(*generation);
            Garbage::Standing { table: &tables.threads, thread, generation }
        }
        _ => return Err(damaged_list()),
    };
    Ok((Millis(due), garbage))
}

fn damaged_list() -> StorageError {
    damaged("a list of keys to be deleted")
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
