//! Requests of programs that know no types: names and JSON.

use std::collections::BTreeMap;

use rethread_core::ids::InterruptId;
use rethread_core::message::{Action, Answers};
use rethread_core::payload::{Payload, PayloadError};
use serde_json::Value;

use crate::json::to_payload;
use crate::request::Request;
use crate::thread::Thread;

impl Thread {
    /// Runs the entrypoint of this name with a JSON input; the result is JSON.
    ///
    /// ```no_run
    /// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
    /// use serde_json::json;
    ///
    /// let outcome = thread.invoke_json("essay", &json!({"topic": "cat"})).await?;
    /// for ask in outcome.interrupts() {
    ///     println!("{}", ask.to_json()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn invoke_json(&self, entrypoint: impl AsRef<str>, input: &Value) -> Request<Value> {
        let name = entrypoint.as_ref();
        let input = to_payload(input, format_args!("input of entrypoint `{name}`"));
        let action = input.map(|input| Action::Start { entrypoint: name.to_owned(), input });
        Request::untyped(self.clone(), action).json()
    }

    /// Answers open questions with JSON and goes on, in LangGraph's form: an object of which all
    /// keys are ids of interrupts (and that has one) answers by id, anything else is the answer
    /// to the only open question. The result is JSON.
    pub fn resume_json(&self, answer: &Value) -> Request<Value> {
        let action = answers(answer).map(Action::Resume);
        Request::untyped(self.clone(), action).json()
    }
}

pub(crate) fn answers(answer: &Value) -> Result<Answers, PayloadError> {
    let by_id = answer.as_object().filter(|answers| !answers.is_empty()).and_then(|answers| {
        let parsed = answers.iter().map(|(id, answer)| Some((id.parse().ok()?, answer)));
        parsed.collect::<Option<BTreeMap<InterruptId, &Value>>>()
    });
    match by_id {
        Some(by_id) => by_id
            .into_iter()
            .map(|(id, answer)| Ok((id, encode(answer)?)))
            .collect::<Result<_, _>>()
            .map(Answers::ById),
        None => encode(answer).map(Answers::Only),
    }
}

fn encode(answer: &Value) -> Result<Payload, PayloadError> {
    to_payload(answer, "answer to an interrupt")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_ids_make_a_map_of_answers() {
        let id = InterruptId::from_bytes([7; 16]).to_string();
        let is_by_id =
            |answer: Value| matches!(answers(&answer).expect("encodes"), Answers::ById(_));
        assert!(is_by_id(json!({ id.clone(): null })));
        assert!(!is_by_id(json!({ id.clone(): 1, "note": 2 })));
        assert!(!is_by_id(json!({})));
        assert!(!is_by_id(json!([id])));
    }
}
