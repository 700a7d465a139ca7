//! The first places of the list that is a thread; `commit.lua` says what they hold. Behind them
//! stands the journal.

use bytes::{Buf as _, Bytes};
use rethread_core::ids::{CheckpointId, RunId};
use rethread_storage::Result;
use uuid::Uuid;

use crate::error::malformed;

/// The header's record.
pub(crate) const HEADER: usize = 0;
/// The run whose events were written last, and the number of its last event.
pub(crate) const LAST_EVENT: usize = 1;
/// The id of the base checkpoint.
pub(crate) const BASE: usize = 2;
/// How many there are: the last one has the packed checkpoints.
pub(crate) const COUNT: usize = 4;

const ID_BYTES: usize = 16;

/// Number of the last event of a run, as far as the slot tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastEvent {
    pub(crate) run: RunId,
    pub(crate) number: u64,
    /// Whether the run goes on, so that only its log knows the number by now: the slot is written
    /// when a run begins and when it ends, not with each step.
    pub(crate) is_open: bool,
}

impl LastEvent {
    /// What stands in the slot: the run's id, and the number as text; behind it a `+` if the run
    /// goes on.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self { run, number, is_open } = self;
        let text = format!("{number}{}", if *is_open { "+" } else { "" });
        [&run.as_uuid().as_bytes()[..], text.as_bytes()].concat()
    }
}

/// Whether a thread is there, of which these are the first slots.
pub(crate) fn has_header(slots: &[Bytes]) -> bool {
    slots.get(BASE).is_some_and(|base| matches!(base.len(), 0 | ID_BYTES))
}

/// Reads the slot of the last event; empty: there is none.
pub(crate) fn read_last_event(slot: &[u8], what: &str) -> Result<Option<LastEvent>> {
    if slot.is_empty() {
        return Ok(None);
    }
    let read = || {
        let (run, text) = slot.split_first_chunk::<ID_BYTES>()?;
        let run = RunId::from_uuid(Uuid::from_bytes(*run));
        let text = std::str::from_utf8(text).ok()?;
        let (digits, is_open) = match text.strip_suffix('+') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        Some(LastEvent { run, number: digits.parse().ok()?, is_open })
    };
    read().map(Some).ok_or_else(|| malformed(what, "its last event is not a run and a number"))
}

/// Takes packed checkpoints apart.
pub(crate) fn unpack_checkpoints(
    mut packed: Bytes,
    what: &str,
) -> Result<Vec<(CheckpointId, Bytes)>> {
    let mut checkpoints = Vec::new();
    while !packed.is_empty() {
        let one = unpack_first(&mut packed);
        checkpoints.push(one.ok_or_else(|| malformed(what, "its checkpoints are cut off"))?);
    }
    Ok(checkpoints)
}

fn unpack_first(packed: &mut Bytes) -> Option<(CheckpointId, Bytes)> {
    let id = *packed.first_chunk::<ID_BYTES>()?;
    packed.advance(ID_BYTES);
    let size = usize::from(packed.try_get_u16().ok()?);
    if packed.len() < size {
        return None;
    }
    Some((CheckpointId::from_uuid(Uuid::from_bytes(id)), packed.split_to(size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_read_back_and_nothing_else_is() {
        let run = RunId::from_uuid(Uuid::from_u128(7));
        for (number, is_open) in [(0, false), (1, true), (u64::MAX, false), (u64::MAX, true)] {
            let last = LastEvent { run, number, is_open };
            assert_eq!(read_last_event(&last.encode(), "x"), Ok(Some(last)));
        }
        assert_eq!(read_last_event(b"", "x"), Ok(None));
        let whole = LastEvent { run, number: 12, is_open: false }.encode();
        for cut in 1..=ID_BYTES {
            read_last_event(&whole[..cut], "x").expect_err("is cut off");
        }
        for other in ["x", "+", "1++", "1 "] {
            let slot = [b"0123456789abcdef", other.as_bytes()].concat();
            read_last_event(&slot, "x").expect_err("is no number");
        }
    }

    #[test]
    fn packed_checkpoints_are_read_back_and_what_is_cut_off_is_told() {
        let one = |n: u8, record: &[u8]| {
            [&[n; ID_BYTES][..], &(record.len() as u16).to_be_bytes(), record].concat()
        };
        let packed = Bytes::from([one(2, b"ab"), one(1, b""), one(3, b"c")].concat());
        let found = unpack_checkpoints(packed.clone(), "x").expect("reads");
        let id = |n: u8| CheckpointId::from_uuid(Uuid::from_bytes([n; ID_BYTES]));
        let expected = [(id(2), "ab"), (id(1), ""), (id(3), "c")];
        assert_eq!(found, expected.map(|(id, record)| (id, Bytes::from(record))));
        assert_eq!(unpack_checkpoints(Bytes::new(), "x"), Ok(Vec::new()));
        for cut in [1, 17, 19, packed.len() - 1] {
            unpack_checkpoints(packed.slice(..cut), "x").expect_err("is cut off");
        }
    }
}
