//! Calls that are to end before they are done.

use crate::failure::{Failure, kind};
use crate::ids::{CallId, Millis};
use crate::message::{CallNews, Target, WorkerMail};
use crate::replay::CallRequest;
use crate::thread::calls::CallState;
use crate::thread::execution::Execution;
use crate::thread::turn::Turn;

impl Execution {
    /// Ends the calls that bodies need no longer. Not in a replay: the journal tells how those
    /// ended.
    pub(super) fn cancel_what_was_asked(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let cancelled = std::mem::take(&mut self.cancelled);
        let any = !cancelled.is_empty();
        for call in cancelled {
            self.cancel_call(call, now, turn);
        }
        any
    }

    /// Ends a call with all that it called, unless its outcome is known. Workers are told; what
    /// they still report is dropped.
    pub(super) fn cancel_call(&mut self, id: CallId, now: Millis, turn: &mut Turn) {
        let state = self.calls.get(id).map(|call| call.state);
        if matches!(state, None | Some(CallState::Arrived | CallState::Settled)) {
            return;
        }
        for call in self.calls.open_under(id) {
            self.cancel_one(call, now, turn);
        }
        self.cancel_one(id, now, turn);
    }

    fn cancel_one(&mut self, id: CallId, now: Millis, turn: &mut Turn) {
        let Some(call) = self.calls.get(id) else { return };
        let state = call.state;
        if matches!(state, CallState::Arrived | CallState::Settled) {
            return;
        }
        let name = call.request.name().to_owned();
        self.tell_of_cancel(id, turn);
        self.note_attempts_of_given_up(now, id, state, turn);
        if let CallState::InFlight { attempt } = state {
            self.giving_up.insert(id, attempt);
        }
        self.forget_body(id);
        self.undecided.retain(|call| *call != id);
        self.questions.withdraw_of(id);
        let message = format!("the call of `{name}` was cancelled");
        self.arrive(id, Err(Failure::new(kind::CANCELLED, message).final_()));
    }

    /// Tells workers to give up every attempt that is queued or running. They remember the
    /// attempts: a run that goes on orders others.
    pub(in crate::thread) fn cancel_attempts(&mut self, now: Millis, turn: &mut Turn) {
        for call in self.calls.in_flight().collect::<Vec<_>>() {
            self.tell_of_cancel(call, turn);
            let state = self.calls.get(call).map(|call| call.state);
            if let (true, Some(CallState::InFlight { attempt })) = (self.is_live(), state) {
                let failure = Failure::new(kind::CANCELLED, "the run was cancelled").final_();
                let newest = attempt.max(self.heard_attempt(call));
                self.record_attempt(now, call, newest, failure, now, turn);
            }
        }
    }

    fn tell_of_cancel(&self, id: CallId, turn: &mut Turn) {
        let Some(call) = self.calls.get(id) else { return };
        if let (CallState::InFlight { attempt }, CallRequest::Task { options, .. }) =
            (call.state, &call.request)
        {
            let target = Target { thread: self.around.key, execution: self.id, call: id, attempt };
            let mail = WorkerMail { target, call: id, news: CallNews::Cancelled };
            turn.cancel(options.queue.clone(), mail);
        }
    }
}
