//! The tables and what is read from them.

use std::fmt;
use std::fs::File;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable, Snapshot};
use rethread_core::ids::{CheckpointId, PartitionId, RunId, ThreadKey};

use super::ages::Ages;
use super::directory::Directory;
use super::keys;
use super::manifests;
use super::tail::Tails;
use super::values::{Standing, damaged, decode_letter};
use super::written::Written;
use crate::{
    DeadLetter, DeadLetterId, HeaderRecord, LoadedThread, Result, StorageError, ThreadPage, paging,
};

/// Bounds the time to reopen, which reads the journal of the tables. Fjall's least.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// Small, because the journal stays until every table has written out its part of it.
const MEMTABLE_BYTES_MAX: u64 = 16 << 20;

/// The open tables. The directory is free again when this is dropped.
pub(super) struct Tables {
    pub(super) live: Keyspace,
    pub(super) threads: Keyspace,
    pub(super) journals: Keyspace,
    pub(super) checkpoints: Keyspace,
    pub(super) events: Keyspace,
    pub(super) items: Keyspace,
    pub(super) cache: Keyspace,
    pub(super) db: Database,
    /// The groups that they were written with last.
    pub(super) ages: Mutex<Ages>,
    /// How much was written to them.
    pub(super) written: Mutex<Written>,
    /// What opening them cut off the newest journal.
    pub(super) cut_off_bytes: u64,
    // Fields are dropped in order: the directory is freed after the tables are closed.
    _lock: File,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tables")
    }
}

