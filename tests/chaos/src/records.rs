//! Everything that the server holds, key by key.

use std::io;

use rethread_core::checkpoint::Checkpoint;
use rethread_core::dead_letter::DeadLetter;
use rethread_core::event::Event;
use rethread_core::header::ThreadHeader;
use rethread_core::journal::Entry;
use rethread_core::message::{Command, InboxMessage, TaskOrder};
use rethread_core::record::{Record, RecordError, kind};
use rethread_core::worker_card::WorkerCard;

use crate::cluster::Server;

/// The byte with which every record begins; its kind is the next.
const MAGIC: u8 = 0xa7;
/// Most values that are named.
const NAMED_MAX: usize = 20;
/// Keys that are there whatever is deleted, by the last part of their names: their number is
/// fixed. Those of streams have to be empty.
/// Names of items are an index: the items themselves are looked at.
const LASTING: [&str; 9] = ["meta", "nodes", "lease", "in", "qs", "hb", "about", "groups", "n"];

/// Reads all values that are records: how many there are, and which cannot be read.
pub(crate) async fn read_all(server: &mut Server) -> io::Result<(u64, Vec<String>)> {
    let (mut count, mut unreadable) = (0, Vec::new());
    for key in server.keys().await? {
        let must_be_records = holds_records(&key);
        let mut values = server.values(&key).await?;
        if is_thread(&key) {
            values = records_of_thread(values);
        }
        for (place, value) in values {
            if !(must_be_records || value.first() == Some(&MAGIC)) {
                continue;
            }
            count += 1;
            if let Err(error) = read(&value)
                && unreadable.len() < NAMED_MAX
            {
                unreadable.push(format!("{key} {place}: {error}"));
            }
        }
    }
    Ok((count, unreadable))
}

/// Keys that are left and should not be.
pub(crate) async fn left(server: &mut Server) -> io::Result<Vec<String>> {
    let mut left = Vec::new();
    for key in server.keys().await? {
        if server.expires(&key).await? {
            continue;
        }
        let name = key.rsplit_once("}:").map_or(key.as_str(), |(_, name)| name);
        let is_lasting = LASTING.contains(&name) || name.starts_with("q:") || name == "g";
        match server.stream_length(&key).await? {
            Some(0) => {}
            Some(length) => left.push(format!("{key} with {length} entries")),
            None if is_lasting => {}
            None => {
                let values = server.values(&key).await?;
                // Namespaces in which an item was looked for are noted, with nothing in them.
                if !values.is_empty() && values.iter().all(|(_, value)| value.is_empty()) {
                    continue;
                }
                let places: Vec<_> =
                    values.iter().take(3).map(|(place, value)| (place, value.len())).collect();
                left.push(format!("{key} with {} values, such as {places:?}", values.len()));
            }
        }
    }
    Ok(left)
}

/// Whether all values of a key are records.
fn holds_records(key: &str) -> bool {
    let name = key.rsplit_once("}:").map_or("", |(_, name)| name);
    (name.starts_with("t:") && !name.ends_with(":ci"))
        || (name.starts_with("e:") && !name.ends_with(":o"))
}

/// Whether the key is the list that is a thread.
fn is_thread(key: &str) -> bool {
    let name = key.rsplit_once("}:").map_or("", |(_, name)| name);
    name.strip_prefix("t:").is_some_and(|thread| !thread.contains(':'))
}

/// The records in the list that is a thread: its header, the checkpoints that are packed into one
/// of its slots, and its journal. Two other slots hold ids.
fn records_of_thread(values: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut records = Vec::with_capacity(values.len());
    for (place, value) in values {
        match place.as_str() {
            "1" | "2" => {}
            "3" if value == b"+" => {}
            "3" => records.extend(packed(&value).into_iter().map(|record| (place.clone(), record))),
            _ => records.push((place, value)),
        }
    }
    records
}

/// Takes packed checkpoints apart: id, size in two bytes, record. What is cut off counts as a
/// record, which cannot be read.
fn packed(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let size = bytes.get(16..18).map_or(0, |size| {
            usize::from(u16::from_be_bytes(size.try_into().expect("invariant: two bytes")))
        });
        let end = (18 + size).min(bytes.len());
        records.push(bytes.get(18..end).unwrap_or_default().to_vec());
        bytes = &bytes[end..];
    }
    records
}

fn read(value: &[u8]) -> Result<(), RecordError> {
    match value.get(1).copied() {
        Some(kind::HEADER) => ThreadHeader::from_record(value).map(drop),
        Some(kind::ENTRY) => Entry::from_record(value).map(drop),
        Some(kind::CHECKPOINT) => Checkpoint::from_record(value).map(drop),
        Some(kind::EVENT) => Event::from_record(value).map(drop),
        Some(kind::INBOX) => InboxMessage::from_record(value).map(drop),
        Some(kind::TASK) => TaskOrder::from_record(value).map(drop),
        Some(kind::DEAD_LETTER) => DeadLetter::from_record(value).map(drop),
        Some(kind::WAITING) => Command::from_record(value).map(drop),
        Some(kind::WORKER) => WorkerCard::from_record(value).map(drop),
        // The store reads its items itself; the driver has compared them.
        Some(kind::ITEM) => Ok(()),
        _ => Err(RecordError::Foreign { len: value.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_threads_and_logs_are_records() {
        assert!(holds_records("rt:{default.p03}:t:0a0b:c"));
        assert!(holds_records("rt:{default.p03}:e:0a0b"));
        assert!(!holds_records("rt:{default.p03}:lease"));
        assert!(is_thread("rt:{default.p03}:t:0a0b"));
        assert!(!is_thread("rt:{default.p03}:t:0a0b:w") && !is_thread("rt:{default.p03}:e:0a0b"));
    }

    #[test]
    fn a_thread_is_taken_apart() {
        let checkpoint = |record: &[u8]| [&[1; 16][..], &[0, record.len() as u8], record].concat();
        let list = |slots: [&[u8]; 4]| {
            let entries = slots.iter().enumerate();
            entries.map(|(place, value)| (place.to_string(), value.to_vec())).collect::<Vec<_>>()
        };
        let both = [checkpoint(b"one"), checkpoint(b"two")].concat();
        let mut thread = list([b"header", b"event", b"id", &both]);
        thread.push(("4".to_owned(), b"entry".to_vec()));
        let found: Vec<_> = records_of_thread(thread).into_iter().map(|(_, value)| value).collect();
        assert_eq!(found, [&b"header"[..], b"one", b"two", b"entry"]);
        let cut = records_of_thread(list([b"header", b"", b"", &both[..both.len() - 1]]));
        assert_eq!(cut.last().map(|(_, value)| &value[..]), Some(&b"tw"[..]));
        assert_eq!(records_of_thread(list([b"header", b"", b"", b"+"])).len(), 1);
    }

    #[test]
    fn what_is_damaged_is_told() {
        assert!(read(b"text").is_err());
        assert!(read(&[MAGIC, kind::EVENT, 1, 0, 1, 2, 3, 4, 0x90]).is_err());
    }
}
