//! What the shell does for an execution, and what comes of it.

use crate::ids::{CallId, Millis};
use crate::journal::Fact;
use crate::payload::Payload;
use crate::thread::calls::CallState;
use crate::thread::effect::{Job, JobOutcome};
use crate::thread::execution::bodies::decode_output;
use crate::thread::execution::{BodyEnd, Execution};
use crate::thread::turn::Turn;

impl Execution {
    /// Looks for cached results of bodies that are to begin.
    pub(super) fn look_up_bodies(&mut self, turn: &mut Turn) -> bool {
        let bodies = std::mem::take(&mut self.to_look_up);
        let any = !bodies.is_empty();
        for body in bodies {
            let slot = self.begun.get(&body).and_then(|begun| begun.cache.clone());
            if let Some(slot) = slot {
                self.looking_up.insert(body);
                turn.perform(body, Job::LookUpCache(slot));
            }
        }
        any
    }

    /// A job is done. It is taken up when the execution is live.
    pub(in crate::thread) fn handle_done(&mut self, call: CallId, outcome: JobOutcome) {
        self.done.push((call, outcome));
    }

    pub(super) fn take_done(&mut self, now: Millis, turn: &mut Turn) -> bool {
        let done = std::mem::take(&mut self.done);
        let any = !done.is_empty();
        for (call, outcome) in done {
            self.settle_job(now, call, outcome, turn);
        }
        any
    }

    /// What nobody waits for is dropped: a job that was asked for twice is done twice.
    fn settle_job(&mut self, now: Millis, id: CallId, outcome: JobOutcome, turn: &mut Turn) {
        match outcome {
            JobOutcome::Store(reply) => {
                let is_waiting =
                    self.calls.get(id).is_some_and(|call| call.state == CallState::Performing);
                if is_waiting {
                    let shown = reply.map(|reply| self.part.outward(reply));
                    let encode = |reply| Ok(Payload::encode(&reply, "an answer of the store")?);
                    self.arrive(id, shown.and_then(encode));
                }
            }
            JobOutcome::LookedUp(found) => {
                if self.looking_up.remove(&id) {
                    self.begin_unless_cached(now, id, found.as_ref(), turn);
                }
            }
            JobOutcome::Filled => {
                if let Some(output) = self.filling.remove(&id) {
                    self.end_body(id, BodyEnd { result: Ok(output), is_cached: false });
                }
            }
        }
    }

    fn begin_unless_cached(
        &mut self,
        now: Millis,
        body: CallId,
        found: Option<&Payload>,
        turn: &mut Turn,
    ) {
        if let Some(output) = found.and_then(decode_output) {
            self.end_body(body, BodyEnd { result: Ok(output), is_cached: true });
            return;
        }
        let (abandoned, is_kept) = (Vec::new(), self.is_kept(body));
        self.append(now, Fact::BodyBegan { body, attempt: 1, abandoned, is_kept }, turn);
        if let Err(failure) = self.begin_body(body, 1, now) {
            self.end_body(body, BodyEnd { result: Err(failure), is_cached: false });
        }
    }
}
