//! Looks at the manifests of the tables before they are opened.
//!
//! A table's manifest says of which files it consists; the file `current` beside it names the
//! manifest and has its checksum. Fjall does not compare them, and a manifest that is damaged
//! makes it panic in a way that ends the process.

use std::path::Path;
use std::{fs, io};

use xxhash_rust::xxh3::xxh3_128;

use super::values::damaged;
use crate::{Result, StorageError};

/// Below the directory of the tables: a directory for each table, whose name is a number.
const KEYSPACES_DIRECTORY: &str = "keyspaces";
const CURRENT_FILE: &str = "current";

/// Compares the manifest of each table with its checksum.
///
/// # Errors
/// [`StorageError::Corrupt`] when one differs.
pub(super) fn check(tables: &Path) -> Result<()> {
    let keyspaces = tables.join(KEYSPACES_DIRECTORY);
    let entries = match fs::read_dir(&keyspaces) {
        Ok(entries) => entries,
        // Nothing was stored yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_read(&keyspaces, &error)),
    };
    for entry in entries {
        check_one(&entry.map_err(|error| cannot_read(&keyspaces, &error))?.path())?;
    }
    Ok(())
}

fn check_one(table: &Path) -> Result<()> {
    let current = table.join(CURRENT_FILE);
    // A table that was being made has none yet: opening it begins anew.
    let Some(current) = read(&current)? else { return Ok(()) };
    let Some((number, checksum)) = parse(&current) else {
        return Err(damaged("the name of a table's manifest"));
    };
    let manifest = read(&table.join(format!("v{number}")))?;
    if manifest.is_some_and(|manifest| xxh3_128(&manifest) == checksum) {
        return Ok(());
    }
    Err(damaged("the manifest of a table"))
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
