//! The inbox of one partition, and the op ids that it has taken lately.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use rethread_core::ids::{Millis, OpId};

use super::work::Finished;
use crate::{InboxCursor, InboxItem, OrderGroup, PartitionId};

/// How long an op id is remembered. The port promises ten minutes.
const OP_RETENTION_MS: u64 = 15 * 60 * 1_000;

/// Most op ids forgotten by one submit: more than one, so that the memory shrinks after a burst.
const OPS_FORGOTTEN_MAX: usize = 8;

/// Messages in the order in which they became readable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox {
    items: VecDeque<Item>,
    last_cursor: u64,
    last_number: u64,
    ops: HashSet<OpId>,
    ops_by_age: VecDeque<(Millis, OpId)>,
    /// Messages that are accepted and not readable yet.
    on_their_way: u64,
}

#[derive(Debug, Clone)]
struct Item {
    cursor: u64,
    message: Bytes,
    origin: Origin,
}

/// Where a message came from: what there is to clean up when it is consumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Submitted under this number.
    Submitted(u64),
    /// Handed in by a worker; the order that ends with it, if any.
    HandedIn(Option<Finished>),
}

/// The decision about a submitted message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Its number, to be delivered under; none if the op id is known.
    pub(crate) number: Option<u64>,
    /// Op ids that are remembered no longer.
    pub(crate) forgotten: Vec<OpId>,
}

impl Inbox {
    /// Remembers the op id and numbers the message. It becomes readable by `deliver`.
    pub(crate) fn accept(&mut self, op: OpId, now: Millis) -> Accepted {
        let mut forgotten = Vec::new();
        while let Some((at, oldest)) = self.ops_by_age.front().copied()
            && at.plus(OP_RETENTION_MS) <= now
            && forgotten.len() < OPS_FORGOTTEN_MAX
        {
            self.ops_by_age.pop_front();
            self.ops.remove(&oldest);
            forgotten.push(oldest);
        }
        if !self.remember(op, now) {
            return Accepted { number: None, forgotten };
        }
        self.last_number += 1;
        self.on_their_way += 1;
        Accepted { number: Some(self.last_number), forgotten }
    }

    /// Whether the op id is remembered.
    pub(crate) fn knows(&self, op: OpId) -> bool {
        self.ops.contains(&op)
    }

    /// Number of messages, those that are not readable yet included.
    pub(crate) fn len(&self) -> u64 {
        self.items.len() as u64 + self.on_their_way
    }

    /// The orders of these groups that end with a message in here.
    pub(crate) fn ending<'a>(
        &'a self,
        groups: &'a [OrderGroup],
    ) -> impl Iterator<Item = Finished> + 'a {
        let finished = self.items.iter().filter_map(|item| match item.origin {
            Origin::HandedIn(finished) => finished,
            Origin::Submitted(_) => None,
        });
        finished.filter(|finished| groups.contains(&finished.group))
    }

    /// Remembers an op id; false if it was known.
    pub(crate) fn remember(&mut self, op: OpId, now: Millis) -> bool {
        let is_new = self.ops.insert(op);
        if is_new {
            self.ops_by_age.push_back((now, op));
        }
        is_new
    }

    /// Makes a message readable.
    ///
    /// Cursors are given here and not on acceptance: a message that is being written while a
    /// later one is already read must not appear behind the reader.
    pub(crate) fn deliver(&mut self, message: Bytes, origin: Origin) {
        if let Origin::Submitted(number) = origin {
            self.last_number = self.last_number.max(number);
            self.on_their_way = self.on_their_way.saturating_sub(1);
        }
        self.last_cursor += 1;
        self.items.push_back(Item { cursor: self.last_cursor, message, origin });
    }

    pub(crate) fn read(
        &self,
        partition: PartitionId,
        after: InboxCursor,
        max: usize,
        found: &mut Vec<InboxItem>,
    ) {
        let start = self.items.partition_point(|item| item.cursor <= after.0);
        found.extend(self.items.range(start..).take(max).map(|item| InboxItem {
            partition,
            cursor: InboxCursor(item.cursor, 0),
            message: item.message.clone(),
        }));
    }

    /// The newest cursor that was given to a message.
    pub(crate) fn newest_cursor(&self) -> u64 {
        self.last_cursor
    }

    /// Gives no message a cursor up to this one from now on.
    pub(crate) fn leave_out(&mut self, up_to: u64) {
        self.last_cursor = self.last_cursor.max(up_to);
    }

    /// Takes out everything up to a cursor.
    pub(crate) fn consume(&mut self, up_to: InboxCursor) -> Vec<Origin> {
        let end = self.items.partition_point(|item| item.cursor <= up_to.0);
        self.items.drain(..end).map(|item| item.origin).collect()
    }

    /// Takes out single messages.
    pub(crate) fn consume_each(&mut self, cursors: &[InboxCursor]) -> Vec<Origin> {
        let mut taken = Vec::with_capacity(cursors.len());
        for cursor in cursors {
            let found = self.items.binary_search_by_key(&cursor.0, |item| item.cursor);
            taken.extend(found.ok().and_then(|index| self.items.remove(index)).map(|i| i.origin));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn op_ids_are_forgotten_after_their_time() {
        let mut inbox = Inbox::default();
        let op = OpId::from_random(1);
        assert_eq!(inbox.accept(op, Millis(0)).number, Some(1));
        assert_eq!(inbox.accept(op, Millis(OP_RETENTION_MS - 1)).number, None);
        let again = inbox.accept(op, Millis(OP_RETENTION_MS));
        assert_eq!(again, Accepted { number: Some(2), forgotten: vec![op] });
    }

    #[test]
    fn a_late_delivery_stands_behind_an_early_one() {
        let mut inbox = Inbox::default();
        let first = inbox.accept(OpId::from_random(1), Millis(0)).number.expect("new");
        inbox.deliver(Bytes::from_static(b"handed in"), Origin::HandedIn(None));
        inbox.deliver(Bytes::from_static(b"submitted"), Origin::Submitted(first));
        let mut found = Vec::new();
        inbox.read(PartitionId(0), InboxCursor(1, 0), 10, &mut found);
        assert_eq!(found.len(), 1, "the reader of the first message sees the second");
        assert_eq!(
            inbox.consume(InboxCursor(2, 0)),
            [Origin::HandedIn(None), Origin::Submitted(first)]
        );
    }

    #[test]
    fn single_messages_are_taken_out_once() {
        let mut inbox = Inbox::default();
        (1..=4).for_each(|n| inbox.deliver(Bytes::new(), Origin::Submitted(n)));
        let cursors = [2, 4].map(|n| InboxCursor(n, 0));
        assert_eq!(inbox.consume_each(&cursors), [Origin::Submitted(2), Origin::Submitted(4)]);
        assert_eq!(inbox.consume_each(&cursors), []);
        let rest = inbox.consume(InboxCursor(4, 0));
        assert_eq!(rest, [Origin::Submitted(1), Origin::Submitted(3)]);
    }
}
