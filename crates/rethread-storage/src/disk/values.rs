//! Stored forms of what the adapter itself keeps; everything else is opaque bytes.

use bytes::Bytes;
use rethread_core::ids::{CheckpointId, Millis, QueueName, RunId};

use crate::live::Counts;
use crate::{OrderGroup, QueuedOrder, Result, StorageError};

/// Where the journal and the events of a thread stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// Grows each time the journal is replaced: entries of older generations do not count.
    pub(super) generation: u64,
    /// Number of entries.
    pub(super) entries: u64,
    /// The checkpoint that is loaded with the thread.
    pub(super) base: Option<CheckpointId>,
    /// The run whose events were written last, and the number of its last event.
    pub(super) last_event: Option<(RunId, u64)>,
    /// The commands that wait: number of the first, and that behind the last. Both are zero when
    /// none does.
    pub(super) waiting: (u64, u64),
}

impl Standing {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(74);
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.entries.to_be_bytes());
        bytes.push(u8::from(self.base.is_some()));
        bytes.extend(self.base.iter().flat_map(|id| id.as_uuid().as_bytes()));
        bytes.push(u8::from(self.last_event.is_some()));
        if let Some((run, number)) = self.last_event {
            bytes.extend(run.as_uuid().as_bytes());
            bytes.extend(number.to_be_bytes());
        }
        // Format 1 ends here.
        if self.waiting != (0, 0) {
            bytes.extend(self.waiting.0.to_be_bytes());
            bytes.extend(self.waiting.1.to_be_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).ok_or_else(|| damaged("the standing of a thread"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let generation = reader.number()?;
        let entries = reader.number()?;
        let base = match reader.flag()? {
            true => Some(CheckpointId::from_uuid(reader.uuid()?)),
            false => None,
        };
        let last_event = match reader.flag()? {
            true => Some((RunId::from_uuid(reader.uuid()?), reader.number()?)),
            false => None,
        };
        let waiting = match reader.end() {
            Some(()) => (0, 0),
            None => (reader.number()?, reader.number()?),
        };
        reader.end()?;
        Some(Self { generation, entries, base, last_event, waiting })
    }
}

/// A value that may have an end: an item of the store, or an entry of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) value: Bytes,
    /// None: it has no end.
    pub(super) expires_at: Option<Millis>,
}

impl Kept {
    pub(super) fn encode(&self) -> Vec<u8> {
        let end = self.expires_at.map_or(u64::MAX, |at| at.0);
        [&end.to_be_bytes(), &self.value[..]].concat()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let expires_at = Self::end_of(bytes)?;
        let value = bytes.get(size_of::<u64>()..).map(Bytes::copy_from_slice);
        Ok(Self { value: value.ok_or_else(damaged_end)?, expires_at })
    }

    /// Whether it is still there at `now`.
    pub(super) fn lasts(&self, now: Millis) -> bool {
        lasts(self.expires_at, now)
    }

    /// Whether the one in this stored form is still there at `now`.
    pub(super) fn stored_lasts(bytes: &[u8], now: Millis) -> Result<bool> {
        Ok(lasts(Self::end_of(bytes)?, now))
    }

    fn end_of(bytes: &[u8]) -> Result<Option<Millis>> {
        let end = Reader(bytes).number().ok_or_else(damaged_end)?;
        Ok((end != u64::MAX).then_some(Millis(end)))
    }
}

fn lasts(expires_at: Option<Millis>, now: Millis) -> bool {
    expires_at.is_none_or(|at| at > now)
}

fn damaged_end() -> StorageError {
    damaged("an item or a cache entry")
}

/// First byte of an order that has a group. In format 1, orders had none and began with the
/// length of the name of their queue, which is at most 256.
const ORDER_WITH_GROUP: u8 = 2;

/// An order and when it entered its queue: group, time, length of the name of the queue (2
/// bytes), name, record.
pub(super) fn encode_order(order: &QueuedOrder, entered: Millis) -> Vec<u8> {
    let name = order.queue.as_str().as_bytes();
    let name_len = u16::try_from(name.len()).expect("invariant: ids have at most 256 bytes");
    [
        &[ORDER_WITH_GROUP][..],
        &order.group.0,
        &entered.0.to_be_bytes(),
        &name_len.to_be_bytes(),
        name,
        &order.order,
    ]
    .concat()
}

/// The order, and when it entered its queue if that is known.
pub(super) fn decode_order(bytes: &[u8]) -> Result<(QueuedOrder, Option<Millis>)> {
    let parse = || {
        let mut reader = Reader(bytes);
        let (group, entered) = match bytes.first()? {
            &ORDER_WITH_GROUP => {
                reader.byte()?;
                (OrderGroup(reader.id()?), Some(Millis(reader.number()?)))
            }
            _ => (OrderGroup([0; 16]), None),
        };
        let name_len = usize::from(reader.short()?);
        let (name, record) = reader.0.split_at_checked(name_len)?;
        let queue = QueueName::new(std::str::from_utf8(name).ok()?).ok()?;
        Some((QueuedOrder { queue, group, order: Bytes::copy_from_slice(record) }, entered))
    };
    parse().ok_or_else(|| damaged("a queued order"))
}

