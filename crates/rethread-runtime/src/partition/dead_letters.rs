//! Giving up what cannot be read, with a record for operators, and leaving alone what a newer
//! version has written.

use bytes::Bytes;
use rethread_core::dead_letter::{DeadItem, DeadLetter};
use rethread_core::ids::ThreadKey;
use rethread_core::message::InboxMessage;
use rethread_core::record::{Record, RecordError};
use rethread_storage::InboxItem;

use crate::partition::OwnerState;
use crate::records;
use crate::stats::count;

/// Most bytes that are kept of what cannot be read.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Why a message is not routed.
#[derive(Debug)]
pub(super) enum Unroutable {
    /// It is for nobody.
    Dead { reason: String, what: DeadItem },
    /// A newer version wrote it.
    Newer(RecordError),
}

impl OwnerState {
    /// Reads a message and says which thread it is for.
    pub(super) fn read(&self, item: &InboxItem) -> Result<(ThreadKey, InboxMessage), Unroutable> {
        let dead = |reason| {
            let what = DeadItem::Message(beginning(&item.message));
            Unroutable::Dead { reason, what }
        };
        let message = match records::message(&item.message) {
            Ok(message) => message,
            Err(error) if records::is_newer(&error) => return Err(Unroutable::Newer(error)),
            Err(error) => return Err(dead(error.to_string())),
        };
        let thread = match (&message, message.thread()) {
            (_, Some(thread)) => thread,
            (InboxMessage::Unreadable(order), None) => {
                let reason = "a worker cannot read the order".to_owned();
                let what = DeadItem::Order(beginning(order));
                return Err(Unroutable::Dead { reason, what });
            }
            (_, None) => return Err(dead("it is for no thread".to_owned())),
        };
        let partition = thread.partition(self.engine.storage.partitions());
        if partition != self.partition() {
            return Err(dead(format!("its thread belongs to partition {partition}")));
        }
        Ok((thread, message))
    }

    /// Gives a message up: it must not hold up the others. A call whose order or report it was is
    /// found by the search for lost ones.
    ///
    /// What a newer version has written stays in the inbox, for an owner of that version. It
    /// counts as read ahead, so with very many of them nothing more is read.
    pub(super) fn pass_over(&mut self, item: &InboxItem, why: Unroutable) {
        let (reason, what) = match why {
            Unroutable::Dead { reason, what } => (reason, what),
            Unroutable::Newer(error) => {
                count(&self.engine.stats.newer_messages);
                self.engine.failures.newer.failed(&error);
                return;
            }
        };
        count(&self.engine.stats.corrupt_messages);
        tracing::error!(
            partition = %item.partition,
            cursor = ?item.cursor,
            reason,
            "message cannot be read and becomes a dead letter"
        );
        let letter = DeadLetter { at: self.engine.clock.now(), reason, what };
        self.consumption.gave_up(item.cursor, letter.to_record());
        self.ask_flush();
    }
}

fn beginning(bytes: &Bytes) -> Bytes {
    bytes.slice(..bytes.len().min(KEPT_BYTES_MAX))
}
