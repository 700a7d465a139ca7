//! Giving up what cannot be read, with a record for operators.

use bytes::Bytes;
use rethread_core::dead_letter::{DeadItem, DeadLetter};
use rethread_core::ids::ThreadKey;
use rethread_core::message::InboxMessage;
use rethread_core::record::Record;
use rethread_storage::InboxItem;

use crate::partition::OwnerState;
use crate::stats::count;

/// Most bytes that are kept of what cannot be read.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Why a message is for nobody.
#[derive(Debug)]
pub(super) struct Dead {
    reason: String,
    what: DeadItem,
}

impl OwnerState {
    /// Reads a message and says which thread it is for.
    pub(super) fn read(&self, item: &InboxItem) -> Result<(ThreadKey, InboxMessage), Dead> {
        let dead = |reason| Dead { reason, what: DeadItem::Message(beginning(&item.message)) };
        let message =
            InboxMessage::from_record(&item.message).map_err(|error| dead(error.to_string()))?;
        let thread = match (&message, message.thread()) {
            (_, Some(thread)) => thread,
            (InboxMessage::Unreadable(order), None) => {
                let reason = "a worker cannot read the order".to_owned();
                return Err(Dead { reason, what: DeadItem::Order(beginning(order)) });
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
    pub(super) fn give_up_message(&mut self, item: &InboxItem, dead: Dead) {
        let Dead { reason, what } = dead;
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
