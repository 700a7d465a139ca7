//! Looks at the manifests of the tables before they are opened.
//!
//! A table's manifest says of which files it consists; the file `current` beside it names the
//! manifest and has its checksum. Fjall does not compare them, and a manifest that is damaged
//! makes it panic in a way that ends the process. A table without a `current` it takes for one
//! that was being made when the process ended, and deletes it with all that is in it.

use std::path::Path;
use std::{fs, io};

use xxhash_rust::xxh3::xxh3_128;

use super::values::damaged;
use crate::{Result, StorageError};

/// Below the directory of the tables: a directory for each table, whose name is a number.
const KEYSPACES_DIRECTORY: &str = "keyspaces";
const CURRENT_FILE: &str = "current";
/// Below the directory of a table: its data.
const DATA_DIRECTORY: &str = "tables";

/// Compares the manifest of each table with its checksum.
///
/// # Errors
/// [`StorageError::Corrupt`] when one differs, or is missing of a table that is not just being
/// made.
pub(super) fn check(tables: &Path) -> Result<()> {
    let keyspaces = tables.join(KEYSPACES_DIRECTORY);
    let mut found = Vec::new();
    for entry in entries(&keyspaces)? {
        let path = entry.map_err(|error| cannot_read(&keyspaces, &error))?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort();
    // They are made one after the other, so only the last one may not be finished.
    let newest = found.last().map(|(number, _)| *number);
    for (number, table) in found {
        let has_manifest = check_one(&table)?;
        let may_be_new = Some(number) == newest && entries(&table.join(DATA_DIRECTORY))?.is_empty();
        if !has_manifest && !may_be_new {
            return Err(damaged("the name of a table's manifest"));
        }
    }
    Ok(())
}

/// Whether a table has a manifest, which is whole then.
fn check_one(table: &Path) -> Result<bool> {
    let Some(current) = read(&table.join(CURRENT_FILE))? else { return Ok(false) };
    let Some((number, checksum)) = parse(&current) else {
        return Err(damaged("the name of a table's manifest"));
    };
    let manifest = read(&table.join(format!("v{number}")))?;
    if manifest.is_some_and(|manifest| xxh3_128(&manifest) == checksum) {
        return Ok(true);
    }
    Err(damaged("the manifest of a table"))
}

/// What is in a directory; nothing if there is no such directory.
fn entries(directory: &Path) -> Result<Vec<io::Result<fs::DirEntry>>> {
    match fs::read_dir(directory) {
        Ok(entries) => Ok(entries.collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(cannot_read(directory, &error)),
    }
}

/// The number of the newest manifest and its checksum: both little-endian, and a byte for the
/// kind of checksum, of which there is one.
fn parse(current: &[u8]) -> Option<(u64, u128)> {
    let (number, rest) = current.split_first_chunk()?;
    let (checksum, kind) = rest.split_first_chunk()?;
    (kind == [0]).then_some((u64::from_le_bytes(*number), u128::from_le_bytes(*checksum)))
}

/// The bytes of a file; none if there is no such file.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot_read(path, &error)),
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> StorageError {
    StorageError::Config { reason: format!("cannot read {}: {error}", path.display()) }
}
