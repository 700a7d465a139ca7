use std::cmp::Ordering;
use std::collections::VecDeque;

use axum::extract::State;
use axum::response::Response;
use futures::stream;
use rethread_client::Millis;
use serde_json::{Value, json};
use uuid::Uuid;

use super::channel::{Since, Subscription};
use super::telling::{Event, Telling};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, Path};
use crate::shared::Shared;
use crate::sse::{self, Cut, Frame, Happened, Position};
use crate::thread_stream::{Feed, RunMark, Start};

pub(super) async fn stream(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Body(subscription): Body<Subscription>,
) -> ApiResult<Response> {
    if let Some(fault) = subscription.fault() {
        return Err(ApiError::bad_request(fault));
    }
    let seen = Seen::of(subscription.since.as_ref()).ok_or_else(|| {
        ApiError::bad_request("since: must be the seq or the event_id of an event")
    })?;
    let feed = Feed::new(&shared, &tenant, thread, seen.start());
    let reader = Reader { feed, subscription, seen, told: 0, telling: None, made: VecDeque::new() };
    let frames = stream::try_unfold(reader, |mut reader| async move {
        match reader.next().await {
            Ok(frame) => Ok(Some((frame, reader))),
            Err(error) => {
                tracing::warn!(detail = error.detail(), "the stream of a thread was cut");
                Err(Cut)
            }
        }
    });
    Ok(sse::events(shared.options().heartbeat, frames))
}

/// Makes the events that a client asks for.
#[derive(Debug)]
struct Reader {
    feed: Feed,
    subscription: Subscription,
    seen: Seen,
    /// How many events there were of those that are asked for: they have the same numbers on each
    /// connection that asks for the same.
    told: u64,
    telling: Option<Telling>,
    made: VecDeque<Frame>,
}

impl Reader {
    async fn next(&mut self) -> ApiResult<Frame> {
        loop {
            if let Some(frame) = self.made.pop_front() {
                return Ok(frame);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> ApiResult<()> {
        let Self { feed, subscription, seen, told, telling, made } = self;
        let news = feed.next().await?;
        let run = news.events.run();
        if telling.as_ref().is_none_or(|telling| telling.run != run) {
            let graph = news.record.and_then(|record| record.metadata.get("graph_id"));
            let graph = graph.and_then(Value::as_str).unwrap_or_default();
            *telling = Some(Telling::new(run, graph.to_owned()));
        }
        let Some(telling) = telling else { return Ok(()) };
        for event in telling.tell(news.events, &news.happened) {
            let event_id = event_id(run, news.began, &news.happened, &event);
            // Also one that is not asked for may be the last that was seen.
            let is_new = seen.is_behind(run, &news.happened, &event_id);
            if !subscription.wants(event.channel, event.name(), &event.path) {
                continue;
            }
            match seen {
                Seen::Number(_) => *told += 1,
                Seen::Event { .. } => *told += u64::from(is_new),
            }
            if is_new && seen.is_passed_by(*told) {
                made.push_back(frame(event_id, *told, &news.happened, event));
            }
        }
        Ok(())
    }
}

/// What is left out: up to an event.
#[derive(Debug)]
enum Seen {
    /// By number.
    Number(u64),
    /// By id. Of what shows the same as it, what comes before it is left out.
    Event { run: Uuid, began: Millis, sequence: u64, id: String, is_found: bool },
}

impl Seen {
    /// None if it names no event.
    fn of(since: Option<&Since>) -> Option<Self> {
        Some(match since {
            None => Self::Number(0),
            Some(Since::Seq(seq)) => Self::Number(*seq),
            Some(Since::Event(id)) => {
                // RUN:BEGAN-SEQUENCE:TAG
                let mut parts = id.splitn(3, ':');
                let run = parts.next()?.parse().ok()?;
                let (began, sequence) = parts.next()?.split_once('-')?;
                let (began, sequence) = (Millis(began.parse().ok()?), sequence.parse().ok()?);
                Self::Event { run, began, sequence, id: id.clone(), is_found: false }
            }
        })
    }

    /// Where the runs are read from. Numbers count from the first.
    fn start(&self) -> Start {
        match self {
            Self::Number(_) => Start::First,
            Self::Event { run, began, .. } => {
                let seen = Position::default();
                Start::Behind { began: *began, run: RunMark::Whole(*run), seen }
            }
        }
    }

    fn is_behind(&mut self, of: Uuid, happened: &Happened, event_id: &str) -> bool {
        match self {
            Self::Event { run, sequence, id, is_found, .. } if *run == of => {
                match happened.position.sequence().cmp(sequence) {
                    Ordering::Less => false,
                    Ordering::Greater => true,
                    Ordering::Equal => std::mem::replace(is_found, *is_found || id == event_id),
                }
            }
            _ => true,
        }
    }

    fn is_passed_by(&self, number: u64) -> bool {
        match self {
            Self::Number(last) => number > *last,
            Self::Event { .. } => true,
        }
    }
}

/// The same on each connection.
fn event_id(run: Uuid, began: Millis, happened: &Happened, event: &Event) -> String {
    format!("{run}:{}:{}", happened.position.id(began), event.tag)
}

fn frame(event_id: String, seq: u64, happened: &Happened, event: Event) -> Frame {
    let Event { channel, path, data, .. } = event;
    let method = channel.method();
    let data = json!({
        "type": "event", "event_id": event_id, "seq": seq, "method": method,
        "params": { "namespace": path, "timestamp": happened.at, "data": data },
    });
    Frame { event: method.to_owned(), data, id: Some(seq.to_string()) }
}
