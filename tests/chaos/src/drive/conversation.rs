//! One thread: programs one after the other, and the answers to their questions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::{join, join_all};
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

/// One in so many threads goes on when all is over.
const RESTED_EVERY: u64 = 20;
/// So many of a hundred runs are stopped, at most so long after their first event.
const CANCEL_PERCENT: u64 = 5;
const CANCEL_WITHIN_MS: u64 = 150;
/// So many of a hundred times a crowd answers, and how large it is.
const CROWD_PERCENT: u64 = 1;
const CROWD: usize = 50;

/// How questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answering {
    Rightly,
    /// Too late, and otherwise.
    Wrongly,
    /// Rightly, by many at the same time.
    InCrowd,
}

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
    if number.is_multiple_of(RESTED_EVERY) {
        driver.rested.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }
}

/// Runs one more program on a thread that came to rest.
pub(super) async fn go_on(driver: Arc<Driver>, number: u64) {
    let name = format!("t{number}");
    let thread = driver.client.thread(&name).expect("invariant: the name of a thread is short");
    let mut random = Random::of(&[driver.seed, 0xd1, number]);
    let program = generate::short_program(&mut random, number * 8 + 7);
    let talk = Conversation { driver: &driver, name: &name, thread: &thread };
    talk.execute(program, &mut random).await;
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
        let mut end = self.watch_or_cancel(&run, execution, random).await;
        for _ in 0..RUNS_MAX {
            end = match end {
                End::Done { .. } => return Some(()),
                End::Interrupted { asks } => self.answer(execution, &asks, random).await?,
                // A task that was on three workers that died: whoever asked tries again.
                End::Failed { kind, .. } if kind == kind::POISONED => {
                    let run = self.retry(execution).await?;
                    self.watch(&run, None).await
                }
                End::Cancelled => {
                    let run = self.retry(execution).await?;
                    self.watch_or_cancel(&run, execution, random).await
                }
                _ => return None,
            };
        }
        None
    }

    async fn start(&self, program: Program, random: &mut Random) -> Option<RunHandle<AnyValue>> {
        let run = new_run();
        let thread = self.name.to_owned();
        let run_id = run.to_string();
        let fact = Fact::Start { thread, run: run_id, program: program.clone(), contest: None };
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
        if random.percent(CROWD_PERCENT) {
            return self.answer_in_crowd(execution, asks).await;
        }
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

    /// Many give the same answers at the same time: one has its effect.
    async fn answer_in_crowd(&self, execution: u64, asks: &BTreeMap<String, u32>) -> Option<End> {
        let answers = asks.iter().map(|(id, step)| (id.clone(), answer_to(execution, *step)));
        let answers: BTreeMap<_, _> = answers.collect();
        let one = || async {
            let run = self.send_answers(execution, answers.clone(), Answering::InCrowd).await?;
            Some(self.watch(&run, None).await)
        };
        let ends = join_all((0..CROWD).map(|_| one())).await;
        let is_effect = |end: &End| {
            !matches!(end, End::Refused { .. } | End::Joined { .. } | End::Unread { .. })
        };
        ends.into_iter().flatten().find(is_effect)
    }

    async fn resume(
        &self,
        execution: u64,
        answers: BTreeMap<String, u64>,
        is_right: bool,
    ) -> Option<RunHandle<AnyValue>> {
        let how = if is_right { Answering::Rightly } else { Answering::Wrongly };
        self.send_answers(execution, answers, how).await
    }

    async fn send_answers(
        &self,
        execution: u64,
        answers: BTreeMap<String, u64>,
        how: Answering,
    ) -> Option<RunHandle<AnyValue>> {
        let run = new_run();
        let fact = Fact::Resume {
            thread: self.name.to_owned(),
            run: run.to_string(),
            execution,
            answers: answers.clone(),
            is_right: how != Answering::Wrongly,
            in_crowd: how == Answering::InCrowd,
        };
        self.driver.history.say(Kind::Invoke, fact);
        let by_id: Vec<(InterruptId, u64)> = answers
            .into_iter()
            .filter_map(|(id, answer)| Some((id.parse().ok()?, answer)))
            .collect();
        self.submit(run, || self.thread.resume_by_id(by_id.clone())).await
    }

    async fn submit<O>(
        &self,
        run: RunId,
        request: impl Fn() -> Request<O>,
    ) -> Option<RunHandle<AnyValue>> {
        submit(self.driver, self.thread, run, request).await
    }

    /// Reads a run to its end; now and then it is stopped meanwhile.
    async fn watch_or_cancel(
        &self,
        run: &RunHandle<AnyValue>,
        execution: u64,
        random: &mut Random,
    ) -> End {
        if !random.percent(CANCEL_PERCENT) {
            return self.watch(run, None).await;
        }
        let pause = Duration::from_millis(random.below(CANCEL_WITHIN_MS));
        let begun = Notify::new();
        let cancel = async {
            begun.notified().await;
            sleep(pause).await;
            self.cancel(run.run_id(), execution).await;
        };
        join(self.watch(run, Some(&begun)), cancel).await.0
    }

    async fn cancel(&self, run: RunId, execution: u64) {
        let say = |kind, error| {
            let (thread, run) = (self.name.to_owned(), run.to_string());
            self.driver.history.say(kind, Fact::Cancel { thread, run, execution, error });
        };
        say(Kind::Invoke, None);
        match self.thread.cancel().await {
            Ok(()) => say(Kind::Ok, None),
            Err(error @ ClientError::Refused(_)) => say(Kind::Fail, Some(error.to_string())),
            Err(error) => say(Kind::Info, Some(error.to_string())),
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

/// Sends a request until it is known to be accepted or refused.
pub(super) async fn submit<O>(
    driver: &Driver,
    thread: &Thread,
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
        driver.history.say(kind, Fact::Submit { run: run.to_string(), error });
        match kind {
            Kind::Ok => return Some(thread.run(run)),
            Kind::Info => sleep(Duration::from_millis(100)).await,
            _ => return None,
        }
    }
}

pub(super) fn new_run() -> RunId {
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
