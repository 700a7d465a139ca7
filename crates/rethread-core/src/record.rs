//! The envelope of everything that is stored or sent: damaged, foreign and future bytes are
//! told apart and never misread.
//!
//! ```text
//! 0      1     2        3      4          8
//! magic  kind  version  flags  checksum   body: one MessagePack array
//! ```
//!
//! The checksum covers kind, version, flags and body (low 32 bits of XXH3-64, little endian).

use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

const MAGIC: u8 = 0xA7;
const HEADER_BYTES: usize = 8;

/// Bytes that are not a record this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Too short, or without the magic byte: written by something else.
    #[error("not a Rethread record ({len} bytes): the key or file holds foreign data")]
    Foreign {
        /// Number of bytes found.
        len: usize,
    },
    /// A record, but of another kind than was asked for.
    #[error("record of kind {found} where kind {expected} was expected")]
    WrongKind {
        /// Kind that was asked for.
        expected: u8,
        /// Kind that was found.
        found: u8,
    },
    /// Written by a newer version of Rethread.
    #[error(
        "record of kind {kind} has version {found}, this build reads up to {supported}: upgrade this process"
    )]
    TooNew {
        /// Kind of the record.
        kind: u8,
        /// Version found.
        found: u8,
        /// Newest version this build reads.
        supported: u8,
    },
    /// The checksum or the body does not fit.
    #[error("damaged record of kind {kind}: {reason}")]
    Damaged {
        /// Kind of the record.
        kind: u8,
        /// What does not fit.
        reason: String,
    },
}

/// A type with a stored form.
///
/// Kinds are listed in [`kind`]; a kind is never reused. A change that an older reader would
/// misread raises `VERSION`.
pub trait Record: Serialize + DeserializeOwned {
    /// Tells the type in the envelope.
    const KIND: u8;
    /// Version written by this build; older ones are still read.
    const VERSION: u8 = 1;

    /// The stored form.
    fn to_record(&self) -> Bytes {
        with_scratch(|bytes| {
            bytes.extend_from_slice(&[MAGIC, Self::KIND, Self::VERSION, 0, 0, 0, 0, 0]);
            // Record types hold no maps with odd keys and no foreign Serialize impls, and writing
            // to a Vec cannot fail.
            rmp_serde::encode::write(bytes, self).expect("invariant: records always encode");
            let sum = checksum(bytes);
            bytes[4..HEADER_BYTES].copy_from_slice(&sum);
            Bytes::copy_from_slice(bytes)
        })
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RecordError`], which says whether the bytes are foreign, too new or damaged.
    fn from_record(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() < HEADER_BYTES || bytes[0] != MAGIC {
            return Err(RecordError::Foreign { len: bytes.len() });
        }
        let (kind, version) = (bytes[1], bytes[2]);
        let damaged = |reason: String| RecordError::Damaged { kind, reason };
        if bytes[4..HEADER_BYTES] != checksum(bytes) {
            return Err(damaged("checksum does not fit".into()));
        }
        if kind != Self::KIND {
            return Err(RecordError::WrongKind { expected: Self::KIND, found: kind });
        }
        if version > Self::VERSION || bytes[3] != 0 {
            return Err(RecordError::TooNew { kind, found: version, supported: Self::VERSION });
        }
        rmp_serde::from_slice(&bytes[HEADER_BYTES..]).map_err(|error| damaged(error.to_string()))
    }
}

/// Largest buffer that a thread keeps for the next record, in bytes.
const SCRATCH_MAX: usize = 64 * 1024;

/// Lends an empty buffer that has grown with the records before: encoding asks for memory once, for
/// the record itself.
fn with_scratch(encode: impl FnOnce(&mut Vec<u8>) -> Bytes) -> Bytes {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let record = encode(&mut scratch);
    if scratch.capacity() <= SCRATCH_MAX {
        SCRATCH.set(scratch);
    }
    record
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut hash = Xxh3::new();
    hash.update(&bytes[1..4]);
    hash.update(&bytes[HEADER_BYTES..]);
    (hash.digest() as u32).to_le_bytes()
}

/// The kinds of records in use.
pub mod kind {
    /// [`crate::header::ThreadHeader`]
    pub const HEADER: u8 = 1;
    /// [`crate::journal::Entry`]
    pub const ENTRY: u8 = 2;
    /// [`crate::checkpoint::Checkpoint`]
    pub const CHECKPOINT: u8 = 3;
    /// [`crate::event::Event`]
    pub const EVENT: u8 = 4;
    /// [`crate::message::InboxMessage`]
    pub const INBOX: u8 = 5;
    /// [`crate::message::TaskOrder`]
    pub const TASK: u8 = 6;
    /// [`crate::message::WorkerMail`]
    pub const MAIL: u8 = 7;
    /// An item of the store.
    pub const ITEM: u8 = 8;
    /// [`crate::dead_letter::DeadLetter`]
    pub const DEAD_LETTER: u8 = 9;
    /// [`crate::message::Command`] that waits for its turn.
    pub const WAITING: u8 = 10;
    /// [`crate::worker_card::WorkerCard`]
    pub const WORKER: u8 = 11;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample(u32, String);
    impl Record for Sample {
        const KIND: u8 = 250;
        const VERSION: u8 = 2;
    }

    fn sample() -> Vec<u8> {
        Sample(7, "seven".into()).to_record().to_vec()
    }

    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let sum = checksum(&bytes);
        bytes[4..8].copy_from_slice(&sum);
        bytes
    }

    #[test]
    fn survives() {
        assert_eq!(Sample::from_record(&sample()), Ok(Sample(7, "seven".into())));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Sample::from_record(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let good = sample();
        for len in 0..good.len() {
            assert!(Sample::from_record(&good[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn a_newer_version_is_named_and_an_older_one_is_read() {
        let mut newer = sample();
        newer[2] = 3;
        assert_eq!(
            Sample::from_record(&resealed(newer)),
            Err(RecordError::TooNew { kind: 250, found: 3, supported: 2 })
        );
        let mut older = sample();
        older[2] = 1;
        assert!(Sample::from_record(&resealed(older)).is_ok());
    }
}
