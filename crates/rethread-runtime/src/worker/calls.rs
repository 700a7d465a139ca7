use std::collections::BTreeMap;

use rethread_core::ids::CallId;
use rethread_core::message::NestedCall;
use rethread_core::replay::{CallRequest, SlotIndex};

/// The calls of one attempt that have not ended.
#[derive(Debug, Default)]
pub(super) struct OpenCalls {
    calls: BTreeMap<CallId, OpenCall>,
}

#[derive(Debug)]
struct OpenCall {
    slot: SlotIndex,
    request: CallRequest,
    /// Whether it waits for a person.
    is_suspended: bool,
}

impl OpenCalls {
    pub(super) fn insert(&mut self, call: CallId, slot: SlotIndex, request: CallRequest) {
        self.calls.insert(call, OpenCall { slot, request, is_suspended: false });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn contains(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// Ends a call; gives the place of its outcome unless it has ended before.
    pub(super) fn end(&mut self, call: CallId) -> Option<SlotIndex> {
        self.calls.remove(&call).map(|call| call.slot)
    }

    pub(super) fn suspend(&mut self, call: CallId) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.is_suspended = true;
        }
    }

    /// Whether there are calls, and all of them wait for people.
    pub(super) fn are_suspended(&self) -> bool {
        !self.calls.is_empty() && self.calls.values().all(|call| call.is_suspended)
    }

    /// All of them, to be asked for again.
    pub(super) fn to_nested(&self) -> Vec<NestedCall> {
        let nested = |(call, open): (&CallId, &OpenCall)| NestedCall {
            call: *call,
            request: open.request.clone(),
        };
        self.calls.iter().map(nested).collect()
    }
}
