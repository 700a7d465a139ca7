//! Answering for threads that cannot be brought into memory.

use rethread_core::event::Refusal;
use rethread_core::ids::{ExecutionId, Millis, ThreadKey};
use rethread_core::message::{InboxMessage, Report};
use rethread_storage::ThreadWrite;

use crate::coordinator::Turned;
use crate::partition::OwnerState;
use crate::partition::slot::Phase;
use crate::records;

impl OwnerState {
    /// Refuses commands and keeps reports, so that nothing recorded is lost when the thread can
    /// be loaded again.
    pub(super) fn answer_quarantined(&mut self, thread: ThreadKey) {
        let now = self.engine.clock.now();
        let Some(slot) = self.slots.get_mut(&thread) else { return };
        let Phase::Quarantined { reason, execution } = &slot.phase else { return };
        let mut turns = Vec::new();
        while let Some((cursor, record)) = slot.unhandled.pop_front() {
            let write = records::message(&record)
                .ok()
                .and_then(|message| answer(thread, now, message, reason, *execution));
            slot.unwritten += 1;
            turns.push(Turned { write, handled: vec![cursor], ..Turned::none(thread) });
        }
        for turn in turns {
            self.outbox.push(turn);
        }
        self.ask_flush();
    }
}

fn answer(
    thread: ThreadKey,
    now: Millis,
    message: InboxMessage,
    reason: &str,
    execution: Option<ExecutionId>,
) -> Option<ThreadWrite> {
    match message {
        InboxMessage::Command(command) => {
            let refusal = Refusal::Corrupt { reason: reason.to_owned() };
            Some(records::refused(thread, command.run, now, refusal))
        }
        InboxMessage::Report(report) if execution == Some(report.target.execution) => {
            Some(records::held(thread, now, report))
        }
        InboxMessage::Report(Report { target, .. }) => {
            tracing::error!(thread_key = %thread, call = %target.call, "report dropped: its thread cannot be loaded");
            None
        }
        InboxMessage::Emitted(_) | InboxMessage::Called(_) | InboxMessage::Unreadable(_) => None,
    }
}
