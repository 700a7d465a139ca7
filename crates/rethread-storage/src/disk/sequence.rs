//! Walks over the batches of the tables' journals before they are opened.
//!
//! Fjall's checksum of a batch leaves out the batch's sequence number, which says what is newer
//! than what: a damaged one would bring back what was replaced. Each batch has a greater number
//! than the one before it, so a damaged number stands out.
//!
//! Fjall cuts a journal off behind its last whole batch. Only the newest one may end so. What it
//! cuts off counts for nothing here: a crash may leave any number in it.
//!
//! ```text
//! batch   start item.. end
//! start   1  count: 4  sequence number: 8
//! item    2  kind: 1  compression: 1  table: 8  key: 2  value: 4  stored value: 4   bytes of both
//! end     3  checksum: 8  magic: 4
//! clear   4  table: 8
//! ```
//! Numbers are little-endian; those behind `key`, `value` and `stored value` are lengths.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use super::values::damaged;
use crate::{Result, StorageError};

const BUFFER_BYTES: usize = 256 << 10;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;

/// What the end of a batch ends with.
const TRAILER: &[u8; 4] = b"FJL\x03";

/// The newest sequence number in journals that are read one after the other.
#[derive(Debug, Default)]
pub(super) struct Sequence(Option<u64>);

impl Sequence {
    /// Walks over the next journal up to the first thing in it that is no part of a batch; returns
    /// where its last whole batch ends.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when a batch does not have a greater number than the one before.
    pub(super) fn walk(&mut self, journal: &Path) -> Result<u64> {
        let failed = |error: io::Error| StorageError::Config {
            reason: format!("cannot read {}: {error}", journal.display()),
        };
        let file = File::open(journal).map_err(failed)?;
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut end = 0;
        let mut begun = None;
        loop {
            match next(&mut reader) {
                // The one before it has no end.
                Ok(Part::Start { .. }) if begun.is_some() => return Ok(end),
                Ok(Part::Start { number }) => begun = Some(number),
                Ok(Part::Inner) => {}
                Ok(Part::End) => {
                    let Some(number) = begun.take() else { return Ok(end) };
                    if self.0.is_some_and(|last| number <= last) {
                        return Err(damaged("the order of the writes in a journal"));
                    }
                    self.0 = Some(number);
                    end = reader.stream_position().map_err(failed)?;
                }
                Err(error) if is_end(&error) => return Ok(end),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

/// What was stepped over.
enum Part {
    Start { number: u64 },
    Inner,
    End,
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

/// Steps over one part of a batch.
fn next(reader: &mut BufReader<File>) -> io::Result<Part> {
    match array::<1>(reader)? {
        [START] => {
            array::<4>(reader)?;
            Ok(Part::Start { number: u64::from_le_bytes(array(reader)?) })
        }
        [ITEM] => {
            array::<10>(reader)?;
            let key = u16::from_le_bytes(array(reader)?);
            array::<4>(reader)?;
            let value = u32::from_le_bytes(array(reader)?);
            reader.seek_relative(i64::from(key) + i64::from(value))?;
            Ok(Part::Inner)
        }
        [CLEAR] => {
            array::<8>(reader)?;
            Ok(Part::Inner)
        }
        [END] => {
            array::<8>(reader)?;
            if array(reader)? == *TRAILER {
                return Ok(Part::End);
            }
            Err(io::ErrorKind::InvalidData.into())
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn array<const N: usize>(reader: &mut BufReader<File>) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
