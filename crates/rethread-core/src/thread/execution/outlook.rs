//! What an execution waits for.

use crate::ids::CallId;
use crate::outlook::{CALLS_SHOWN_MAX, OpenCallOutlook, StuckReplay, WaitsFor};
use crate::replay::CallRequest;
use crate::thread::calls::{Call, CallState};
use crate::thread::execution::Execution;

impl Execution {
    /// The first open calls, and how many there are.
    pub(in crate::thread) fn open_calls(&self) -> (Vec<OpenCallOutlook>, usize) {
        let open = self.calls.open();
        let shown = open.iter().take(CALLS_SHOWN_MAX).map(|(id, call)| self.outlook_of(*id, call));
        (shown.collect(), open.len())
    }

    fn outlook_of(&self, id: CallId, call: &Call) -> OpenCallOutlook {
        let mut path = self.calls.path(id);
        path.pop();
        let name_of = |id: &CallId| Some(self.calls.get(*id)?.request.name().to_owned());
        OpenCallOutlook {
            call: id,
            kind: call.request.kind(),
            name: call.request.name().to_owned(),
            path: path.iter().filter_map(name_of).collect(),
            waits_for: waits_for(call),
        }
    }

    /// Where the replay is stuck, if it is.
    pub(in crate::thread) fn stuck(&self) -> Option<StuckReplay> {
        (!self.is_live()).then_some(StuckReplay {
            position: self.cursor as u64,
            entries: self.journal.len() as u64,
        })
    }

    /// Whether a body waits for something that is marked as local.
    pub(in crate::thread) fn awaits_local(&self) -> bool {
        self.has_locals()
    }
}

fn waits_for(call: &Call) -> WaitsFor {
    match (call.state, &call.request) {
        (CallState::InFlight { attempt }, CallRequest::Task { options, .. }) => {
            WaitsFor::Worker { queue: options.queue.clone(), attempt }
        }
        (CallState::Held { .. }, _) => WaitsFor::Place,
        (CallState::Backoff { attempt, until }, _) => WaitsFor::Retry { attempt, at: until },
        (CallState::Timer { due }, _) => WaitsFor::Time { at: due },
        (CallState::Asking { .. }, _) => WaitsFor::Answer,
        (CallState::Running, _) => WaitsFor::Body,
        (CallState::InFlight { .. } | CallState::Performing, _) => WaitsFor::Storage,
        (CallState::Undecided, _) => WaitsFor::Replay,
        (CallState::Arrived | CallState::Settled, _) => WaitsFor::Delivery,
    }
}
