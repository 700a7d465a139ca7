//! Runs: invoke and stream.

use futures::StreamExt;
use rethread::client::{InterruptId, OpenInterrupt, Request};
use rethread::{EntrypointRef, Mode, Outcome, StreamEvent, Thread};
use serde_json::{Value, json};

use super::{Observed, Reported, Session, Stop, object, trace};
use crate::case::Object;
use crate::data::Data;
use crate::operation::{AnswerSpec, Begin, Common, Input, StreamMode, Which};

impl Session<'_> {
    pub(super) async fn invoke(&mut self, common: &Common, input: &Input) -> Observed {
        let request = self.request(common, input).await?;
        match request.await? {
            Outcome::Done(value) => Ok(object(json!({ "result": value.0 }))),
            Outcome::Interrupted(open) => {
                self.report(common, &open)?;
                Ok(object(json!({ "interrupts": trace::interrupts(&open)? })))
            }
        }
    }

    pub(super) async fn stream(
        &mut self,
        common: &Common,
        input: &Input,
        modes: &[StreamMode],
        subgraphs: bool,
    ) -> Observed {
        let mut observed = Object::new();
        let mut events = Vec::new();
        match self.follow(common, input, modes, subgraphs, &mut events).await {
            Ok(()) => {}
            Err(Stop::Error(error)) => drop(observed.insert("error".into(), error)),
            Err(stop) => return Err(stop),
        }
        observed.insert("events".into(), Value::Array(events));
        Ok(observed)
    }

    async fn follow(
        &mut self,
        common: &Common,
        input: &Input,
        modes: &[StreamMode],
        subgraphs: bool,
        events: &mut Vec<Value>,
    ) -> Result<(), Stop> {
        if subgraphs {
            return Err(Stop::NotImplemented("subgraphs".into()));
        }
        let mut wanted = Vec::new();
        for mode in modes {
            wanted.push(match mode {
                StreamMode::Updates => Mode::Updates,
                StreamMode::Values => Mode::Values,
                StreamMode::Custom => Mode::Custom,
                StreamMode::Tasks => Mode::Tasks,
                _ => return Err(Stop::NotImplemented(format!("stream mode {}", mode.name()))),
            });
        }
        let mut stream = self.request(common, input).await?.stream(wanted).await?;
        let mut open = Vec::new();
        while let Some(event) = stream.next().await {
            let event = event?;
            if let StreamEvent::Interrupted(asked) = &event {
                open.extend(asked.clone());
            }
            trace::event(&event, modes, events)?;
        }
        let mut once: Vec<OpenInterrupt> = Vec::new();
        for asked in open {
            if once.iter().all(|known| known.id != asked.id) {
                once.push(asked);
            }
        }
        self.report(common, &once)
    }

    async fn request(&self, common: &Common, input: &Input) -> Result<Request<Data>, Stop> {
        let begin = input.begin().map_err(Stop::Trouble)?;
        let is_kept = self.is_kept(common);
        let thread = if is_kept {
            self.thread(common)?
        } else {
            match begin {
                Begin::Input(_) => self.client.new_thread(),
                Begin::Continue => return Err(Stop::engine("EmptyInput")),
                Begin::Resume(_) | Begin::ResumeMap(_) => {
                    return Err(Stop::engine("NoCheckpointer"));
                }
            }
        };
        let request = self.begin(common, &thread, &begin)?;
        self.configured(common, request)
    }

    fn begin(
        &self,
        common: &Common,
        thread: &Thread,
        begin: &Begin<'_>,
    ) -> Result<Request<Data>, Stop> {
        Ok(match begin {
            Begin::Input(value) => {
                let entry = EntrypointRef::<Data, Data>::named(self.entry(common));
                thread.invoke(entry, Data((*value).clone()))
            }
            Begin::Resume(answer) => thread.resume(answer).typed(),
            Begin::ResumeMap(answers) => {
                let answers = self.answers(common, answers)?;
                thread.resume_by_id(answers).typed()
            }
            Begin::Continue => thread.retry().typed(),
        })
    }

    fn configured(
        &self,
        common: &Common,
        request: Request<Data>,
    ) -> Result<Request<Data>, Stop> {
        if common.context.is_some() {
            return Err(Stop::NotImplemented("context".into()));
        }
        if common.durability.is_some() {
            return Err(Stop::NotImplemented("durability".into()));
        }
        if common.at.is_some() {
            return Err(Stop::NotImplemented("at".into()));
        }
        if !common.metadata.is_empty() || !common.configurable.is_empty() {
            return Err(Stop::NotImplemented("metadata".into()));
        }
        Ok(request)
    }

    fn answers<'b>(
        &self,
        common: &Common,
        answers: &'b [AnswerSpec],
    ) -> Result<Vec<(InterruptId, &'b Value)>, Stop> {
        let thread = common.thread.as_deref().unwrap_or_default();
        let of = |reported: Option<&Reported>, which: &Which| {
            let missing = || Stop::Trouble(format!("no question {which:?} was reported"));
            reported.map(|reported| reported.id).ok_or_else(missing)
        };
        let mut found = Vec::new();
        for AnswerSpec { of: which, value } in answers {
            let id = match which {
                Which::Place(place) => {
                    of(self.last.get(thread).and_then(|last| last.get(*place)), which)?
                }
                Which::Value { value } => {
                    let seen = self.seen.get(thread).into_iter().flatten();
                    of(seen.filter(|reported| reported.value == *value).last(), which)?
                }
                Which::Id(id) => id
                    .parse()
                    .map_err(|error| Stop::Trouble(format!("no id of a question: {error}")))?,
            };
            found.push((id, value));
        }
        Ok(found)
    }
}
