use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use rethread_storage::InboxCursor;

/// Most bytes of the dead letters of one commit; a single one may have more.
const DEAD_LETTERS_BYTES_MAX: usize = 1024 * 1024;

/// Which routed messages have not been handled, and which have been since the last commit.
///
/// A message is handled with the commit that holds what came of it, whether those before it are
/// handled or not: a thread that is slow to load must not keep the messages of all others, to be
/// handled a second time by the next owner.
#[derive(Debug, Default)]
pub(super) struct Consumption {
    open: BTreeSet<InboxCursor>,
    handled: BTreeSet<InboxCursor>,
    /// Messages that are given up, each with the record that is kept of it.
    given_up: VecDeque<(InboxCursor, Bytes)>,
}

/// What one commit consumes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Consumed {
    /// Everything up to here.
    pub(super) up_to: Option<InboxCursor>,
    /// Single messages behind one that has not been handled.
    pub(super) beyond: Vec<InboxCursor>,
    /// How many messages that are.
    pub(super) count: usize,
    /// What is kept of those among them that were given up.
    pub(super) dead_letters: Vec<Bytes>,
}

impl Consumption {
    pub(super) fn routed(&mut self, cursor: InboxCursor) {
        self.open.insert(cursor);
    }

    pub(super) fn handled(&mut self, cursor: InboxCursor) {
        if self.open.remove(&cursor) {
            self.handled.insert(cursor);
        }
    }

    /// Gives a message up: the commit that consumes it keeps a record of it.
    pub(super) fn gave_up(&mut self, cursor: InboxCursor, dead_letter: Bytes) {
        if self.open.contains(&cursor) {
            self.given_up.push_back((cursor, dead_letter));
        }
    }

    /// Whether messages are handled that no commit has consumed.
    pub(super) fn is_pending(&self) -> bool {
        !self.handled.is_empty() || !self.given_up.is_empty()
    }

    /// Takes out what the next commit consumes; each message is named once.
    pub(super) fn take(&mut self) -> Consumed {
        let dead_letters = self.take_dead_letters();
        let mut handled = std::mem::take(&mut self.handled);
        let count = handled.len();
        let beyond = match self.open.first() {
            Some(oldest) => handled.split_off(oldest),
            None => BTreeSet::new(),
        };
        let beyond = beyond.into_iter().collect();
        Consumed { up_to: handled.pop_last(), beyond, count, dead_letters }
    }

    fn take_dead_letters(&mut self) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut room = DEAD_LETTERS_BYTES_MAX;
        while let Some((cursor, letter)) = self.given_up.pop_front() {
            if letter.len() > room && !taken.is_empty() {
                self.given_up.push_front((cursor, letter));
                break;
            }
            room = room.saturating_sub(letter.len());
            self.handled(cursor);
            taken.push(letter);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cursors: &[InboxCursor; 4], up_to: Option<usize>, beyond: &[usize]) -> Consumed {
        let beyond: Vec<_> = beyond.iter().map(|n| cursors[*n]).collect();
        let up_to = up_to.map(|n| cursors[n]);
        let count = beyond.len() + usize::from(up_to.is_some());
        Consumed { up_to, count, beyond, dead_letters: Vec::new() }
    }

    #[test]
    fn a_message_that_is_given_up_is_consumed_with_the_record_of_it() {
        let mut consumption = Consumption::default();
        let cursors = [1, 2, 3, 4].map(|n| InboxCursor(n, 0));
        cursors.iter().for_each(|cursor| consumption.routed(*cursor));
        let letter = |n: u8| Bytes::from(vec![n; DEAD_LETTERS_BYTES_MAX / 2 + 1]);
        consumption.gave_up(cursors[0], letter(0));
        consumption.gave_up(cursors[1], letter(1));
        consumption.handled(cursors[2]);
        let first = Consumed { dead_letters: vec![letter(0)], ..of(&cursors, Some(0), &[2]) };
        assert_eq!(consumption.take(), first);
        assert!(consumption.is_pending(), "each commit has a size");
        let second = Consumed { dead_letters: vec![letter(1)], ..of(&cursors, Some(1), &[]) };
        assert_eq!(consumption.take(), second);
        assert!(!consumption.is_pending());
    }

    #[test]
    fn a_message_is_consumed_once_and_does_not_wait_for_earlier_ones() {
        let mut consumption = Consumption::default();
        let cursors = [1, 2, 3, 4].map(|n| InboxCursor(n, 0));
        cursors.iter().for_each(|cursor| consumption.routed(*cursor));
        consumption.handled(cursors[1]);
        assert_eq!(consumption.take(), of(&cursors, None, &[1]));
        assert!(!consumption.is_pending());
        consumption.handled(cursors[0]);
        consumption.handled(cursors[1]);
        consumption.handled(cursors[3]);
        assert_eq!(consumption.take(), of(&cursors, Some(0), &[3]));
        consumption.handled(cursors[2]);
        assert_eq!(consumption.take(), of(&cursors, Some(2), &[]));
        assert_eq!(consumption.take(), Consumed::default());
    }

    #[test]
    fn one_cursor_stands_for_all_before_it() {
        let mut consumption = Consumption::default();
        let cursors = [1, 2, 3, 4].map(|n| InboxCursor(n, 0));
        cursors.iter().for_each(|cursor| consumption.routed(*cursor));
        cursors[..3].iter().for_each(|cursor| consumption.handled(*cursor));
        let consumed = Consumed { count: 3, ..of(&cursors, Some(2), &[]) };
        assert_eq!(consumption.take(), consumed);
    }
}
