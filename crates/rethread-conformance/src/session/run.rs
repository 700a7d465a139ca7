//! Runs: invoke and stream.

use futures::{Stream, StreamExt};
use rethread::client::{
    ClientError, CommandInput, EphemeralRequest, InterruptId, OpenInterrupt, Request, StreamData,
};
use rethread::{EntrypointRef, Mode, Outcome, StreamEvent};
use serde_json::{Value, json};

use super::{Observed, Reported, Session, Stop, object, trace};
use crate::case::Object;
use crate::data::Data;
use crate::graph::destinations;
use crate::operation::{AnswerSpec, Begin, CommandSpec, Common, Input, StreamMode, Which, scalar};

/// A request to run something, on a thread or leaving nothing behind.
enum Asked {
    Kept(Request<Data>),
    Ephemeral(EphemeralRequest<Data>),
}

/// The events of a run, from either.
type Events = futures::stream::BoxStream<'static, Result<StreamEvent, ClientError>>;

impl Asked {
    async fn outcome(self) -> Result<Outcome<Data>, ClientError> {
        match self {
            Self::Kept(request) => request.await,
            Self::Ephemeral(request) => request.await,
        }
    }

    async fn events(self, modes: Vec<Mode>, subgraphs: bool) -> Result<Events, ClientError> {
        fn boxed(
            events: impl Stream<Item = Result<StreamEvent, ClientError>> + Send + 'static,
        ) -> Events {
            Box::pin(events)
        }
        Ok(match self {
            Self::Kept(request) => boxed(request.subgraphs(subgraphs).stream(modes).await?),
            Self::Ephemeral(request) => boxed(request.subgraphs(subgraphs).stream(modes).await?),
        })
    }
}

/// Sets what an operation says of its run, on either kind of request.
macro_rules! configured {
    ($request:expr, $common:expr) => {{
        let mut request = $request;
        for (key, value) in &$common.metadata {
            // What is no scalar is no part of the metadata.
            if let Some(value) = scalar(value) {
                request = request.metadata(key, value);
            }
        }
        for (key, value) in &$common.configurable {
            request = request.configurable(key, value);
        }
        if let Some(context) = &$common.context {
            request = request.context(context);
        }
        if let Some(durability) = $common.durability {
            request = request.durability(durability.into());
        }
        if let Some(limit) = $common.recursion_limit {
            let limit = u32::try_from(limit).map_err(|_| Stop::engine("InvalidLimit"))?;
            request = request.recursion_limit(limit);
        }
        request
            .interrupt_before($common.interrupt_before.as_slice())
            .interrupt_after($common.interrupt_after.as_slice())
    }};
}

impl Session<'_> {
    pub(super) async fn invoke(&mut self, common: &Common, input: &Input) -> Observed {
        let asked = self.asked(common, input).await?;
        match asked.outcome().await? {
            Outcome::Done(value) => Ok(object(json!({ "result": trace::shown(value.0) }))),
            Outcome::Interrupted(open) => {
                self.report(common, &open)?;
                let mut observed = object(json!({ "interrupts": trace::interrupts(&open)? }));
                if let Some(result) = open.result() {
                    observed.insert("result".into(), trace::value(result)?);
                }
                Ok(observed)
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
        let (mut events, mut open) = (Vec::new(), Vec::new());
        let modes = modes.iter().copied().map(Mode::from).collect();
        let followed = async {
            let asked = self.asked(common, input).await?;
            let mut stream = asked.events(modes, subgraphs).await?;
            while let Some(event) = stream.next().await {
                let event = event?;
                // LangGraph says nothing of it, and shows the same otherwise.
                if matches!(event.data, StreamData::Reset { .. }) {
                    continue;
                }
                events.push(trace::event(&event, subgraphs)?);
                if let StreamData::Interrupts(interrupts) | StreamData::Paused { interrupts, .. } =
                    event.data
                    && event.ns.is_empty()
                {
                    add_new(&mut open, interrupts);
                }
            }
            Ok(())
        };
        match followed.await {
            Ok(()) => self.report(common, &open)?,
            Err(Stop::Error(error)) => drop(observed.insert("error".into(), error)),
            Err(stop) => return Err(stop),
        }
        observed.insert("events".into(), Value::Array(events));
        Ok(observed)
    }

    async fn asked(&self, common: &Common, input: &Input) -> Result<Asked, Stop> {
        let begin = input.begin().map_err(Stop::Trouble)?;
        let entry = EntrypointRef::<Data, Data>::named(self.entry(common));
        if !self.is_kept(common) {
            return match begin {
                Begin::Input(value) => {
                    let request = self.client.ephemeral().invoke(entry, Data(value.clone()));
                    Ok(Asked::Ephemeral(configured!(request, common)))
                }
                Begin::Continue => Err(Stop::engine("EmptyInput")),
                Begin::Resume(_) | Begin::ResumeMap(_) | Begin::Command(_) => {
                    Err(Stop::engine("NoCheckpointer"))
                }
            };
        }
        let thread = self.thread(common)?;
        let mut request = match begin {
            Begin::Input(value) => thread.invoke(entry, Data(value.clone())),
            Begin::Resume(answer) => thread.resume(answer).typed(),
            Begin::ResumeMap(answers) => {
                thread.resume_by_id(self.answers(common, answers)?).typed()
            }
            Begin::Command(spec) => thread.command(command(spec)?).typed(),
            Begin::Continue => thread.retry().typed(),
        };
        request = configured!(request, common).lenient();
        if let Some(at) = &common.at {
            request = request.at(self.checkpoint(common, at).await?);
        }
        Ok(Asked::Kept(request))
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
                    let mut seen = self.seen.get(thread).into_iter().flatten();
                    of(seen.rfind(|reported| reported.value == *value), which)?
                }
                Which::Id(id) => {
                    id.parse().map_err(|error| Stop::Trouble(format!("question {id}: {error}")))?
                }
            };
            found.push((id, value));
        }
        Ok(found)
    }
}

/// A command as input.
fn command(spec: &CommandSpec) -> Result<CommandInput, Stop> {
    let mut command = CommandInput::new();
    if let Some(update) = &spec.update {
        command = command.update(Data(update.clone()));
    }
    for goto in destinations(spec.goto.as_ref()) {
        command = match (goto.as_str(), goto.get("send").and_then(Value::as_str)) {
            (Some(node), _) => command.goto(node),
            (None, Some(node)) => {
                command.send(node, Data(goto.get("input").cloned().unwrap_or_default()))
            }
            (None, None) => return Err(Stop::Trouble(format!("{goto} is no destination"))),
        };
    }
    if let Some(answer) = &spec.resume {
        command = command.resume(answer);
    }
    Ok(command)
}

/// Adds the questions that are not there yet.
fn add_new(open: &mut Vec<OpenInterrupt>, questions: Vec<OpenInterrupt>) {
    for question in questions {
        if open.iter().all(|known| known.id != question.id) {
            open.push(question);
        }
    }
}
