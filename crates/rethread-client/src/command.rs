use std::collections::BTreeMap;

use rethread_core::graph::{Destination, GraphCommand};
use rethread_core::ids::InterruptId;
use rethread_core::message::{self, Action, Answers};
use rethread_core::payload::{Payload, PayloadError};
use serde::Serialize;

use crate::json::answers;
use crate::request::Request;
use crate::thread::Thread;
use crate::value::AnyValue;

/// A command instead of an input: it changes where a graph stands and goes on from there.
///
/// What it updates is written to the newest checkpoint, by the reducers; no checkpoint is made for
/// it. The nodes that it names start beside those that are pending. Any of its parts may be
/// missing; a thread on which nothing is to be run gives its value.
///
/// ```no_run
/// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
/// use rethread_client::CommandInput;
/// use serde_json::json;
///
/// let note = json!({"notes": ["seen by Ada"]});
/// let _outcome = thread.command(CommandInput::new().resume("yes").update(note)).await?;
/// let _outcome = thread.command(CommandInput::new().goto("summary")).await?;
/// # Ok(())
/// # }
/// ```
///
/// What could not be encoded is an error when the request is sent.
#[derive(Debug, Clone, Default)]
pub struct CommandInput {
    answers: Option<Answers>,
    command: GraphCommand,
    error: Option<PayloadError>,
}

impl CommandInput {
    /// One that asks for nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fields to write.
    #[must_use]
    pub fn update(mut self, update: impl Serialize) -> Self {
        self.command.update = self.encode(&update, "update of a command");
        self
    }

    /// A node to start; may be said several times.
    #[must_use]
    pub fn goto(mut self, node: impl Into<String>) -> Self {
        self.command.goto.push(Destination::Node(node.into()));
        self
    }

    /// A node to start with an input of its own; may be said several times.
    #[must_use]
    pub fn send(mut self, node: impl Into<String>, input: impl Serialize) -> Self {
        let node = node.into();
        let what = format!("input that is sent to node `{node}`");
        if let Some(input) = self.encode(&input, &what) {
            self.command.goto.push(Destination::Send { node, input });
        }
        self
    }

    /// An answer to the only open question.
    #[must_use]
    pub fn resume(mut self, answer: impl Serialize) -> Self {
        self.answers = self.encode(&answer, "answer to an interrupt").map(Answers::Only);
        self
    }

    /// Answers to open questions by their ids.
    #[must_use]
    pub fn resume_by_id<V: Serialize>(
        mut self,
        answers: impl IntoIterator<Item = (InterruptId, V)>,
    ) -> Self {
        let mut by_id = BTreeMap::new();
        for (id, answer) in answers {
            if let Some(answer) = self.encode(&answer, &format!("answer to interrupt {id}")) {
                by_id.insert(id, answer);
            }
        }
        self.answers = Some(Answers::ById(by_id));
        self
    }

    /// Answers in LangGraph's form; see [`Thread::resume_json`].
    #[must_use]
    pub fn resume_json(mut self, answer: &serde_json::Value) -> Self {
        match answers(answer) {
            Ok(answers) => self.answers = Some(answers),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
        self
    }

    fn encode(&mut self, value: &impl Serialize, what: &str) -> Option<Payload> {
        match Payload::encode(value, what) {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    fn into_action(self) -> Result<Action, PayloadError> {
        let Self { answers, command, error } = self;
        match error {
            Some(error) => Err(error),
            None => {
                let input = message::CommandInput { answers, command };
                Ok(Action::Command(Box::new(input)))
            }
        }
    }
}

impl Thread {
    /// Goes on with a graph, with a command for the step that it is at; see [`CommandInput`]. One
    /// that only answers does what [`Thread::resume`] does.
    ///
    /// The result is an [`AnyValue`]; [`Request::typed`] gives it its type.
    pub fn command(&self, command: CommandInput) -> Request<AnyValue> {
        Request::untyped(self.clone(), command.into_action())
    }
}
