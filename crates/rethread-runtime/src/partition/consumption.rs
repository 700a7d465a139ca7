use std::collections::VecDeque;

use rethread_storage::InboxCursor;

/// Which messages have been routed, and up to which all have been handled.
#[derive(Debug, Default)]
pub(super) struct Consumption {
    /// Cursors in the order of the inbox, with whether what came of each is being written.
    routed: VecDeque<(InboxCursor, bool)>,
}

impl Consumption {
    pub(super) fn routed(&mut self, cursor: InboxCursor) {
        self.routed.push_back((cursor, false));
    }

    pub(super) fn handled(&mut self, cursor: InboxCursor) {
        if let Ok(index) = self.routed.binary_search_by_key(&cursor, |(routed, _)| *routed) {
            self.routed[index].1 = true;
        }
    }

    /// Takes out what may be consumed: everything before the first message that has not been
    /// handled. Gives the last cursor of it and how many messages there are.
    pub(super) fn advance(&mut self) -> Option<(InboxCursor, usize)> {
        let mut last = None;
        let mut count = 0;
        while let Some((cursor, true)) = self.routed.front().copied() {
            self.routed.pop_front();
            last = Some(cursor);
            count += 1;
        }
        last.map(|cursor| (cursor, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_before_the_first_unhandled_message() {
        let mut consumption = Consumption::default();
        let cursors = [1, 2, 3].map(|n| InboxCursor(n, 0));
        cursors.iter().for_each(|cursor| consumption.routed(*cursor));
        consumption.handled(cursors[1]);
        assert_eq!(consumption.advance(), None);
        consumption.handled(cursors[0]);
        assert_eq!(consumption.advance(), Some((cursors[1], 2)));
        consumption.handled(cursors[2]);
        assert_eq!(consumption.advance(), Some((cursors[2], 1)));
    }
}
