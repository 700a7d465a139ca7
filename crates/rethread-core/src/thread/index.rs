use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::Progress;
use crate::event::Interrupt;
use crate::failure::kind;
use crate::ids::CallId;
use crate::journal::{Delivery, Entry, Fact, Reopens, Stepped};
use crate::settings::{RunDurability, RunSettings};

/// What a replay must know of the journal before it begins.
#[derive(Debug, Default)]
pub(super) struct JournalIndex {
    /// Positions of failures that a later run tries again, and of answers that it asks for again:
    /// they are not delivered.
    void: BTreeSet<usize>,
    /// Calls whose outcome is recorded and stands.
    recorded: BTreeSet<CallId>,
    /// Results that stand, and failures whether they stand or not, by call: where they are.
    outcomes: BTreeMap<CallId, usize>,
    /// Whether any failure was reopened. From then on a record may belong to a call that is
    /// made later than it was the first time.
    pub(super) reopened: bool,
    /// The newest attempts of bodies that failed, or began later than they were called.
    attempts: BTreeMap<CallId, LastAttempt>,
    /// Where children made their last steps.
    steps: BTreeMap<CallId, usize>,
    /// Bodies of whose earlier runs nothing is kept, and the attempts with which they began.
    unkept: BTreeMap<CallId, u32>,
    /// How many attempts of a body failed in the newest run.
    failures: BTreeMap<CallId, u32>,
    /// Scopes that the journal says something of.
    mentioned: BTreeSet<CallId>,
    /// Who made a call, as far as the journal tells.
    makers: BTreeMap<CallId, CallId>,
    /// Where the newest run began, if it is not the first one.
    further_run: Option<usize>,
    has_questions: bool,
    /// Whether bodies of whose earlier runs nothing is kept began in one. Workers may still have
    /// calls that these made, and make again later than before.
    pub(super) repeats: bool,
}

/// The newest attempt of the body of an entrypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastAttempt {
    /// Which attempt it is, from 1.
    pub(super) number: u32,
    /// Where it began.
    pub(super) began: Beginning,
    /// The entry that says that it failed, if it did. Its calls may go on after that.
    pub(super) failed: Option<usize>,
}

/// Where an attempt of a body began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// When the body was called.
    AtItsCall,
    /// At this entry.
    AtEntry(usize),
    /// It is still to begin, in this run: nothing of earlier runs is kept.
    NotYet,
}

