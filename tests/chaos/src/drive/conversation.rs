//! One thread: programs one after the other, and the answers to their questions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join;
use rethread::client::{AnyValue, InterruptId, Request, RunHandle, RunId};
use rethread::{ClientError, StorageError, Thread, kind};
use tokio::sync::Notify;
use tokio::time::sleep;
use uuid::Uuid;

use super::Driver;
use crate::history::{End, Fact, Kind};
use crate::program::{Program, answer_to};
use crate::random::Random;
use crate::{app, generate};

/// Most runs of one execution; more means that it does not get on.
const RUNS_MAX: usize = 60;

/// Runs one to three programs on a thread.
pub(super) async fn hold(driver: Arc<Driver>, number: u64) {
    let mut random = driver.random(number);
    let name = format!("t{number}");
    let thread = driver.client.thread(&name).expect("invariant: the name of a thread is short");
    for nth in 0..random.between(1, 3) {
        let program = generate::program(&mut random, number * 8 + nth, 10 + number / 20);
        let talk = Conversation { driver: &driver, name: &name, thread: &thread };
        if talk.execute(program, &mut random).await.is_none() {
            return;
        }
    }
}

struct Conversation<'a> {
    driver: &'a Driver,
    name: &'a str,
    thread: &'a Thread,
}

impl Conversation<'_> {
    /// Runs a program to its end; none if it did not come to a result.
    async fn execute(&self, program: Program, random: &mut Random) -> Option<()> {
        let execution = program.execution;
        let run = self.start(program, random).await?;
        let mut end = self.watch(&run, None).await;
        for _ in 0..RUNS_MAX {
            end = match end {
                End::Done { .. } => return Some(()),
                End::Interrupted { asks } => self.answer(execution, &asks, random).await?,
                // A task that was on three workers that died: whoever asked tries again.
                End::Failed { kind, .. } if kind == kind::POISONED => {
                    let run = self.retry(execution).await?;
                    self.watch(&run, None).await
                }
                _ => return None,
            };
        }
        None
    }

    async fn start(&self, program: Program, random: &mut Random) -> Option<RunHandle<AnyValue>> {
        let run = new_run();
        let thread = self.name.to_owned();
        let fact = Fact::Start { thread, run: run.to_string(), program: program.clone() };
        self.driver.history.say(Kind::Invoke, fact);
        let request = || self.thread.invoke(app::entrypoint(), program.clone());
        if random.percent(10) {
            // The same request twice at the same time has its effect once.
            let (one, _) = join(self.submit(run, request), self.submit(run, request)).await;
            return one;
        }
        self.submit(run, request).await
    }

    async fn retry(&self, execution: u64) -> Option<RunHandle<AnyValue>> {
        let run = new_run();
        let thread = self.name.to_owned();
        let fact = Fact::Retry { thread, run: run.to_string(), execution };
        self.driver.history.say(Kind::Invoke, fact);
        self.submit(run, || self.thread.retry()).await
    }

    /// Answers all questions and reads what comes of it. Now and then somebody else answers
    /// too, later and otherwise.
    async fn answer(
        &self,
        execution: u64,
        asks: &BTreeMap<String, u32>,
        random: &mut Random,
    ) -> Option<End> {
        let right = asks.iter().map(|(id, step)| (id.clone(), answer_to(execution, *step)));
        let run = self.resume(execution, right.clone().collect(), true).await?;
        if !random.percent(20) {
            return Some(self.watch(&run, None).await);
        }
        let wrong = right.map(|(id, answer)| (id, !answer)).collect();
        let begun = Notify::new();
        let late = async {
            begun.notified().await;
            if let Some(late) = self.resume(execution, wrong, false).await {
                self.watch(&late, None).await;
            }
        };
        Some(join(self.watch(&run, Some(&begun)), late).await.0)
    }

    async fn resume(
        &self,
        execution: u64,
        answers: BTreeMap<String, u64>,
        is_right: bool,
    ) -> Option<RunHandle<AnyValue>> {
        let run = new_run();
        let fact = Fact::Resume {
            thread: self.name.to_owned(),
            run: run.to_string(),
            execution,
            answers: answers.clone(),
            is_right,
        };
        self.driver.history.say(Kind::Invoke, fact);
        let by_id: Vec<(InterruptId, u64)> = answers
            .into_iter()
            .filter_map(|(id, answer)| Some((id.parse().ok()?, answer)))
            .collect();
        self.submit(run, || self.thread.resume_by_id(by_id.clone())).await
    }

    /// Sends a request until it is known to be accepted or refused.
    async fn submit<O>(
        &self,
        run: RunId,
        request: impl Fn() -> Request<O>,
    ) -> Option<RunHandle<AnyValue>> {
        loop {
            let submitted = request().run_id(run).start().await;
            let (kind, error) = match &submitted {
                Ok(_) => (Kind::Ok, None),
                Err(error) if may_pass(error) => (Kind::Info, Some(error.to_string())),
                Err(error) => (Kind::Fail, Some(error.to_string())),
            };
            self.driver.history.say(kind, Fact::Submit { run: run.to_string(), error });
            match kind {
                Kind::Ok => return Some(self.thread.run(run)),
                Kind::Info => sleep(Duration::from_millis(100)).await,
                _ => return None,
            }
        }
    }

    /// Reads a run to its end. `begun` is told of its first event.
    async fn watch(&self, run: &RunHandle<AnyValue>, begun: Option<&Notify>) -> End {
        let driver = self.driver;
        let end = super::watch::watch(driver, run, begun).await;
        driver.counts.runs.fetch_add(1, Ordering::Relaxed);
        end
    }
}

fn new_run() -> RunId {
    RunId::from_uuid(Uuid::now_v7())
}

/// Whether the same request may be taken when it is sent again.
pub(super) fn may_pass(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unconfirmed { .. }
            | ClientError::Storage(StorageError::Unavailable { .. } | StorageError::Unknown { .. })
    )
}