impl Tables {
    /// Opens the tables of a directory; returns them and the number of partitions.
    pub(super) fn open(path: &Path, partitions: u16, cache_bytes: u64) -> Result<(Self, u16)> {
        let mut directory = Directory::open(path)?;
        let failed = |error| cannot_open(path, error);
        let tails = Tails::look(path, &directory.tables())?;
        manifests::check(&directory.tables())?;
        let builder = Database::builder(directory.tables())
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .cache_size(cache_bytes);
        // Some damage makes the tables panic.
        let opened = catch_unwind(AssertUnwindSafe(|| builder.open()));
        let db = opened.map_err(|_| damaged("the journal of the tables"))?.map_err(failed)?;
        let cut_off_bytes = tails.compare(path)?;
        let table = |name: &str| {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX);
            db.keyspace(name, options).map_err(failed)
        };
        let live = table("live")?;
        let threads = table("threads")?;
        let journals = table("journals")?;
        let checkpoints = table("checkpoints")?;
        let events = table("events")?;
        let items = table("items")?;
        let cache = table("cache")?;
        db.persist(fjall::PersistMode::SyncAll).map_err(failed)?;
        let partitions = directory.settle_partitions(partitions)?;
        let lock = directory.into_lock();
        let tables = Self {
            ages: Mutex::default(),
            written: Mutex::default(),
            live,
            threads,
            journals,
            checkpoints,
            events,
            items,
            cache,
            db,
            cut_off_bytes,
            _lock: lock,
        };
        let ages = Ages::check(&tables.view(), tables.all())?;
        Ok((Self { ages: Mutex::new(ages), ..tables }, partitions))
    }

    /// A view of all tables between two commits.
    pub(super) fn view(&self) -> Snapshot {
        self.db.snapshot()
    }

    /// Where a thread stands; none if nothing was ever written for it.
    pub(super) fn standing(
        &self,
        view: &Snapshot,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<Standing>> {
        let key = keys::standing(partition, thread);
        match view.get(&self.threads, key).map_err(unreadable)? {
            Some(bytes) => Standing::decode(&bytes).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        let view = self.view();
        let header =
            view.get(&self.threads, keys::header(partition, thread)).map_err(unreadable)?;
        let Some(header) = header else { return Ok(None) };
        let standing = self.standing(&view, partition, thread)?;
        let standing = standing.ok_or_else(|| damaged("a thread with a header"))?;
        let prefix = keys::journal(partition, thread, standing.generation);
        let journal = values(view.prefix(&self.journals, prefix))?;
        if journal.len() as u64 != standing.entries {
            let what = format!("the journal of thread {thread}");
            let reason = format!("it has {} of {} entries", journal.len(), standing.entries);
            return Err(StorageError::Corrupt { what, reason });
        }
        let base = match standing.base {
            Some(id) => self.checkpoint(&view, partition, thread, id)?,
            None => None,
        };
        let waiting = values(view.prefix(&self.live, keys::waiting_of(partition, thread)))?;
        let (first, end) = standing.waiting;
        if waiting.len() as u64 != end.saturating_sub(first) {
            let what = format!("the waiting commands of thread {thread}");
            let reason = format!("there are {} of {first}..{end}", waiting.len());
            return Err(StorageError::Corrupt { what, reason });
        }
        let header = Bytes::copy_from_slice(&header);
        Ok(Some(LoadedThread { header, journal, base, last_event: standing.last_event, waiting }))
    }

    pub(super) fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        let view = self.view();
        let header =
            view.get(&self.threads, keys::header(partition, thread)).map_err(unreadable)?;
        let Some(header) = header else { return Ok(None) };
        let standing = self.standing(&view, partition, thread)?.unwrap_or_default();
        let header = Bytes::copy_from_slice(&header);
        Ok(Some(HeaderRecord { header, last_event: standing.last_event }))
    }

    pub(super) fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        let first = keys::thread(partition, paging::first_key(from.unwrap_or(0)));
        let last = keys::header(partition, ThreadKey::from_bytes([0xff; 16]));
        let view = self.view();
        let pairs = view.range(&self.threads, first..=last).map(|pair| {
            let (key, value) = pair.into_inner().map_err(unreadable)?;
            let (thread, is_header) = keys::parse_thread(&key).ok_or_else(|| damaged("a key"))?;
            Ok((thread, is_header.then(|| Bytes::copy_from_slice(&value))))
        });
        let headers = pairs.filter_map(|pair| match pair {
            Ok((thread, header)) => Some(Ok((thread, header?))),
            Err(error) => Some(Err(error)),
        });
        paging::page(headers, max)
    }

    /// The records of dead letters, where they are there.
    pub(super) fn read_letters(
        &self,
        partition: PartitionId,
        ids: Vec<DeadLetterId>,
    ) -> Result<Vec<DeadLetter>> {
        let view = self.view();
        let mut letters = Vec::with_capacity(ids.len());
        for id in ids {
            let found = view.get(&self.live, keys::letter(partition, id)).map_err(unreadable)?;
            if let Some(bytes) = found {
                letters.push(DeadLetter { id, record: decode_letter(&bytes)?.1 });
            }
        }
        Ok(letters)
    }

    pub(super) fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        self.checkpoint(&self.view(), partition, thread, id)
    }

    fn checkpoint(
        &self,
        view: &Snapshot,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        let key = keys::checkpoint(partition, thread, id);
        let found = view.get(&self.checkpoints, key).map_err(unreadable)?;
        Ok(found.map(|record| Bytes::copy_from_slice(&record)))
    }

    pub(super) fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let view = self.view();
        let prefix = keys::thread(partition, thread);
        match before {
            None => values(view.prefix(&self.checkpoints, prefix).rev().take(max)),
            Some(id) => {
                let end = keys::checkpoint(partition, thread, id);
                values(view.range(&self.checkpoints, prefix..end).rev().take(max))
            }
        }
    }

    pub(super) fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let first = Bound::Excluded(keys::event(partition, run, after));
        let last = Bound::Included(keys::event(partition, run, u64::MAX));
        values(self.view().range(&self.events, (first, last)).take(max))
    }

    pub(super) fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let first = keys::event(partition, run, 0);
        let last = keys::event(partition, run, u64::MAX);
        let mut found = values(self.view().range(&self.events, first..=last).rev().take(max))?;
        found.reverse();
        Ok(found)
    }
}

fn values(found: impl Iterator<Item = fjall::Guard>) -> Result<Vec<Bytes>> {
    found.map(|pair| Ok(Bytes::copy_from_slice(&pair.value().map_err(unreadable)?))).collect()
}

/// What a failed read says.
pub(super) fn unreadable(error: fjall::Error) -> StorageError {
    match error {
        fjall::Error::Io(error) => {
            StorageError::Unavailable { reason: format!("cannot read the data directory: {error}") }
        }
        error => {
            StorageError::Corrupt { what: "the data directory".into(), reason: error.to_string() }
        }
    }
}

fn cannot_open(path: &Path, error: fjall::Error) -> StorageError {
    match error {
        fjall::Error::Locked => StorageError::Locked { path: path.display().to_string() },
        fjall::Error::Io(error) => StorageError::Config {
            reason: format!("cannot open the data in {}: {error}", path.display()),
        },
        error => StorageError::Corrupt {
            what: format!("the data in {}", path.display()),
            reason: error.to_string(),
        },
    }
}
