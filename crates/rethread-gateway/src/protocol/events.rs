use std::collections::VecDeque;

use axum::extract::State;
use axum::response::Response;
use futures::stream;
use serde_json::{Value, json};
use uuid::Uuid;

use super::channel::Subscription;
use super::telling::{Event, Telling};
use crate::caller::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Body, Path};
use crate::shared::Shared;
use crate::sse::{self, Cut, Frame, Happened};
use crate::thread_stream::Feed;

pub(super) async fn stream(
    State(shared): State<Shared>,
    Caller { tenant }: Caller,
    Path(thread): Path<Uuid>,
    Body(subscription): Body<Subscription>,
) -> ApiResult<Response> {
    if let Some(fault) = subscription.fault() {
        return Err(ApiError::bad_request(fault));
    }
    let feed = Feed::new(&shared, &tenant, thread);
    let reader = Reader { feed, subscription, told: 0, telling: None, made: VecDeque::new() };
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
    /// How many events there were, in all channels: so an event has the same number on each
    /// connection, whatever it asks for.
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
        let Self { feed, subscription, told, telling, made } = self;
        let news = feed.next().await?;
        let run = news.events.run();
        if telling.as_ref().is_none_or(|telling| telling.run != run) {
            let graph = news.record.and_then(|record| record.metadata.get("graph_id"));
            let graph = graph.and_then(Value::as_str).unwrap_or_default();
            *telling = Some(Telling::new(run, graph.to_owned()));
        }
        let Some(telling) = telling else { return Ok(()) };
        for event in telling.tell(news.events, &news.happened)? {
            *told += 1;
            let is_new = subscription.since.is_none_or(|since| *told > since);
            if is_new && subscription.wants(event.channel, event.name(), &event.path) {
                made.push_back(frame(run, *told, &news.happened, event));
            }
        }
        Ok(())
    }
}

fn frame(run: Uuid, seq: u64, happened: &Happened, event: Event) -> Frame {
    let Event { channel, path, data, tag } = event;
    let method = channel.method();
    let event_id = format!("{run}:{}:{tag}", happened.position.id(happened.at));
    let data = json!({
        "type": "event", "event_id": event_id, "seq": seq, "method": method,
        "params": { "namespace": path, "timestamp": happened.at, "data": data },
    });
    Frame { event: method.to_owned(), data, id: Some(seq.to_string()) }
}
