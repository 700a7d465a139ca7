use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ractor::ActorRef;
use rethread_core::ids::{OwnerToken, PartitionId};
use rethread_storage::{InboxCursor, InboxItem, Lease};
use tokio::sync::Notify;

use crate::partition::OwnerMessage;

/// The partitions whose inboxes are read, how far, and how much their owners have not consumed.
///
/// Mailboxes are unbounded, so what is read ahead is bounded here: a partition with too much
/// unconsumed is not read until its owner has committed.
#[derive(Debug)]
pub(crate) struct Feeds {
    feeds: Mutex<BTreeMap<PartitionId, Feed>>,
    changed: Notify,
    ahead_max: usize,
}

#[derive(Debug)]
struct Feed {
    token: OwnerToken,
    owner: ActorRef<OwnerMessage>,
    cursor: InboxCursor,
    unconsumed: usize,
    is_being_read: bool,
}

/// What one read asks for.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) after: Vec<(PartitionId, InboxCursor)>,
    tokens: Vec<OwnerToken>,
}

impl Feeds {
    pub(crate) fn new(ahead_max: usize) -> Self {
        let ahead_max = ahead_max.max(1);
        Self { feeds: Mutex::default(), changed: Notify::new(), ahead_max }
    }

    /// The partitions that are read, each with how many of its messages are read and not consumed.
    pub(crate) fn unconsumed(&self) -> Vec<(PartitionId, usize)> {
        self.lock().iter().map(|(partition, feed)| (*partition, feed.unconsumed)).collect()
    }

    /// Starts to read a partition from its oldest message.
    pub(crate) fn register(&self, lease: &Lease, owner: ActorRef<OwnerMessage>) {
        let feed = Feed {
            token: lease.token,
            owner,
            cursor: InboxCursor::START,
            unconsumed: 0,
            is_being_read: false,
        };
        self.lock().insert(lease.partition, feed);
        self.changed.notify_one();
    }

    /// Stops to read a partition for this owner.
    pub(crate) fn unregister(&self, lease: &Lease) {
        let mut feeds = self.lock();
        if feeds.get(&lease.partition).is_some_and(|feed| feed.token == lease.token) {
            feeds.remove(&lease.partition);
        }
    }

    /// The owner has consumed messages.
    pub(crate) fn consumed(&self, lease: &Lease, count: usize) {
        let mut feeds = self.lock();
        let Some(feed) = feeds.get_mut(&lease.partition) else { return };
        if feed.token != lease.token {
            return;
        }
        let was_full = feed.unconsumed >= self.ahead_max;
        feed.unconsumed = feed.unconsumed.saturating_sub(count);
        if was_full && feed.unconsumed < self.ahead_max {
            self.changed.notify_one();
        }
    }

    /// Waits until there may be more to read.
    ///
    /// # Cancel safety
    /// Loses no notification.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes the partitions that nobody reads at the moment and that have room.
    pub(crate) fn begin_reading(&self) -> Option<Reading> {
        let mut reading = Reading::default();
        for (partition, feed) in self.lock().iter_mut() {
            if !feed.is_being_read && feed.unconsumed < self.ahead_max {
                feed.is_being_read = true;
                reading.after.push((*partition, feed.cursor));
                reading.tokens.push(feed.token);
            }
        }
        (!reading.after.is_empty()).then_some(reading)
    }

    /// Ends a read: passes on what was found.
    pub(crate) fn end_reading(&self, reading: &Reading, items: Vec<InboxItem>) {
        let mut found: BTreeMap<PartitionId, Vec<InboxItem>> = BTreeMap::new();
        for item in items {
            found.entry(item.partition).or_default().push(item);
        }
        let mut feeds = self.lock();
        for ((partition, _), token) in reading.after.iter().zip(&reading.tokens) {
            let Some(feed) = feeds.get_mut(partition) else { continue };
            if feed.token != *token {
                continue;
            }
            feed.is_being_read = false;
            let Some(items) = found.remove(partition) else { continue };
            let Some(last) = items.last() else { continue };
            feed.cursor = last.cursor;
            feed.unconsumed += items.len();
            // A dead owner is unregistered by its supervisor.
            let _ = feed.owner.cast(OwnerMessage::Inbox(items));
        }
    }

    /// Forgets which reads are under way; for a reader that starts again.
    pub(crate) fn reset_reading(&self) {
        self.lock().values_mut().for_each(|feed| feed.is_being_read = false);
    }

    // The map stays usable whatever panicked: each change of it is one assignment.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PartitionId, Feed>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
