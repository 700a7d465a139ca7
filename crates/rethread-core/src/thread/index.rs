use std::collections::{BTreeMap, BTreeSet};

use crate::ids::CallId;
use crate::journal::{Entry, Fact};

/// What a replay must know of the journal before it begins.
#[derive(Debug, Default)]
pub(super) struct JournalIndex {
    /// Positions of reopenable that a later run tries again, and of answers that it asks for again:
    /// they are not delivered.
    void: BTreeSet<usize>,
    /// Calls whose outcome is recorded and stands.
    recorded: BTreeSet<CallId>,
    /// Whether any failure was reopened. From then on a record may belong to a call that is
    /// made later than it was the first time.
    pub(super) reopened: bool,
}

impl JournalIndex {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut index = Self::default();
        // Failures and answers that stand, by call.
        let mut reopenable: BTreeMap<CallId, Vec<usize>> = BTreeMap::new();
        for (position, entry) in entries.iter().enumerate() {
            match &entry.fact {
                Fact::Completed { delivery, .. } => {
                    index.recorded.insert(delivery.call);
                }
                Fact::Failed { delivery, .. } => {
                    reopenable.entry(delivery.call).or_default().push(position);
                    index.recorded.insert(delivery.call);
                }
                Fact::RunBegan { reopened, .. } => {
                    for call in reopened {
                        index.reopened = true;
                        index.recorded.remove(call);
                        index.void.extend(reopenable.remove(call).unwrap_or_default());
                    }
                }
                // A later attempt of the caller tries a failed call again.
                Fact::Called { call, .. } => {
                    if let Some(positions) = reopenable.remove(call) {
                        index.recorded.remove(call);
                        index.void.extend(positions);
                    }
                }
                Fact::Answered { interrupt, .. } => {
                    reopenable.entry(CallId::of_interrupt(*interrupt)).or_default().push(position);
                }
                Fact::Began(_)
                | Fact::AttemptFailed { .. }
                | Fact::Asked(_)
                | Fact::RunStopped { .. }
                | Fact::Held(_) => {}
            }
        }
        index
    }

    pub(super) fn is_void(&self, position: usize) -> bool {
        self.void.contains(&position)
    }

    /// Whether the outcome of a call is recorded. The body of a recorded child entrypoint is not
    /// run again, so what is recorded under it is passed over.
    pub(super) fn is_recorded(&self, call: CallId) -> bool {
        self.recorded.contains(&call)
    }
}

/// The calls to try again in a run that goes on after a failure: those through which the failure
/// that ended the last run came. Failures that the body survived stay as they are. If an answer
/// was what could not be used, its question is asked again.
pub(super) fn calls_to_reopen(entries: &[Entry]) -> Vec<CallId> {
    let Some(stop) =
        entries.iter().rposition(|entry| matches!(entry.fact, Fact::RunStopped { .. }))
    else {
        return Vec::new();
    };
    let Fact::RunStopped { failure: Some(failure), .. } = &entries[stop].fact else {
        return Vec::new();
    };
    let failed = |wanted: CallId| {
        entries.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Failed { delivery, failure } if delivery.call == wanted => Some(failure),
            _ => None,
        })
    };
    // An error that was wrapped on its way out has lost its cause. If nothing was delivered
    // between a call's failure and the end of the run, that failure is what ended it.
    let last_delivered = || {
        entries[..stop].iter().rev().find_map(|entry| match &entry.fact {
            Fact::Failed { delivery, .. } => Some(Some(delivery.call)),
            Fact::Completed { .. } | Fact::Answered { .. } => Some(None),
            _ => None,
        })
    };
    let is_answer = |call: CallId| {
        entries.iter().any(|entry| match &entry.fact {
            Fact::Answered { interrupt, .. } => CallId::of_interrupt(*interrupt) == call,
            _ => false,
        })
    };
    let mut calls = Vec::new();
    let mut next = failure.cause.or_else(|| last_delivered().flatten());
    while let Some(call) = next.filter(|call| !calls.contains(call)) {
        let failure = failed(call);
        if failure.is_some() || is_answer(call) {
            calls.push(call);
        }
        next = failure.and_then(|failure| failure.cause);
    }
    calls
}
