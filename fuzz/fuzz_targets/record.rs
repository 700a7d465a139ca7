//! Whatever bytes stand where a record should be: every record type reads them or says why not,
//! and what it reads, it writes again to something that reads the same.
//!
//! The first byte chooses the type, and whether the rest is a whole record or only a body: a
//! fuzzer that first had to find a checksum would never reach the decoders behind it.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use rethread_core::checkpoint::Checkpoint;
use rethread_core::dead_letter::DeadLetter;
use rethread_core::event::Event;
use rethread_core::header::ThreadHeader;
use rethread_core::journal::Entry;
use rethread_core::message::{Command, InboxMessage, TaskOrder, WorkerMail};
use rethread_core::record::Record;
use rethread_core::worker_card::WorkerCard;

const TYPES: u8 = 10;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let is_whole = choice / TYPES % 2 == 1;
    match choice % TYPES {
        0 => read::<ThreadHeader>(is_whole, rest),
        1 => read::<Entry>(is_whole, rest),
        2 => read::<Checkpoint>(is_whole, rest),
        3 => read::<Event>(is_whole, rest),
        4 => read::<InboxMessage>(is_whole, rest),
        5 => read::<TaskOrder>(is_whole, rest),
        6 => read::<WorkerMail>(is_whole, rest),
        7 => read::<Command>(is_whole, rest),
        8 => read::<DeadLetter>(is_whole, rest),
        _ => read::<WorkerCard>(is_whole, rest),
    }
});

fn read<T: Record + PartialEq + Debug>(is_whole: bool, bytes: &[u8]) {
    let record: T = if is_whole {
        match T::from_record(bytes) {
            Ok(record) => record,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    } else {
        match rmp_serde::from_slice(bytes) {
            Ok(record) => record,
            Err(_) => return,
        }
    };
    let again = T::from_record(&record.to_record()).expect("what was written is read");
    assert_eq!(again, record);
}
