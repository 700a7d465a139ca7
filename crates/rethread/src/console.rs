use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Duration;
use std::{fmt, io};

use rethread_client::{
    ClientError, EntrypointRef, OpenInterrupt, Outcome, RunHandle, Thread, ThreadStatus,
};
use rethread_sdk::Value;
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// Silence after which a note says what the run may be waiting for.
const NOTE_AFTER: Duration = Duration::from_secs(3);

/// Carries a thread to its result in a terminal: asks its questions and takes answers, one line
/// of JSON each.
///
/// Questions and the result go to standard output (the result as the last line, as JSON), notes
/// to standard error.
#[derive(Debug)]
pub struct Console {
    answers: VecDeque<Json>,
    /// Said when nothing comes for a while, because others do the work.
    waiting_note: Option<&'static str>,
    input: Lines<BufReader<Stdin>>,
}

/// Why a thread was not carried to its result.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The run did not end well.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Standard input ended before a question was answered.
    #[error("no answer; the thread waits: run the same again with --thread {thread}")]
    Unanswered {
        /// The thread, which goes on waiting.
        thread: String,
    },
    /// Standard input cannot be read, or standard output not be written.
    #[error("terminal: {0}")]
    Io(#[from] io::Error),
}

/// The text for people, since that is what a `main` shows that returns the error.
impl fmt::Debug for ConsoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ConsoleError {
    /// The exit code of a program that ends with this error: 3 for a question without an
    /// answer, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unanswered { .. } => ExitCode::from(3),
            Self::Client(_) | Self::Io(_) => ExitCode::FAILURE,
        }
    }
}

impl Console {
    /// A console that gives these answers first, and reads standard input after that.
    pub fn new(answers: impl IntoIterator<Item = Json>) -> Self {
        let input = BufReader::new(tokio::io::stdin()).lines();
        Self { answers: answers.into_iter().collect(), waiting_note: None, input }
    }

    /// Other processes do the work: says this when nothing comes from them for a while.
    #[must_use]
    pub(crate) fn with_others(mut self, note: &'static str) -> Self {
        self.waiting_note = Some(note);
        self
    }

    /// Runs the entrypoint on the thread until it gives its result, which is printed.
    ///
    /// A thread with a run that waits, is in progress, failed or was parked goes on with that one;
    /// the input is then not used, with a note that says so.
    ///
    /// # Errors
    /// [`ConsoleError`]; the thread stays as it is, and a later call goes on with it.
    ///
    /// # Cancel safety
    /// Dropping the future stops nothing but the watching.
    pub async fn converse<I: Value, O: Value>(
        &mut self,
        thread: &Thread,
        entrypoint: impl Into<EntrypointRef<I, O>>,
        input: I,
    ) -> Result<(), ConsoleError> {
        let mut outcome = match begin(thread, entrypoint.into(), input).await? {
            Begun::Run(run) => self.wait(&run).await?,
            Begun::Waiting(open) => Outcome::Interrupted(open.into()),
        };
        loop {
            match outcome {
                Outcome::Done(result) => {
                    println!("{result}");
                    return Ok(());
                }
                Outcome::Interrupted(open) => {
                    let mut answers = Vec::with_capacity(open.len());
                    for question in open {
                        let answer = self.ask(thread, &question).await?;
                        answers.push((question.id, answer));
                    }
                    let run = thread.resume_by_id(answers).typed().start().await?;
                    outcome = self.wait(&run).await?;
                }
            }
        }
    }

    async fn wait(&self, run: &RunHandle<Json>) -> Result<Outcome<Json>, ClientError> {
        if let Some(note) = self.waiting_note {
            match run.wait_for(NOTE_AFTER).await {
                Err(ClientError::Timeout { .. }) => eprintln!("{note}"),
                result => return result,
            }
        }
        run.wait().await
    }

    async fn ask(
        &mut self,
        thread: &Thread,
        question: &OpenInterrupt,
    ) -> Result<Json, ConsoleError> {
        println!("{}", question.value.to_json()?);
        if let Some(answer) = self.answers.pop_front() {
            return Ok(answer);
        }
        eprintln!("answer with one line of JSON, such as true or {{\"note\": \"shorter\"}}:");
        loop {
            let Some(line) = self.input.next_line().await? else {
                return Err(ConsoleError::Unanswered { thread: thread.id().to_string() });
            };
            match serde_json::from_str(&line) {
                Ok(answer) => return Ok(answer),
                Err(error) => eprintln!("not JSON ({error}); texts need quotes:"),
            }
        }
    }
}

enum Begun {
    Run(RunHandle<Json>),
    Waiting(Vec<OpenInterrupt>),
}

async fn begin<I: Value, O: Value>(
    thread: &Thread,
    entrypoint: EntrypointRef<I, O>,
    input: I,
) -> Result<Begun, ClientError> {
    let unused = |what: &str| eprintln!("thread {} {what}; the input is not used", thread.id());
    let run = match thread.status().await? {
        Some(ThreadStatus::Interrupted(_)) => {
            unused("waits for an answer");
            let open = thread.state().await?.map(|state| state.interrupts);
            return Ok(Begun::Waiting(open.unwrap_or_default()));
        }
        Some(ThreadStatus::Running) => {
            unused("has a run in progress");
            thread.latest_run().await?.map(RunHandle::typed)
        }
        Some(ThreadStatus::Parked(_)) => {
            unused("was parked and goes on");
            Some(thread.retry().typed().start().await?)
        }
        Some(ThreadStatus::Failed(_)) => {
            unused("failed and tries again what ended it");
            Some(thread.retry().typed().start().await?)
        }
        _ => None,
    };
    match run {
        Some(run) => Ok(Begun::Run(run)),
        None => Ok(Begun::Run(thread.invoke(entrypoint, input).typed().start().await?)),
    }
}
