use std::collections::BTreeMap;

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
    /// Whether the journal has it, as asked in the newest run if a task asked.
    pub(super) recorded: bool,
    /// Whether it was asked in the newest run. Each run asks again what has no answer
    /// (semantics 6.11, E5).
    pub(super) is_asked_now: bool,
}

impl Question {
    fn is_open(&self) -> bool {
        self.answer.is_none() && !self.is_withdrawn
    }
}

/// The questions of an execution.
#[derive(Debug, Default)]
pub(super) struct Questions(BTreeMap<InterruptId, Question>);

impl Questions {
    pub(super) fn get_mut(&mut self, id: InterruptId) -> Option<&mut Question> {
        self.0.get_mut(&id)
    }

    /// A body asks, for the first time or again. The text may differ from the last time.
    pub(super) fn ask(&mut self, asked: Asked, waiting: Option<SlotIndex>) -> &mut Question {
        let question = self.0.entry(asked.interrupt).or_insert_with(|| Question {
            asked: asked.clone(),
            waiting: None,
            answer: None,
            is_withdrawn: false,
            recorded: false,
            is_asked_now: true,
        });
        // A body is run again in any case; for a task the journal must say that this was done.
        question.recorded &= question.is_asked_now || waiting.is_some();
        question.is_asked_now = true;
        question.asked = asked;
        question.waiting = waiting;
        question.is_withdrawn = false;
        question
    }

    /// The journal says that an attempt of the body asked it which counts no more; only an answer
    /// to it still does.
    pub(super) fn recall_given_up(&mut self, asked: &Asked) {
        let is_known = self.0.contains_key(&asked.interrupt);
        self.recall(asked, false);
        if let Some(question) = self.0.get_mut(&asked.interrupt).filter(|_| !is_known) {
            question.is_withdrawn = true;
        }
    }

    /// Nobody waits any more for answers to what these bodies asked.
    pub(super) fn withdraw(&mut self, is_given_up: impl Fn(CallId) -> bool) {
        let asked = self.0.values_mut().filter(|question| is_given_up(question.asked.scope));
        asked.for_each(|question| {
            question.is_withdrawn = true;
            question.waiting = None;
        });
    }

    /// The journal says that it was asked, in the newest run or in an earlier one.
    pub(super) fn recall(&mut self, asked: &Asked, is_asked_now: bool) {
        let question = self.0.entry(asked.interrupt).or_insert_with(|| Question {
            asked: asked.clone(),
            waiting: None,
            answer: None,
            is_withdrawn: false,
            recorded: true,
            is_asked_now,
        });
        question.recorded = true;
        question.is_asked_now |= is_asked_now;
    }

    /// Answers that a task's next attempt gets: those to its first questions.
    pub(super) fn answers_of(&self, scope: CallId) -> Vec<Payload> {
        let mut answers: Vec<_> = self
            .0
            .values()
            .filter(|question| question.asked.scope == scope)
            .filter_map(|question| Some((question.asked.index, question.answer.clone()?)))
            .collect();
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Whether a body waits for an answer, and has asked for it in the newest run.
    pub(super) fn is_asking(&self, scope: CallId) -> bool {
        self.0.values().any(|question| {
            question.asked.scope == scope && question.is_open() && question.is_asked_now
        })
    }

    pub(super) fn has_open(&self) -> bool {
        self.0.values().any(Question::is_open)
    }

    /// The open questions that were asked in the newest run, as [`Questions::open`] gives them.
    pub(super) fn open_now(
        &self,
        place: impl Fn(CallId) -> usize,
        path: impl Fn(CallId) -> Vec<CallId>,
    ) -> Vec<Interrupt> {
        let mut open = self.open(place, path);
        open.retain(|one| self.0.get(&one.id).is_some_and(|question| question.is_asked_now));
        open
    }

    /// The open questions: those of entrypoint bodies first, then those of tasks in the order
    /// of `place`; `path` leads to a body.
    pub(super) fn open(
        &self,
        place: impl Fn(CallId) -> usize,
        path: impl Fn(CallId) -> Vec<CallId>,
    ) -> Vec<Interrupt> {
        let mut open: Vec<_> = self.0.values().filter(|question| question.is_open()).collect();
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
        self.0
            .values_mut()
            .filter(|question| !question.recorded && !question.is_withdrawn)
            .map(|question| {
                question.recorded = true;
                question.asked.clone()
            })
            .collect()
    }
}
