use bytes::Bytes;
use rethread_core::ids::{CallId, WorkerId};
use rethread_core::message::{Called, Emission, Emitted, InboxMessage, NestedCall, Target};
use rethread_core::record::Record;

/// Events that are as large as this together are not collected any further.
const COLLECTED_BYTES_MAX: usize = 64 * 1024;
/// What an event costs besides its value.
const EVENT_BYTES: usize = 16;

/// What a body wrote and called since the last hand-in, as messages in that order.
#[derive(Debug)]
pub(super) struct Said {
    target: Target,
    worker: WorkerId,
    messages: Vec<Bytes>,
    /// The newest events; they stand behind the messages.
    emitted: Vec<Emission>,
    /// Bytes of the newest events.
    emitted_bytes: usize,
    /// How many events are in messages so far.
    emitted_before: u64,
    /// The newest calls, and those that were cancelled since; they stand behind the messages.
    /// There are either these or events.
    called: Vec<NestedCall>,
    cancelled: Vec<CallId>,
}

impl Said {
    pub(super) fn new(target: Target, worker: WorkerId) -> Self {
        Self {
            target,
            worker,
            messages: Vec::new(),
            emitted: Vec::new(),
            emitted_bytes: 0,
            emitted_before: 0,
            called: Vec::new(),
            cancelled: Vec::new(),
        }
    }

    pub(super) fn emit(&mut self, emission: Emission) {
        self.close_calls();
        self.emitted_bytes += weight(&emission);
        self.emitted.push(emission);
    }

    /// Whether nobody is kept waiting if what there is goes out a little later: there are a few
    /// small events at most, and neither calls nor anything that stands before them.
    pub(super) fn may_wait(&self) -> bool {
        self.messages.is_empty()
            && self.called.is_empty()
            && self.cancelled.is_empty()
            && self.emitted_bytes < COLLECTED_BYTES_MAX
    }

    /// Whether there is nothing to hand in.
    pub(super) fn is_empty(&self) -> bool {
        self.emitted.is_empty() && self.may_wait()
    }

    /// Whether events are among what there is to hand in.
    pub(super) fn has_events(&self) -> bool {
        !self.emitted.is_empty()
    }

    pub(super) fn call(&mut self, calls: impl IntoIterator<Item = NestedCall>) {
        self.close_events();
        self.called.extend(calls);
    }

    pub(super) fn cancel(&mut self, call: CallId) {
        self.close_events();
        self.cancelled.push(call);
    }

    /// The attempt waits for others although it has made no calls.
    pub(super) fn wait(&mut self) {
        self.close_events();
        self.close_calls();
        self.push_called();
    }

    /// The attempt that waited goes on: it tells so before anything that it writes.
    pub(super) fn go_on(&mut self) {
        self.close_calls();
        self.push_emitted();
    }

    /// Takes out what has not been handed in.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.close_events();
        self.close_calls();
        std::mem::take(&mut self.messages)
    }

    fn close_events(&mut self) {
        if !self.emitted.is_empty() {
            self.push_emitted();
        }
    }

    fn push_emitted(&mut self) {
        let values = std::mem::take(&mut self.emitted);
        self.emitted_bytes = 0;
        let first = self.emitted_before;
        self.emitted_before += values.len() as u64;
        let (target, worker) = (self.target.clone(), self.worker.clone());
        let emitted = Emitted { target, worker, first, values };
        self.messages.push(InboxMessage::Emitted(emitted).to_record());
    }

    fn close_calls(&mut self) {
        if !self.called.is_empty() || !self.cancelled.is_empty() {
            self.push_called();
        }
    }

    fn push_called(&mut self) {
        let (target, worker) = (self.target.clone(), self.worker.clone());
        let calls = std::mem::take(&mut self.called);
        let cancelled = std::mem::take(&mut self.cancelled);
        let called = Called { target, worker, calls, cancelled };
        self.messages.push(InboxMessage::Called(called).to_record());
    }
}

fn weight(emission: &Emission) -> usize {
    let values = match emission {
        Emission::Custom(value) => value.len(),
        Emission::Message { value, metadata } => value.len() + metadata.len(),
        _ => 0,
    };
    values + EVENT_BYTES
}
