//! Deletes, a little at a time, what is not needed any more: logs of runs that ended long ago,
//! replaced journals, what is left of deleted threads, and items and cache entries whose time is
//! over.

use std::time::{Duration, Instant};

use fjall::{Keyspace, OwnedWriteBatch, PersistMode, Readable, Snapshot};
use rethread_core::ids::Millis;

use super::keys;
use super::tables::{Tables, unreadable};
use super::unwritten::Unwritten;
use super::values::{Kept, Reader, Standing, damaged};
use crate::{Result, StorageError};

/// Everything with a prefix in the events table.
pub(super) const EVENTS: u8 = b'e';

/// Everything with a prefix in the journals table.
pub(super) const JOURNALS: u8 = b'j';

/// The standing of a thread that may not be there, deleted or never made, if it is not and its
/// journal was not replaced since: partition, thread, and its generation then. It outlasts all journals of the thread that were garbage by then, so that no
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

/// Why a sweep did not happen.
#[derive(Debug)]
pub(super) enum SweepError {
    /// What is there cannot be read; nothing was changed.
    Unreadable(StorageError),
    Unwritten(Unwritten),
}

impl From<StorageError> for SweepError {
    fn from(error: StorageError) -> Self {
        Self::Unreadable(error)
    }
}

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
    pub(super) fn sweep(&mut self, tables: &Tables, now: Millis) -> Result<(), SweepError> {
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
        batch.commit().map_err(|error| SweepError::Unwritten(Unwritten::new(&error)))?;
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
                let key = keys::standing_of(thread);
                let found = view.get(table, &key).map_err(unreadable)?;
                let found = found.map(|standing| Standing::decode(&standing)).transpose()?;
                // What it says of events is for nobody: they were the refusals of its requests.
                let is_left = found.is_some_and(|standing| {
                    let Standing { generation: last, entries, base, last_event: _, waiting } =
                        standing;
                    last == generation && entries == 0 && base.is_none() && waiting == (0, 0)
                });
                let header = view.get(table, keys::header_of(thread)).map_err(unreadable)?;
                match header.is_none() && is_left {
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
    use crate::disk::ages;
    use crate::disk::group::Group;
    use crate::disk::shelf::{Shelf, ShelfWrite};
    use crate::live::Opened;
    use crate::{Activity, CheckpointWrite, Commit, EventWrite, JournalWrite, Lease, ThreadWrite};
    use rethread_core::ids::{CheckpointId, OwnerToken, PartitionId, RunId, ThreadKey};

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

    fn open() -> (tempfile::TempDir, Tables) {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let (tables, _) = Tables::open(directory.path(), 1, 1 << 20).expect("it opens");
        (directory, tables)
    }

    /// Writes one group.
    fn write(tables: &Tables, fill: impl FnOnce(&mut Group<'_>)) {
        let mut group = Group::new(tables);
        fill(&mut group);
        group.write(PersistMode::Buffer).expect("it is written");
    }

    fn left(table: &Keyspace) -> Vec<Vec<u8>> {
        let keys = table.iter().map(|pair| pair.key().expect("it can be read").to_vec());
        keys.filter(|key| key[..] != ages::KEY).collect()
    }

    #[test]
    fn what_has_ended_goes_and_what_was_given_more_time_stays() {
        let (_directory, tables) = open();
        for shelf in [Shelf::Items, Shelf::Cache] {
            let put = |group: &mut Group<'_>, key: &str, end: u64, now: u64| {
                let kept = Kept { value: "value".into(), expires_at: Some(Millis(end)) };
                let write = ShelfWrite::Put { shelf, key: key.into(), kept };
                group.shelve(write, Millis(now)).expect("it is added");
            };
            write(&tables, |group| {
                for key in ["ended", "ended too", "removed", "put anew", "touched"] {
                    put(group, key, 10, 1);
                }
                let kept = Kept { value: "value".into(), expires_at: None };
                let lasting = ShelfWrite::Put { shelf, key: "lasting".into(), kept };
                group.shelve(lasting, Millis(1)).expect("it is added");
            });
            write(&tables, |group| {
                put(group, "put anew", 30, 2);
                let keys = vec!["removed".into()];
                group.shelve(ShelfWrite::Remove { shelf, keys }, Millis(2)).expect("it is added");
                let expires_at = Millis(20);
                let touch = ShelfWrite::Touch { shelf, key: "touched".into(), expires_at };
                group.shelve(touch, Millis(2)).expect("it is added");
            });
            let mut sweeper = Sweeper::default();
            let mut sweep_at = |now| {
                sweeper.sweep(&tables, Millis(now)).expect("sweeps");
                left(shelf.table(&tables)).len()
            };
            assert_eq!(sweep_at(9), 5, "nothing is due");
            assert_eq!(sweep_at(10), 3, "two have ended");
            assert_eq!(sweep_at(20), 2, "the touched one has ended");
            write(&tables, |group| put(group, "born ended", 5, 21));
            assert_eq!(sweep_at(22), 2, "one that had ended before it came");
            assert_eq!(sweep_at(30), 1);
            assert_eq!(left(shelf.table(&tables)), [b"lasting"]);
            assert_eq!(count(&tables.live, &keys::garbage_from(Millis(0))[..1]), 0);
        }
    }

    #[test]
    fn a_touch_sees_what_its_group_has_written() {
        let (_directory, tables) = open();
        let shelf = Shelf::Items;
        let touch = |group: &mut Group<'_>, key: &str| {
            let touch = ShelfWrite::Touch { shelf, key: key.into(), expires_at: Millis(20) };
            group.shelve(touch, Millis(2)).expect("it is added");
        };
        let put = |group: &mut Group<'_>, key: &str, value: &'static str| {
            let kept = Kept { value: value.into(), expires_at: Some(Millis(10)) };
            let write = ShelfWrite::Put { shelf, key: key.into(), kept };
            group.shelve(write, Millis(1)).expect("it is added");
        };
        write(&tables, |group| {
            put(group, "a", "old");
            put(group, "b", "old");
        });
        write(&tables, |group| {
            put(group, "a", "new");
            touch(group, "a");
            let remove = ShelfWrite::Remove { shelf, keys: vec!["b".into()] };
            group.shelve(remove, Millis(1)).expect("it is added");
            touch(group, "b");
        });
        let expected = Kept { value: "new".into(), expires_at: Some(Millis(20)) };
        assert_eq!(shelf.read(&tables, b"a"), Ok(Some(expected)));
        assert_eq!(shelf.read(&tables, b"b"), Ok(None));
    }

    const P: PartitionId = PartitionId(0);
    const THREAD: ThreadKey = ThreadKey::from_bytes([7; 16]);

    fn commit(threads: Vec<ThreadWrite>) -> Commit {
        let token = OwnerToken { epoch: 1, nonce: 1 };
        let (consumed_beyond, orders) = (Vec::new(), Vec::new());
        let lease = Lease { partition: P, token };
        Commit { consumed_beyond, threads, orders, ..Commit::new(lease, 1) }
    }

    fn opened() -> Opened {
        let (consumed, withdrawn, dropped_letters) = (Vec::new(), Vec::new(), Vec::new());
        Opened { consumed, withdrawn, first_order: 1, dropped_letters }
    }

    /// Writes several commits of one thread as one group.
    fn write_threads(tables: &Tables, now: u64, writes: &[ThreadWrite]) {
        write(tables, |group| {
            for write in writes {
                let commit = commit(vec![write.clone()]);
                group.prepare(&commit).expect("it is read");
                group.commit(&commit, &opened(), Millis(now), Millis(now));
            }
        });
    }

    fn journal(entries: usize, delete: bool) -> ThreadWrite {
        let journal = JournalWrite::Replace(vec!["entry".into(); entries]);
        let header = (entries > 0).then(|| "header".into());
        ThreadWrite { header, journal, delete, ..ThreadWrite::none(THREAD) }
    }

    /// The only event of a run.
    fn ended(run: u128) -> Vec<EventWrite> {
        let run = RunId::from_uuid(uuid::Uuid::from_u128(run));
        vec![EventWrite { run, first_seq: 1, records: vec!["ended".into()], ends: true }]
    }

    #[test]
    fn nothing_is_left_of_a_deleted_thread() {
        let (_directory, tables) = open();
        let id = CheckpointId::from_uuid(uuid::Uuid::from_u128(1));
        let checkpoints = vec![CheckpointWrite { id, record: "checkpoint".into() }];
        let activity = Some(Activity::Due(Millis(1)));
        let full = ThreadWrite { checkpoints, activity, ..journal(5_000, false) };
        write_threads(&tables, 1, std::slice::from_ref(&full));
        // In one group, so that the deletion must find what the tables do not have yet.
        let deletion = ThreadWrite { events: ended(1), ..journal(0, true) };
        write_threads(&tables, 2, &[journal(3_000, false), full, deletion]);
        // A request to a thread that is not there is refused.
        let refusal = ThreadWrite { events: ended(2), ..ThreadWrite::none(THREAD) };
        write_threads(&tables, 3, std::slice::from_ref(&refusal));
        let mut sweeper = Sweeper::default();
        while sweeper.is_due() {
            sweeper.sweep(&tables, Millis(4)).expect("sweeps");
        }
        write_threads(&tables, 5, &[refusal]);
        sweeper.sweep(&tables, Millis(6)).expect("sweeps");
        for table in [&tables.threads, &tables.journals, &tables.checkpoints, &tables.live] {
            assert_eq!(left(table), Vec::<Vec<u8>>::new());
        }
    }

    #[test]
    fn a_thread_that_is_made_anew_loses_nothing_to_the_sweeper() {
        let (_directory, tables) = open();
        write_threads(&tables, 1, &[journal(200, false), journal(300, false)]);
        write_threads(&tables, 2, &[journal(0, true)]);
        write_threads(&tables, 2, &[journal(400, false)]);
        write_threads(&tables, 2, &[journal(0, true), journal(500, false)]);
        let mut sweeper = Sweeper::default();
        for now in [2, 3, 4] {
            sweeper.sweep(&tables, Millis(now)).expect("sweeps");
            let loaded = tables.load_thread(P, THREAD).expect("it is whole");
            assert_eq!(loaded.expect("it is there").journal.len(), 500, "at {now}");
        }
        assert_eq!(left(&tables.journals).len(), 500);
    }
}
