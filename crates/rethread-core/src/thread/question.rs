use std::collections::{BTreeMap, BTreeSet};

use crate::event::Interrupt;
use crate::ids::{CallId, InterruptId};
use crate::journal::Asked;
use crate::payload::Payload;
use crate::replay::SlotIndex;

/// A question of this execution.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) asked: Asked,
    /// The slot that waits for the answer; none for questions of tasks, which run again.
    pub(super) waiting: Option<SlotIndex>,
    pub(super) answer: Option<Payload>,
    /// Whether the body gave it up.
    pub(super) is_withdrawn: bool,
    /// Whether the body that asked is not known (yet).
    is_unknown: bool,
    /// Whether the journal has it, as asked in the newest run if a task asked.
    pub(super) recorded: bool,
    /// Whether it was asked in the newest run. Each run asks again what has no answer.
    pub(super) is_asked_now: bool,
}

impl Question {
    /// Whether an answer is waited for in the newest run.
    fn is_open(&self) -> bool {
        self.answer.is_none() && !self.is_withdrawn && !self.is_unknown && self.is_asked_now
    }
}

/// The questions of an execution.
#[derive(Debug, Default)]
pub(super) struct Questions {
    by_id: BTreeMap<InterruptId, Question>,
    by_scope: BTreeMap<CallId, BTreeSet<InterruptId>>,
    /// Whether some may not be in the journal.
    has_unrecorded: bool,
    /// How often something may have changed.
    changes: u64,
}

impl Questions {
    pub(super) fn get_mut(&mut self, id: InterruptId) -> Option<&mut Question> {
        self.changes += 1;
        self.by_id.get_mut(&id)
    }

    /// A body asks, for the first time or again. The text may differ from the last time.
    pub(super) fn ask(&mut self, asked: Asked, waiting: Option<SlotIndex>) -> &mut Question {
        self.changes += 1;
        self.by_scope.entry(asked.scope).or_default().insert(asked.interrupt);
        let question = self.by_id.entry(asked.interrupt).or_insert_with(|| Question {
            asked: asked.clone(),
            waiting: None,
            answer: None,
            is_withdrawn: false,
            is_unknown: false,
            recorded: false,
            is_asked_now: true,
        });
        // A body is run again in any case; for a task the journal must say that this was done.
        question.recorded &= question.is_asked_now || waiting.is_some();
        question.is_asked_now = true;
        question.asked = asked;
        question.waiting = waiting;
        question.is_withdrawn = false;
        question.is_unknown = false;
        self.has_unrecorded |= !question.recorded;
        question
    }

    /// The journal says that it was asked by what counts no more; only an answer to it still does,
    /// if it is asked again.
    pub(super) fn recall_given_up(&mut self, asked: &Asked) {
        let is_known = self.by_id.contains_key(&asked.interrupt);
        self.recall(asked, false);
        if let Some(question) = self.by_id.get_mut(&asked.interrupt).filter(|_| !is_known) {
            question.is_withdrawn = true;
        }
    }

    /// Nobody waits any more for answers to what a body asked.
    pub(super) fn withdraw_of(&mut self, scope: CallId) {
        let Some(asked) = self.by_scope.get(&scope) else { return };
        self.changes += 1;
        for id in asked {
            if let Some(question) = self.by_id.get_mut(id) {
                question.is_withdrawn = true;
                question.waiting = None;
            }
        }
    }

    /// Sets aside what was asked by bodies that are not known: what has called them has ended, or
    /// will call them again.
    pub(super) fn set_unknown_aside(&mut self, is_known: impl Fn(CallId) -> bool) {
        for question in self.by_id.values_mut().filter(|one| !is_known(one.asked.scope)) {
            question.is_unknown = true;
        }
    }

    /// A body was called whose questions may have been set aside.
    pub(super) fn know(&mut self, scope: CallId) {
        for id in self.by_scope.get(&scope).into_iter().flatten() {
            if let Some(question) = self.by_id.get_mut(id) {
                question.is_unknown = false;
            }
        }
    }

    fn of(&self, scope: CallId) -> impl Iterator<Item = &Question> {
        let ids = self.by_scope.get(&scope).into_iter().flatten();
        ids.filter_map(|id| self.by_id.get(id))
    }

    /// The journal says that it was asked, in the newest run or in an earlier one.
    pub(super) fn recall(&mut self, asked: &Asked, is_asked_now: bool) {
        self.changes += 1;
        self.by_scope.entry(asked.scope).or_default().insert(asked.interrupt);
        self.by_scope.entry(asked.scope).or_default().insert(asked.interrupt);
        let question = self.by_id.entry(asked.interrupt).or_insert_with(|| Question {
            asked: asked.clone(),
            waiting: None,
            answer: None,
            is_withdrawn: false,
            is_unknown: false,
            recorded: true,
            is_asked_now,
        });
        question.recorded = true;
        question.is_asked_now |= is_asked_now;
    }

    /// Answers that a task's next attempt gets: those to its first questions.
    pub(super) fn answers_of(&self, scope: CallId) -> Vec<Payload> {
        let mut answers: Vec<_> = self
            .of(scope)
            .filter_map(|question| Some((question.asked.index, question.answer.clone()?)))
            .collect();
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Whether a body has asked anything, in whatever run.
    pub(super) fn has_asked(&self, scope: CallId) -> bool {
        self.of(scope).next().is_some()
    }

    /// Whether a body waits for an answer, and has asked for it in the newest run.
    pub(super) fn is_asking(&self, scope: CallId) -> bool {
        self.of(scope).any(Question::is_open)
    }

    /// Tells whether the questions are as they were: then it is the same.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn count_open(&self) -> usize {
        self.by_id.values().filter(|question| question.is_open()).count()
    }

    pub(super) fn has_open(&self) -> bool {
        self.by_id.values().any(Question::is_open)
    }

    /// The open questions: those of entrypoint bodies first, then those of tasks in the order
    /// of `place`; `path` leads to a body.
    pub(super) fn open(
        &self,
        place: impl Fn(CallId) -> usize,
        path: impl Fn(CallId) -> Vec<CallId>,
    ) -> Vec<Interrupt> {
        let mut open: Vec<_> = self.by_id.values().filter(|question| question.is_open()).collect();
        open.sort_by_key(|question| {
            let of_task = question.waiting.is_none();
            (of_task, place(question.asked.scope), question.asked.index)
        });
        open.into_iter()
            .map(|question| Interrupt {
                id: question.asked.interrupt,
                value: question.asked.value.clone(),
                path: path(question.asked.scope),
            })
            .collect()
    }

    pub(super) fn take_unrecorded(&mut self) -> Vec<Asked> {
        if !std::mem::take(&mut self.has_unrecorded) {
            return Vec::new();
        }
        self.by_id
            .values_mut()
            .filter(|question| !question.recorded && !question.is_withdrawn)
            .map(|question| {
                question.recorded = true;
                question.asked.clone()
            })
            .collect()
    }
}
