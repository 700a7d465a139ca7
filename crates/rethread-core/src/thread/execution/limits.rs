//! Limits of the engine that a run may reach.

use crate::failure::{Failure, kind};
use crate::journal::Fact;
use crate::message::{AttemptOutcome, Emission};
use crate::payload::Payload;
use crate::replay::CallRequest;
use crate::thread::execution::Execution;
use crate::thread::limits::too_large;
use crate::thread::turn::RunLog;

impl Execution {
    /// Notes what an entry adds to the journal, and whether that is too much.
    pub(super) fn weigh(&mut self, fact: &Fact) {
        self.journal_bytes += weight(fact);
        let max = self.around.limits.journal_bytes_max;
        if self.journal_bytes > max {
            self.exceed(format!(
                "the results and answers of one execution take more than {max} bytes (setting \
                 journal_bytes_max): store large results elsewhere, or end the execution earlier"
            ));
        }
    }

    /// Whether the run may show one more event of a body.
    pub(super) fn may_emit(&mut self, emission: &Emission, log: &RunLog) -> bool {
        let limits = &self.around.limits;
        let too_large = match emission {
            Emission::Custom(value) => too_large("an event", value, limits),
            Emission::Message { value, metadata } => too_large("a message", value, limits)
                .or_else(|| too_large("the metadata of a message", metadata, limits)),
        };
        if let Some(message) = too_large {
            self.exceed(message);
            return false;
        }
        let max = limits.events_max;
        if log.last_seq >= max {
            self.exceed(format!("more than {max} events in one run (setting events_max)"));
        }
        log.last_seq < max
    }

    /// Whether one more question may be open.
    pub(super) fn count_questions(&mut self) {
        let max = self.around.limits.interrupts_max;
        if self.questions.count_open() > max {
            self.exceed(format!(
                "more than {max} questions are open at a time (setting interrupts_max)"
            ));
        }
    }

    /// What is too large of a call, if anything.
    pub(super) fn too_large_to_call(&self, request: &CallRequest) -> Option<String> {
        match request {
            CallRequest::Task { name, input, .. } | CallRequest::Entrypoint { name, input, .. } => {
                too_large(&format!("the input of `{name}`"), input, &self.around.limits)
            }
            CallRequest::Timer { .. } | CallRequest::Store(_) => None,
        }
    }

    /// What an attempt came to, as a failure if it is too large to be kept.
    pub(super) fn limited(&self, name: &str, outcome: AttemptOutcome) -> AttemptOutcome {
        let limits = &self.around.limits;
        let what = match &outcome {
            AttemptOutcome::Completed(value) | AttemptOutcome::Cached(value) => {
                too_large(&format!("the result of `{name}`"), value, limits)
            }
            AttemptOutcome::Asked { value, .. } => {
                too_large(&format!("the question of `{name}`"), value, limits)
            }
            _ => None,
        };
        match what {
            Some(message) => AttemptOutcome::failed(Failure::new(kind::LIMIT, message).final_()),
            None => outcome,
        }
    }

    /// Whether it has reached a limit that ends the run.
    pub(in crate::thread) fn has_exceeded(&self) -> bool {
        self.exceeded.is_some()
    }

    fn exceed(&mut self, message: String) {
        self.exceeded.get_or_insert_with(|| Failure::new(kind::LIMIT, message).final_());
    }
}

/// Bytes of the values that an entry holds.
pub(in crate::thread) fn weight(fact: &Fact) -> usize {
    let len = |value: &Option<Payload>| value.as_ref().map_or(0, Payload::len);
    match fact {
        Fact::Began(began) => began.input.len() + began.values.len() + len(&began.previous),
        Fact::RunStopped { progress, .. } => progress.weight(),
        Fact::Completed { value, .. }
        | Fact::Answered { value, .. }
        | Fact::AnsweredAhead { value, .. } => value.len(),
        Fact::Stepped(stepped) => {
            let made = &stepped.checkpoint;
            made.values.len() + len(&made.saved) + stepped.progress.weight()
        }
        Fact::Changed { checkpoint, .. } => checkpoint.values.len() + len(&checkpoint.saved),
        Fact::Asked(asked) => asked.value.len(),
        Fact::Called { request: CallRequest::Task { input, .. }, .. }
        | Fact::Called { request: CallRequest::Entrypoint { input, .. }, .. } => input.len(),
        Fact::Held(report) => match &report.outcome {
            AttemptOutcome::Completed(value)
            | AttemptOutcome::Cached(value)
            | AttemptOutcome::Asked { value, .. } => value.len(),
            _ => 0,
        },
        _ => 0,
    }
}
