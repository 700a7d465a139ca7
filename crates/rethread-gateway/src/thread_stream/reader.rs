use std::collections::VecDeque;

use futures::stream::{self, Stream};
use rethread_client::{Millis, StreamData};
use serde_json::{Value, json};
use uuid::Uuid;

use super::feed::{Feed, Start};
use super::place::{of_run, with_run};
use crate::error::ApiResult;
use crate::runs::made_with;
use crate::sse::{Cut, Frame, LastEventId, Position, Showing, metadata_frame};

/// Where a reader goes on that has seen a frame.
pub(super) fn start_behind(last: Option<LastEventId>) -> Start {
    match last {
        None => Start::Now,
        Some(LastEventId::Start) => Start::First,
        Some(LastEventId::Frame { at: began, sequence }) => {
            let (run, sequence) = of_run(sequence);
            Start::Behind { began, run, seen: Position::from_sequence(sequence) }
        }
    }
}

/// The id of a frame among those of all runs: when its run began, the run, and where it is in that.
fn id(run: Uuid, Millis(began): Millis, position: Position) -> String {
    format!("{began}-{}", with_run(run, position.sequence()))
}

/// Makes the frames of the runs of a thread.
#[derive(Debug)]
pub(super) struct Reader {
    feed: Feed,
    thread: Uuid,
    /// Whether the frames of the modes are sent, or only starts and ends.
    has_modes: bool,
    /// The run that is shown, in its modes.
    showing: Option<(Uuid, Showing)>,
    made: VecDeque<Frame>,
}

impl Reader {
    pub(super) fn new(feed: Feed, thread: Uuid, has_modes: bool) -> Self {
        Self { feed, thread, has_modes, showing: None, made: VecDeque::new() }
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Frame, Cut>> + Send + 'static {
        stream::try_unfold(self, |mut reader| async move {
            match reader.next().await {
                Ok(frame) => Ok(Some((frame, reader))),
                Err(error) => {
                    tracing::warn!(detail = error.detail(), "the stream of a thread was cut");
                    Err(Cut)
                }
            }
        })
    }

    async fn next(&mut self) -> ApiResult<Frame> {
        loop {
            if let Some(frame) = self.made.pop_front() {
                return Ok(frame);
            }
            self.read().await?;
        }
    }

    /// Makes the frames of the next thing that happens.
    async fn read(&mut self) -> ApiResult<()> {
        let Self { feed, thread, has_modes, showing, made } = self;
        let told = feed.next().await?;
        let (run, happened) = (told.events.run(), &told.happened);
        if showing.as_ref().is_none_or(|(shown, _)| *shown != run) {
            let kwargs = told.record.map(|record| &record.kwargs);
            let modes = kwargs.map(made_with).unwrap_or_default();
            let has_children = kwargs.and_then(|it| it.get("subgraphs")) == Some(&json!(true));
            *showing = Some((run, Showing::new(*thread, modes, has_children)));
        }
        let mut frames = match (showing, &happened.data) {
            (Some((_, showing)), _) if *has_modes => showing.show(told.events, happened),
            (_, StreamData::Began { .. }) if happened.path.is_empty() => {
                vec![(happened.position, metadata(metadata_frame(run)))]
            }
            _ => Vec::new(),
        };
        if matches!(happened.data, StreamData::RunEnded(_)) {
            let done = json!({ "status": "run_done", "run_id": run });
            frames.push((happened.position.part(2), metadata(done)));
        }
        let new = frames.into_iter().filter(|(position, _)| *position > told.seen);
        made.extend(new.map(|(position, frame)| {
            let id = Some(id(run, told.began, position));
            Frame { id, ..frame }
        }));
        Ok(())
    }
}

fn metadata(data: Value) -> Frame {
    Frame { event: "metadata".to_owned(), data, id: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread_stream::place::RunMark;

    #[test]
    fn an_id_says_where_a_reader_goes_on() {
        let run = Uuid::from_u128(0xabcde);
        let seen = Position { number: 1_000_000, place: 8, part: 2 };
        let id = id(run, Millis(1_795_193_955_280), seen);
        assert!(id.starts_with("1795193955280-"), "{id}");
        let last: LastEventId = id.parse().expect("an id");
        let start = start_behind(Some(last));
        let began = Millis(1_795_193_955_280);
        assert_eq!(start, Start::Behind { began, run: RunMark::Bits(0xabcde), seen });
        assert_eq!(start_behind(None), Start::Now);
    }
}
