//! What is counted.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::TryStreamExt;
use futures::future::try_join_all;
use http_body_util::BodyExt;
use rethread::Outcome;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::Failure;
use crate::programs::{self, StepsUpdate};
use crate::world::World;

/// Tasks of one thread that runs them one after the other.
const IN_SEQUENCE: u64 = 10;
/// Threads that are run at the same time.
const IN_FLIGHT: u64 = 64;
/// Tasks of one run that calls them all at once.
const FAN_OUT: u64 = 1_000;
/// Results that a thread has when it is gone on with.
const RECORDED: u64 = 1_000;
/// Events that one task writes.
const EVENTS: u64 = 1_000;
/// Where threads live that are asked for over HTTP.
const THREAD: &str = "01980000-0000-7000-8000-000000000001";

/// A fixed piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    Sequence,
    InFlight,
    FanOut,
    Resume,
    Graph,
    Stream,
    Park,
    Http,
    HttpThread,
}

impl Workload {
    pub(crate) const ALL: [Self; 9] = [
        Self::Sequence,
        Self::InFlight,
        Self::FanOut,
        Self::Resume,
        Self::Graph,
        Self::Stream,
        Self::Park,
        Self::Http,
        Self::HttpThread,
    ];

    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::InFlight => "in-flight",
            Self::FanOut => "fan-out",
            Self::Resume => "resume",
            Self::Graph => "graph",
            Self::Stream => "stream",
            Self::Park => "park",
            Self::Http => "http",
            Self::HttpThread => "http-thread",
        }
    }

    /// Whether a section of the table is about it.
    pub(crate) fn has(self, section: &str) -> bool {
        section.split_once('.').is_some_and(|(name, _)| name == self.name())
    }

    /// What it is.
    pub(crate) fn about(self) -> String {
        match self {
            Self::Sequence => format!("one thread of {IN_SEQUENCE} sequential tasks"),
            Self::InFlight => {
                format!("{IN_FLIGHT} threads of {IN_SEQUENCE} sequential tasks at the same time")
            }
            Self::FanOut => format!("one run that calls {FAN_OUT} tasks at once"),
            Self::Resume => {
                format!("an answer to a thread with {RECORDED} recorded results, not in memory")
            }
            Self::Graph => format!("a graph that makes {IN_SEQUENCE} steps"),
            Self::Stream => format!("a task that writes {EVENTS} events, and their reader"),
            Self::Park => "a thread that asks a question and waits".to_owned(),
            Self::Http => "POST /runs/wait, of a program with one task".to_owned(),
            Self::HttpThread => {
                "POST /threads/{id}/runs/wait of the same, on a thread that has had a run"
                    .to_owned()
            }
        }
    }

    /// Whether everything in it that is spread over partitions has the same names each time.
    pub(crate) fn has_fixed_names(self) -> bool {
        !matches!(self, Self::Http | Self::HttpThread)
    }

    /// How many of what its counts are divided by, to be shown.
    pub(crate) fn steps(self) -> (u64, &'static str) {
        match self {
            Self::Sequence | Self::Graph => (IN_SEQUENCE, "step"),
            Self::InFlight => (IN_FLIGHT * IN_SEQUENCE, "step"),
            Self::FanOut => (FAN_OUT, "task"),
            Self::Resume => (RECORDED, "result"),
            Self::Stream => (EVENTS, "event"),
            Self::Park | Self::Http | Self::HttpThread => (1, "run"),
        }
    }

    /// Brings the engine to where the work begins: with everything made that is made once.
    pub(crate) async fn prepare(self, world: &World) -> Result<(), Failure> {
        match self {
            Self::Resume => {
                let thread = world.client.thread("resumed")?;
                let asked = thread.invoke(programs::sequence_and_question::def(), RECORDED).await?;
                expect(matches!(asked, Outcome::Interrupted(_)), &asked)
            }
            Self::Http | Self::HttpThread => self.run(world).await,
            _ => sequence(world, "prepared", 1).await,
        }
    }

    /// Does the work.
    pub(crate) async fn run(self, world: &World) -> Result<(), Failure> {
        match self {
            Self::Sequence => sequence(world, "thread", IN_SEQUENCE).await,
            Self::InFlight => {
                let names: Vec<_> = (0..IN_FLIGHT).map(|nth| format!("thread-{nth:02}")).collect();
                let all = names.iter().map(|name| sequence(world, name, IN_SEQUENCE));
                try_join_all(all).await.map(drop)
            }
            Self::FanOut => {
                let thread = world.client.thread("thread")?;
                let done = thread.invoke(programs::fan_out::def(), FAN_OUT).await?;
                expect(done == Outcome::Done(FAN_OUT), &done)
            }
            Self::Resume => {
                let thread = world.client.thread("resumed")?;
                let done = thread.resume("yes").typed::<String>().await?;
                expect(done == Outcome::Done("yes".into()), &done)
            }
            Self::Graph => {
                let thread = world.client.thread("thread")?;
                let done =
                    thread.invoke(programs::steps()?, StepsUpdate::new().done(0_u64)).await?;
                expect(matches!(done, Outcome::Done(_)), &"a graph that did not end")
            }
            Self::Stream => {
                let thread = world.client.thread("thread")?;
                let run = thread.invoke(programs::broadcast::def(), EVENTS).start().await?;
                let events: Vec<_> = run.events().try_collect().await?;
                expect(events.len() as u64 > EVENTS, &events.len())
            }
            Self::Park => {
                let thread = world.client.thread("thread")?;
                let asked = thread.invoke(programs::question::def(), "go on?".into()).await?;
                expect(matches!(asked, Outcome::Interrupted(_)), &asked)
            }
            Self::Http => post(world, "/runs/wait").await,
            Self::HttpThread => post(world, &format!("/threads/{THREAD}/runs/wait")).await,
        }
    }
}

async fn sequence(world: &World, thread: &str, steps: u64) -> Result<(), Failure> {
    let thread = world.client.thread(thread)?;
    let done = thread.invoke(programs::sequence::def(), steps).await?;
    expect(done == Outcome::Done(steps), &done)
}

async fn post(world: &World, path: &str) -> Result<(), Failure> {
    let body = json!({ "assistant_id": "sequence", "input": 1, "if_not_exists": "create" });
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string()))?;
    let response = world.router.clone().oneshot(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    let answer: Value = serde_json::from_slice(&body)?;
    expect(status == StatusCode::OK && answer == json!(1), &answer)
}

fn expect(is_so: bool, found: &dyn std::fmt::Debug) -> Result<(), Failure> {
    match is_so {
        true => Ok(()),
        false => Err(format!("the work ended otherwise than it should: {found:?}").into()),
    }
}
