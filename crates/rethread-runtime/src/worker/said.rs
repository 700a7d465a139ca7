use bytes::Bytes;
use rethread_core::ids::WorkerId;
use rethread_core::message::{Called, Emitted, InboxMessage, NestedCall, Target};
use rethread_core::payload::Payload;
use rethread_core::record::Record;

/// What a body wrote and called since the last hand-in, as messages in that order.
#[derive(Debug)]
pub(super) struct Said {
    target: Target,
    worker: WorkerId,
    messages: Vec<Bytes>,
    /// The newest events; they stand behind the messages.
    emitted: Vec<Payload>,
    /// How many events are in messages so far.
    emitted_before: u64,
    /// The newest calls; they stand behind the messages. One of both is empty.
    called: Vec<NestedCall>,
}

impl Said {
    pub(super) fn new(target: Target, worker: WorkerId) -> Self {
        let (messages, emitted, called) = (Vec::new(), Vec::new(), Vec::new());
        Self { target, worker, messages, emitted, emitted_before: 0, called }
    }

    pub(super) fn emit(&mut self, value: Payload) {
        self.close_calls();
        self.emitted.push(value);
    }

    pub(super) fn call(&mut self, calls: impl IntoIterator<Item = NestedCall>) {
        self.close_events();
        self.called.extend(calls);
    }

    /// Takes out what has not been handed in.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.close_events();
        self.close_calls();
        std::mem::take(&mut self.messages)
    }

    fn close_events(&mut self) {
        let values = std::mem::take(&mut self.emitted);
        if values.is_empty() {
            return;
        }
        let first = self.emitted_before;
        self.emitted_before += values.len() as u64;
        let (target, worker) = (self.target.clone(), self.worker.clone());
        let emitted = Emitted { target, worker, first, values };
        self.messages.push(InboxMessage::Emitted(emitted).to_record());
    }

    fn close_calls(&mut self) {
        let calls = std::mem::take(&mut self.called);
        if calls.is_empty() {
            return;
        }
        let (target, worker) = (self.target.clone(), self.worker.clone());
        self.messages.push(InboxMessage::Called(Called { target, worker, calls }).to_record());
    }
}
