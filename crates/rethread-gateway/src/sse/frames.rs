use std::collections::VecDeque;

use futures::stream::{self, Stream};
use rethread_client::Thread;
use uuid::Uuid;

use super::Frame;
use super::body::Cut;
use super::modes::StreamModes;
use super::position::Position;
use super::showing::Showing;
use super::source::RunEvents;
use crate::error::ApiResult;

/// The frames of a run behind a position.
#[derive(Debug)]
pub(crate) struct Frames {
    run: RunEvents,
    showing: Showing,
    /// What the reader has seen already, or does not want.
    seen: Position,
    made: VecDeque<Frame>,
}

impl Frames {
    /// The frames of a run behind a position. It is read from its start in any case: what a frame
    /// says depends on what came before.
    pub(crate) fn new(
        engine: &Thread,
        thread: Uuid,
        run: Uuid,
        modes: StreamModes,
        has_children: bool,
        seen: Position,
    ) -> Self {
        let run = RunEvents::of(engine, run, modes.sources());
        let showing = Showing::new(thread, modes, has_children);
        Self { run, showing, seen, made: VecDeque::new() }
    }

    /// The next frame; none when the run is over.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    async fn next(&mut self) -> ApiResult<Option<Frame>> {
        loop {
            if let Some(frame) = self.made.pop_front() {
                return Ok(Some(frame));
            }
            let Some(happened) = self.run.next().await? else { return Ok(None) };
            for (position, frame) in self.showing.show(&self.run, &happened) {
                if position > self.seen {
                    let id = Some(position.id(happened.at));
                    self.made.push_back(Frame { id, ..frame });
                }
            }
        }
    }

    /// As a stream, that is cut where the storage cannot be read: the client comes again.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Frame, Cut>> + Send + 'static {
        stream::try_unfold(self, |mut frames| async move {
            match frames.next().await {
                Ok(frame) => Ok(frame.map(|frame| (frame, frames))),
                Err(error) => {
                    let (run_id, detail) = (frames.run.run(), error.detail());
                    tracing::warn!(%run_id, detail, "a stream was cut");
                    Err(Cut)
                }
            }
        })
    }
}