impl JournalIndex {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut index = Self::default();
        // Failures and answers that stand, by call.
        let mut reopenable: BTreeMap<CallId, Vec<usize>> = BTreeMap::new();
        // The calls whose failures they passed on.
        let mut causes: BTreeMap<CallId, CallId> = BTreeMap::new();
        for (position, entry) in entries.iter().enumerate() {
            match &entry.fact {
                Fact::Completed { delivery, .. } => {
                    reopenable.remove(&delivery.call);
                    index.recorded.insert(delivery.call);
                    index.delivered(delivery, position);
                }
                Fact::Failed { delivery, failure, .. } => {
                    causes.extend(failure.cause.map(|cause| (delivery.call, cause)));
                    reopenable.entry(delivery.call).or_default().push(position);
                    index.recorded.insert(delivery.call);
                    index.delivered(delivery, position);
                }
                Fact::RunBegan { reopened, .. } => {
                    index.repeats |= !index.unkept.is_empty();
                    // What was only laid out has no earlier run.
                    index.further_run = (position > 1).then_some(position);
                    index.failures.clear();
                    for call in reopened {
                        index.reopened = true;
                        if let Some(positions) = reopenable.remove(call) {
                            index.recorded.remove(call);
                            index.void.extend(positions);
                        }
                    }
                }
                // A later attempt of the caller tries a failed call again, with what failed in it.
                Fact::Called { caller, body, call, .. } => {
                    index.makers.insert(*call, *caller);
                    index.makers.entry(*caller).or_insert(*body);
                    let mut failed = Some(*call);
                    while let Some((one, positions)) =
                        failed.and_then(|one| Some((one, reopenable.remove(&one)?)))
                    {
                        index.reopened |= one != *call;
                        index.recorded.remove(&one);
                        index.void.extend(positions);
                        failed = causes.get(&one).copied();
                    }
                }
                Fact::Answered { interrupt, .. } => {
                    reopenable.entry(CallId::of_interrupt(*interrupt)).or_default().push(position);
                }
                Fact::BodyFailed { body, attempt, .. } => {
                    let (number, began) = (*attempt, Beginning::AtItsCall);
                    let last = LastAttempt { number, began, failed: None };
                    index.attempts.entry(*body).or_insert(last).failed = Some(position);
                    *index.failures.entry(*body).or_default() += 1;
                }
                Fact::BodyBegan { body, attempt, abandoned, is_kept } => {
                    if *is_kept {
                        index.unkept.remove(body);
                    } else {
                        index.unkept.insert(*body, *attempt);
                    }
                    let (number, began) = (*attempt, Beginning::AtEntry(position));
                    index.attempts.insert(*body, LastAttempt { number, began, failed: None });
                    index.void_outcome(*body);
                    index.makers.extend(abandoned.iter().map(|call| (*call, *body)));
                }
                Fact::Stepped(stepped) => index.stepped(stepped, position),
                Fact::Asked(asked) => {
                    index.has_questions = true;
                    index.mentioned.insert(asked.scope);
                }
                Fact::Began(began) => index.reopened |= began.is_changed,
                Fact::AttemptFailed { .. }
                | Fact::RunStopped { .. }
                | Fact::ChildSaved { .. }
                | Fact::AnsweredAhead { .. }
                | Fact::Made { .. }
                | Fact::Changed { .. }
                | Fact::Held(_) => {}
            }
        }
        index.forget_unkept();
        index
    }

    /// What bodies did in earlier runs that keep nothing is done again. A graph begins with its
    /// first step: only there it finds the answers to what it asked.
    fn forget_unkept(&mut self) {
        let further_run = self.further_run.unwrap_or_default();
        for (body, first) in std::mem::take(&mut self.unkept) {
            let last = self.attempts.get_mut(&body).filter(
                |last| matches!(last.began, Beginning::AtEntry(began) if began < further_run),
            );
            if let Some(last) = last {
                *last = LastAttempt { number: first, began: Beginning::NotYet, failed: None };
                self.steps.remove(&body);
                self.void_outcome(body);
            }
        }
    }

    /// A child made a step: it begins again behind it.
    fn stepped(&mut self, stepped: &Stepped, position: usize) {
        let Stepped { body, attempt, abandoned, is_last, .. } = stepped;
        self.failures.remove(body);
        self.makers.extend(abandoned.iter().map(|call| (*call, *body)));
        if *is_last {
            return;
        }
        let (number, began) = (*attempt, Beginning::AtEntry(position));
        self.attempts.insert(*body, LastAttempt { number, began, failed: None });
        self.steps.insert(*body, position);
        self.void_outcome(*body);
    }

    /// Where the last step of a child was made, behind which it goes on.
    pub(super) fn last_step(&self, body: CallId) -> Option<usize> {
        self.steps.get(&body).copied()
    }

    /// A body begins again: what came of it before counts no more.
    fn void_outcome(&mut self, body: CallId) {
        if self.recorded.remove(&body) {
            self.reopened = true;
            self.void.extend(self.outcomes.get(&body));
        }
    }

    fn delivered(&mut self, delivery: &Delivery, position: usize) {
        self.outcomes.insert(delivery.call, position);
        self.mentioned.insert(delivery.scope);
        self.makers.insert(delivery.call, delivery.scope);
    }

    pub(super) fn is_void(&self, position: usize) -> bool {
        self.void.contains(&position)
    }

    /// Whether the outcome of a call is recorded. The body of a recorded child entrypoint is not
    /// run again, so what is recorded under it is passed over.
    pub(super) fn is_recorded(&self, call: CallId) -> bool {
        self.recorded.contains(&call)
    }

    /// Whether the outcome of a call is recorded and not given up with its caller, so that the
    /// replay comes to it.
    pub(super) fn is_replayed(&self, call: CallId) -> bool {
        let is_given_up = || {
            let recorded = self.outcomes.get(&call).zip(self.makers.get(&call));
            recorded.is_some_and(|(position, scope)| self.is_given_up(*position, *scope))
        };
        self.is_recorded(call) && !is_given_up()
    }

    /// Whether the replay comes to an outcome of a call from this place on.
    pub(super) fn is_told_later(&self, call: CallId, position: usize) -> bool {
        self.outcome_position(call).is_some_and(|told| told >= position && !self.is_void(told))
    }

    /// Where the newest outcome of a call is recorded, whether it stands or not.
    pub(super) fn outcome_position(&self, call: CallId) -> Option<usize> {
        self.outcomes.get(&call).copied()
    }

    /// The newest attempt of a body, if one failed or began later than the body was called.
    pub(super) fn last_attempt(&self, body: CallId) -> Option<LastAttempt> {
        self.attempts.get(&body).copied()
    }

    /// How many attempts of a body failed in the newest run before its newest attempt.
    pub(super) fn failures_before(&self, body: CallId) -> u32 {
        let failures = self.failures.get(&body).copied().unwrap_or_default();
        let failed = self.last_attempt(body).and_then(|last| last.failed);
        failures - u32::from(failures > 0 && failed.is_some())
    }

    /// Whether the journal says something of what a body did.
    pub(super) fn mentions(&self, body: CallId) -> bool {
        self.mentioned.contains(&body) || self.attempts.contains_key(&body)
    }

    /// Whether what a scope did at this place belongs to an attempt of an entrypoint's body, its
    /// own or one that it is nested in, that counts no more.
    pub(super) fn is_given_up(&self, position: usize, scope: CallId) -> bool {
        let began_later = |body: &CallId| match self.attempts.get(body).map(|last| last.began) {
            Some(Beginning::AtEntry(began)) => position < began,
            Some(Beginning::NotYet) => true,
            Some(Beginning::AtItsCall) | None => false,
        };
        std::iter::successors(Some(scope), |scope| self.makers.get(scope).copied())
            .any(|scope| began_later(&scope))
    }

    /// Whether any question was asked.
    pub(super) fn has_questions(&self) -> bool {
        self.has_questions
    }

    /// Whether this place is in an earlier run of the execution than the newest one.
    pub(super) fn is_in_earlier_run(&self, position: usize) -> bool {
        self.further_run.is_some_and(|began| position <= began)
    }
}

