//! The data directory: who may use it, and whether this version can read it.
//!
//! ```text
//! FORMAT          "rethread 2" and the number of partitions; written last on creation
//! rethread.lock   locked by the process that has the directory open
//! fjall/          the tables
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Result, StorageError};

/// The format that this version writes.
///
/// 2: orders have groups, threads have waiting commands, and partitions dead letters. What is
/// stored in format 1 is read as it is; the directory is of format 2 from then on, so that an
/// older version does not pass over what it does not know.
const FORMAT_VERSION: u32 = 2;

/// The oldest format that this version reads.
const FORMAT_VERSION_MIN: u32 = 1;

const FORMAT_FILE: &str = "FORMAT";
const FORMAT_DRAFT: &str = "FORMAT.new";
const LOCK_FILE: &str = "rethread.lock";
const TABLES_DIRECTORY: &str = "fjall";

/// What the data of a directory is like.
#[derive(Debug, Clone, Copy)]
struct Format {
    version: u32,
    partitions: u16,
}

/// A data directory that this process holds the lock of.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The data in it; none if it is new.
    format: Option<Format>,
    lock: File,
}

impl Directory {
    /// Takes the directory, which is created if need be.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let context = |error: io::Error| cannot_use(path, &error);
        create_private(path).map_err(context)?;
        // Looked at before the lock file is made: a foreign directory is left as it is.
        read_format(path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StorageError::Locked { path: path.display().to_string() });
            }
            Err(TryLockError::Error(error)) => return Err(context(error)),
        }
        // Looked at again: another process may have created the data in the meantime.
        let format = read_format(path)?;
        let directory = Self { path: path.to_owned(), format, lock };
        if directory.format.is_none() {
            directory.clear_unfinished().map_err(context)?;
        }
        create_private(&directory.tables()).map_err(context)?;
        Ok(directory)
    }

    /// Where the tables are.
    pub(super) fn tables(&self) -> PathBuf {
        self.path.join(TABLES_DIRECTORY)
    }

    /// Number of partitions of the data; a new directory gets `wanted`.
    ///
    /// Call it once the tables exist: a directory without a format is as good as empty.
    pub(super) fn settle_partitions(&mut self, wanted: u16) -> Result<u16> {
        let partitions = match self.format {
            Some(Format { version: FORMAT_VERSION, partitions }) => return Ok(partitions),
            Some(Format { partitions, .. }) => partitions,
            None => wanted.max(1),
        };
        self.write_format(partitions).map_err(|error| cannot_use(&self.path, &error))?;
        self.format = Some(Format { version: FORMAT_VERSION, partitions });
        Ok(partitions)
    }

    /// The lock; the directory is free when it is dropped.
    pub(super) fn into_lock(self) -> File {
        self.lock
    }

    /// Removes what a creation that was cut off has left. Nothing in it was acknowledged.
    fn clear_unfinished(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.tables()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn write_format(&self, partitions: u16) -> io::Result<()> {
        let draft = self.path.join(FORMAT_DRAFT);
        let mut file = File::create(&draft)?;
        write!(file, "rethread {FORMAT_VERSION}\npartitions {partitions}\n")?;
        file.sync_all()?;
        fs::rename(&draft, self.path.join(FORMAT_FILE))?;
        sync_directory(&self.path)
    }
}

/// What the data in the directory is like; none if there is no data yet.
fn read_format(path: &Path) -> Result<Option<Format>> {
    match fs::read_to_string(path.join(FORMAT_FILE)) {
        Ok(text) => parse_format(path, &text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            check_nothing_foreign(path)?;
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(foreign(path, FORMAT_FILE)),
        Err(error) => Err(cannot_use(path, &error)),
    }
}

fn parse_format(path: &Path, text: &str) -> Result<Format> {
    let field = |line: &str, name: &str| -> Option<u32> {
        line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
    };
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| field(line, "rethread"));
    let Some(version) = version else { return Err(foreign(path, FORMAT_FILE)) };
    if !(FORMAT_VERSION_MIN..=FORMAT_VERSION).contains(&version) {
        let reason = format!(
            "{} has data of format {version}, this version of Rethread reads formats {FORMAT_VERSION_MIN} to {FORMAT_VERSION}: use the version that wrote it or a newer one, or choose another directory",
            path.display()
        );
        return Err(StorageError::Config { reason });
    }
    let partitions = lines.next().and_then(|line| field(line, "partitions"));
    let partitions = partitions.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
    partitions.map(|partitions| Format { version, partitions }).ok_or_else(|| {
        StorageError::Corrupt {
            what: path.join(FORMAT_FILE).display().to_string(),
            reason: "the number of partitions is missing: restore the file from a backup".into(),
        }
    })
}

/// Accepts an empty directory and one whose creation was cut off.
fn check_nothing_foreign(path: &Path) -> Result<()> {
    let ours = [LOCK_FILE, TABLES_DIRECTORY, FORMAT_DRAFT];
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| cannot_use(path, &error))? {
        let entry = entry.map_err(|error| cannot_use(path, &error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    let is_begun = names.iter().any(|name| name == LOCK_FILE);
    match names.iter().find(|name| !is_begun || !ours.contains(&name.as_str())) {
        Some(name) => Err(foreign(path, name)),
        None => Ok(()),
    }
}

fn foreign(path: &Path, name: &str) -> StorageError {
    let reason = format!(
        "{} is not a data directory of Rethread, it holds `{name}`: choose an empty or a new directory",
        path.display()
    );
    StorageError::Config { reason }
}

fn cannot_use(path: &Path, error: &io::Error) -> StorageError {
    let reason = format!("cannot use {} as data directory: {error}", path.display());
    StorageError::Config { reason }
}

/// Creates a directory that only its owner may enter, and those above it that are missing.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
