//! Keys of the tables. Numbers are big endian, so that keys sort as what they name.
//!
//! ```text
//! live         tag ‖ …                                       small and changing; see `live_tag`
//! threads      partition ‖ thread ‖ 'h'                      header
//!              partition ‖ thread ‖ 'm'                      where its journal and events stand
//! journals     partition ‖ thread ‖ generation ‖ number      entry
//! checkpoints  partition ‖ thread ‖ checkpoint               record
//! events       partition ‖ run ‖ number                      record
//! items        sortable form of the name                     end ‖ record
//! cache        group ‖ entry                                 end ‖ value
//! ```
//!
//! Behind all of them, each table has its age; see `ages`.

use rethread_core::ids::{CheckpointId, Millis, OpId, PartitionId, RunId, ThreadKey};

use super::values::Reader;
use crate::DeadLetterId;

/// First bytes of the keys of the live table.
pub(super) mod live_tag {
    /// partition → epoch ‖ number of the last commit
    pub(crate) const LEDGER: u8 = b'l';
    /// partition ‖ number → submitted message that is not consumed
    pub(crate) const INBOX: u8 = b'i';
    /// partition ‖ op id → nothing
    pub(crate) const OP: u8 = b'p';
    /// partition ‖ order id → group, time, queue and record
    pub(crate) const ORDER: u8 = b'o';
    /// partition ‖ order id → how often it was given to a worker
    pub(crate) const FETCHES: u8 = b'f';
    /// partition ‖ thread → when it is due
    pub(crate) const ACTIVE: u8 = b'a';
    /// partition ‖ number of the commit ‖ number in it → time ‖ dead letter
    pub(crate) const LETTER: u8 = b'd';
    /// partition ‖ thread ‖ number → command that waits
    pub(crate) const WAITING: u8 = b'w';
    /// due ‖ what ‖ key or prefix → nothing: what is to be deleted; see `sweep`
    pub(crate) const GARBAGE: u8 = b'g';
}

fn join<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    parts.concat()
}

pub(super) fn ledger(partition: PartitionId) -> Vec<u8> {
    join([&[live_tag::LEDGER], &partition.0.to_be_bytes()])
}

pub(super) fn inbox(partition: PartitionId, number: u64) -> Vec<u8> {
    join([&[live_tag::INBOX], &partition.0.to_be_bytes(), &number.to_be_bytes()])
}

pub(super) fn op(partition: PartitionId, op: OpId) -> Vec<u8> {
    join([&[live_tag::OP], &partition.0.to_be_bytes(), op.as_bytes()])
}

pub(super) fn order(partition: PartitionId, id: u64) -> Vec<u8> {
    join([&[live_tag::ORDER], &partition.0.to_be_bytes(), &id.to_be_bytes()])
}

pub(super) fn fetches(partition: PartitionId, id: u64) -> Vec<u8> {
    join([&[live_tag::FETCHES], &partition.0.to_be_bytes(), &id.to_be_bytes()])
}

pub(super) fn active(partition: PartitionId, thread: ThreadKey) -> Vec<u8> {
    join([&[live_tag::ACTIVE], &partition.0.to_be_bytes(), thread.as_bytes()])
}

pub(super) fn letter(partition: PartitionId, id: DeadLetterId) -> Vec<u8> {
    let number = [id.0.to_be_bytes(), id.1.to_be_bytes()].concat();
    join([&[live_tag::LETTER], &partition.0.to_be_bytes(), &number])
}

/// What the keys of the waiting commands of a thread begin with, and no others.
pub(super) fn waiting_of(partition: PartitionId, thread: ThreadKey) -> Vec<u8> {
    join([&[live_tag::WAITING], &partition.0.to_be_bytes(), thread.as_bytes()])
}

pub(super) fn waiting(partition: PartitionId, thread: ThreadKey, number: u64) -> Vec<u8> {
    join([&waiting_of(partition, thread), &number.to_be_bytes()])
}

pub(super) fn garbage(due: Millis, what: u8, key: &[u8]) -> Vec<u8> {
    join([&[live_tag::GARBAGE], &due.0.to_be_bytes(), &[what], key])
}

/// Before all garbage that is due at `due` or later.
pub(super) fn garbage_from(due: Millis) -> Vec<u8> {
    join([&[live_tag::GARBAGE], &due.0.to_be_bytes()])
}

/// What the keys of everything of a thread begin with, in each table of their own.
pub(super) fn thread(partition: PartitionId, thread: ThreadKey) -> Vec<u8> {
    join([&partition.0.to_be_bytes(), thread.as_bytes()])
}

pub(super) fn header(partition: PartitionId, thread: ThreadKey) -> Vec<u8> {
    header_of(&self::thread(partition, thread))
}

/// The key of the header of the thread whose keys begin like this.
pub(super) fn header_of(thread: &[u8]) -> Vec<u8> {
    join([thread, b"h"])
}

pub(super) fn standing(partition: PartitionId, thread: ThreadKey) -> Vec<u8> {
    standing_of(&self::thread(partition, thread))
}

/// The key of the standing of the thread whose keys begin like this.
pub(super) fn standing_of(thread: &[u8]) -> Vec<u8> {
    join([thread, b"m"])
}

/// Reads a key of the threads table: the thread, and whether it is that of a header.
pub(super) fn parse_thread(key: &[u8]) -> Option<(ThreadKey, bool)> {
    let mut reader = Reader(key);
    reader.short()?;
    let thread = ThreadKey::from_bytes(reader.id()?);
    Some((thread, reader.0 == b"h"))
}

pub(super) fn journal(partition: PartitionId, thread: ThreadKey, generation: u64) -> Vec<u8> {
    join([&partition.0.to_be_bytes(), thread.as_bytes(), &generation.to_be_bytes()])
}

pub(super) fn entry(
    partition: PartitionId,
    thread: ThreadKey,
    generation: u64,
    number: u64,
) -> Vec<u8> {
    let mut key = journal(partition, thread, generation);
    key.extend(number.to_be_bytes());
    key
}

pub(super) fn checkpoint(partition: PartitionId, thread: ThreadKey, id: CheckpointId) -> Vec<u8> {
    join([&partition.0.to_be_bytes(), thread.as_bytes(), id.as_uuid().as_bytes()])
}

pub(super) fn log(partition: PartitionId, run: RunId) -> Vec<u8> {
    join([&partition.0.to_be_bytes(), run.as_uuid().as_bytes()])
}

pub(super) fn event(partition: PartitionId, run: RunId, number: u64) -> Vec<u8> {
    let mut key = log(partition, run);
    key.extend(number.to_be_bytes());
    key
}