/// What the execution had come to when its last run stopped.
pub(super) fn last_progress(entries: &[Entry]) -> Progress {
    let stopped = entries.iter().rev().find_map(|entry| match &entry.fact {
        Fact::RunStopped { progress, .. } => Some(progress.clone()),
        _ => None,
    });
    stopped.unwrap_or_default()
}

/// Whether the last run stopped, rather than being parked or lost: then what it had come to is
/// known.
pub(super) fn stands_at_last_stop(entries: &[Entry]) -> bool {
    let last = entries.iter().rev().find_map(|entry| match &entry.fact {
        Fact::RunStopped { .. } => Some(true),
        Fact::RunBegan { .. } | Fact::Began(_) => Some(false),
        _ => None,
    });
    last.unwrap_or_default()
}

/// The same without questions that were answered by then: a run that failed asks nothing.
pub(super) fn standing_progress(entries: &[Entry]) -> Progress {
    let progress = last_progress(entries);
    match progress.failure {
        Some(_) => Progress { interrupts: Vec::new(), ..progress },
        None => progress,
    }
}

/// What a step had come to when its last run stopped, with all that its tasks have asked: the
/// newest questions of each, answered or not.
pub(super) fn step_progress(entries: &[Entry]) -> Progress {
    let stops = entries.iter().filter_map(|entry| match &entry.fact {
        Fact::RunStopped { progress, .. } => Some(&progress.interrupts),
        _ => None,
    });
    let mut asked: Vec<Interrupt> = Vec::new();
    for newer in stops {
        asked.retain(|old| !newer.iter().any(|new| new.path.first() == old.path.first()));
        asked.extend(newer.iter().cloned());
    }
    Progress { interrupts: asked, ..last_progress(entries) }
}

/// What the caller set for the newest run.
pub(super) fn last_settings(entries: &[Entry]) -> Option<&RunSettings> {
    entries.iter().rev().find_map(|entry| match &entry.fact {
        Fact::RunBegan { settings, .. } => Some(&**settings),
        Fact::Began(began) => Some(&*began.settings),
        _ => None,
    })
}

/// Whether only the last checkpoint of the newest run is kept.
pub(super) fn is_exit(entries: &[Entry]) -> bool {
    last_settings(entries).is_some_and(|settings| settings.durability == RunDurability::Exit)
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
    let Fact::RunStopped { progress: Progress { failure: Some(failure), .. }, .. } =
        &entries[stop].fact
    else {
        return Vec::new();
    };
    let failed = |wanted: CallId| {
        let newest = entries.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Failed { delivery, failure, .. } if delivery.call == wanted => {
                Some(Some(failure))
            }
            // It was tried again since, by a later attempt of its caller.
            Fact::Completed { delivery, .. } if delivery.call == wanted => Some(None),
            _ => None,
        });
        newest.flatten()
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
    // The other tasks of the step that failed beside one of them.
    let beside = |wanted: CallId| {
        let failed = |entry: &Entry| match &entry.fact {
            Fact::Failed { delivery, reopens: Reopens::WithItsStep, .. } => {
                Some((delivery.scope, delivery.call))
            }
            _ => None,
        };
        let scope = entries.iter().filter_map(failed).find(|(_, call)| *call == wanted);
        let scope = scope.map(|(scope, _)| scope);
        entries.iter().filter_map(failed).filter(move |(of, _)| Some(*of) == scope)
    };
    let mut calls = Vec::new();
    if failure.kind == kind::TIMEOUT && failure.cause.is_none() {
        // A body that took too long lost the calls it had open.
        calls.extend(entries.iter().filter_map(|entry| match &entry.fact {
            Fact::Failed { delivery, failure, .. } if failure.kind == kind::CANCELLED => {
                Some(delivery.call)
            }
            _ => None,
        }));
        return calls;
    }
    let mut next: Vec<_> =
        failure.cause.or_else(|| last_delivered().flatten()).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(call) = next.pop() {
        if !seen.insert(call) {
            continue;
        }
        let failure = failed(call);
        if failure.is_some() || is_answer(call) {
            calls.push(call);
        }
        if let Some(failure) = failure {
            next.extend(beside(call).map(|(_, call)| call));
            next.extend(failure.cause);
        }
    }
    calls
}