/// A dead letter and the time of its commit.
pub(super) fn encode_letter(at: Millis, record: &Bytes) -> Vec<u8> {
    [&at.0.to_be_bytes(), &record[..]].concat()
}

pub(super) fn decode_letter(bytes: &[u8]) -> Result<(Millis, Bytes)> {
    let (at, record) = bytes.split_first_chunk().ok_or_else(|| damaged("a dead letter"))?;
    Ok((Millis(u64::from_be_bytes(*at)), Bytes::copy_from_slice(record)))
}

/// Epoch and last commit of a partition.
pub(super) fn encode_counters((epoch, last_commit): (u64, u64)) -> Vec<u8> {
    [epoch.to_be_bytes(), last_commit.to_be_bytes()].concat()
}

pub(super) fn decode_counters(bytes: &[u8]) -> Result<(u64, u64)> {
    let mut reader = Reader(bytes);
    let counters = reader.number().zip(reader.number()).filter(|_| reader.end().is_some());
    counters.ok_or_else(|| damaged("the counters of a partition"))
}

/// How often an order was given to workers: counted and at all.
pub(super) fn encode_counts(counts: Counts) -> Vec<u8> {
    [u64::from(counts.fetches).to_be_bytes(), u64::from(counts.given).to_be_bytes()].concat()
}

pub(super) fn decode_counts(bytes: &[u8]) -> Result<Counts> {
    let parse = || {
        let mut reader = Reader(bytes);
        let fetches = u32::try_from(reader.number()?).ok()?;
        let given = u32::try_from(reader.number()?).ok()?;
        reader.end()?;
        Some(Counts { fetches, given })
    };
    parse().ok_or_else(|| damaged("the fetches of an order"))
}

pub(super) fn damaged(what: &str) -> StorageError {
    StorageError::Corrupt {
        what: what.to_owned(),
        reason: "it does not have the stored form; restore the data directory from a backup"
            .to_owned(),
    }
}

/// Takes fields off the front of stored bytes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn id(&mut self) -> Option<[u8; 16]> {
        self.array()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn uuid(&mut self) -> Option<uuid::Uuid> {
        self.id().map(uuid::Uuid::from_bytes)
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standings_survive_and_damage_is_noticed() {
        let id = uuid::Uuid::from_u128(7);
        let full = Standing {
            generation: 1,
            entries: 2,
            base: Some(CheckpointId::from_uuid(id)),
            last_event: Some((RunId::from_uuid(id), 3)),
            waiting: (4, 6),
        };
        let format_1 = Standing { waiting: (0, 0), ..full };
        for standing in [Standing::default(), format_1, full] {
            let bytes = standing.encode();
            assert_eq!(Standing::decode(&bytes), Ok(standing));
            let older = Standing { waiting: (0, 0), ..standing }.encode().len();
            for len in (0..bytes.len()).filter(|len| *len != older) {
                assert!(Standing::decode(&bytes[..len]).is_err(), "cut to {len}");
            }
            assert!(Standing::decode(&[&bytes[..], b"x"].concat()).is_err(), "too long");
        }
    }

    #[test]
    fn ends_survive_and_damage_is_noticed() {
        for expires_at in [None, Some(Millis(0)), Some(Millis(7))] {
            let kept = Kept { value: Bytes::from_static(b"value"), expires_at };
            let bytes = kept.encode();
            assert_eq!(Kept::stored_lasts(&bytes, Millis(6)), Ok(expires_at != Some(Millis(0))));
            assert_eq!(Kept::stored_lasts(&bytes, Millis(7)), Ok(expires_at.is_none()));
            assert_eq!(Kept::decode(&bytes), Ok(kept));
        }
        assert!(Kept::decode(&[0; 7]).is_err() && Kept::stored_lasts(&[], Millis(0)).is_err());
    }

    #[test]
    fn orders_survive() {
        let order = QueuedOrder {
            group: OrderGroup([1; 16]),
            queue: QueueName::new("\u{0}a:b").expect("an id"),
            order: Bytes::from_static(b""),
        };
        let bytes = encode_order(&order, Millis(7));
        assert_eq!(decode_order(&bytes), Ok((order, Some(Millis(7)))));
        for len in 0..bytes.len() {
            assert!(decode_order(&bytes[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn orders_of_format_1_are_read() {
        let order = QueuedOrder {
            group: OrderGroup([0; 16]),
            queue: QueueName::new("q").expect("an id"),
            order: Bytes::from_static(b"record"),
        };
        assert_eq!(decode_order(b"\0\x01qrecord"), Ok((order, None)));
        assert!(decode_order(&[0, 9, b'a']).is_err());
    }

    #[test]
    fn letters_survive() {
        let record = Bytes::from_static(b"letter");
        assert_eq!(decode_letter(&encode_letter(Millis(7), &record)), Ok((Millis(7), record)));
        assert!(decode_letter(&[0; 7]).is_err());
    }
}
