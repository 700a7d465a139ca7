use std::collections::BTreeSet;

use rethread_storage::InboxCursor;

/// Which routed messages have not been handled, and which have been since the last commit.
///
/// A message is handled with the commit that holds what came of it, whether those before it are
/// handled or not: a thread that is slow to load must not keep the messages of all others, to be
/// handled a second time by the next owner.
#[derive(Debug, Default)]
pub(super) struct Consumption {
    open: BTreeSet<InboxCursor>,
    handled: BTreeSet<InboxCursor>,
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

    /// Whether messages are handled that no commit has consumed.
    pub(super) fn is_pending(&self) -> bool {
        !self.handled.is_empty()
    }

    /// Takes out what the next commit consumes; each message is named once.
    pub(super) fn take(&mut self) -> Consumed {
        let mut handled = std::mem::take(&mut self.handled);
        let count = handled.len();
        let beyond = match self.open.first() {
            Some(oldest) => handled.split_off(oldest),
            None => BTreeSet::new(),
        };
        Consumed { up_to: handled.pop_last(), beyond: beyond.into_iter().collect(), count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cursors: &[InboxCursor; 4], up_to: Option<usize>, beyond: &[usize]) -> Consumed {
        let beyond: Vec<_> = beyond.iter().map(|n| cursors[*n]).collect();
        let up_to = up_to.map(|n| cursors[n]);
        Consumed { up_to, count: beyond.len() + usize::from(up_to.is_some()), beyond }
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
        let consumed = Consumed { up_to: Some(cursors[2]), beyond: Vec::new(), count: 3 };
        assert_eq!(consumption.take(), consumed);
    }
}
