use std::collections::VecDeque;

use futures::stream::{self, Stream};
use rethread_client::{Millis, StreamData};
use serde_json::{Value, json};
use uuid::Uuid;

use super::feed::Feed;
use crate::error::ApiResult;
use crate::runs::made_with;
use crate::sse::{Cut, Frame, Position, Showing, metadata_frame};

/// What a reader has seen already, or does not want.
#[derive(Debug)]
pub(super) enum Seen {
    Nothing,
    /// What happened before it came.
    Before(Millis),
    /// Everything up to this frame. `held` are those of the same time that came before it was
    /// found: they are sent if it is found to be gone.
    UpTo {
        at: Millis,
        id: String,
        held: Vec<Frame>,
    },
}

impl Seen {
    pub(super) fn up_to(at: Millis, sequence: u64) -> Self {
        Self::UpTo { at, id: format!("{}-{sequence}", at.0), held: Vec::new() }
    }

    /// What is to be sent when a frame comes.
    fn pass(&mut self, at: Millis, frame: Frame) -> Vec<Frame> {
        match self {
            Self::Nothing => vec![frame],
            Self::Before(start) => {
                if at < *start {
                    Vec::new()
                } else {
                    vec![frame]
                }
            }
            Self::UpTo { at: last, .. } if at < *last => Vec::new(),
            Self::UpTo { at: last, id, held } if at == *last => {
                if frame.id.as_ref() == Some(id) {
                    *self = Self::Nothing;
                } else {
                    held.push(frame);
                }
                Vec::new()
            }
            // Of a run that stands before the one of that frame, but began later; or behind one
            // that is gone. The frame itself may still come, and what is before it was seen.
            Self::UpTo { held, .. } => {
                let mut frames = std::mem::take(held);
                frames.push(frame);
                frames
            }
        }
    }
}

/// Makes the frames of the runs of a thread.
#[derive(Debug)]
pub(super) struct Reader {
    feed: Feed,
    thread: Uuid,
    /// Whether the frames of the modes are sent, or only starts and ends.
    has_modes: bool,
    seen: Seen,
    /// The run that is shown, in its modes.
    showing: Option<(Uuid, Showing)>,
    made: VecDeque<Frame>,
}

impl Reader {
    pub(super) fn new(feed: Feed, thread: Uuid, has_modes: bool, seen: Seen) -> Self {
        Self { feed, thread, has_modes, seen, showing: None, made: VecDeque::new() }
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
            for (at, frame) in self.read().await? {
                self.made.extend(self.seen.pass(at, frame));
            }
        }
    }

    /// The frames of the next thing that happens.
    async fn read(&mut self) -> ApiResult<Vec<(Millis, Frame)>> {
        let Self { feed, thread, has_modes, showing, .. } = self;
        let told = feed.next().await?;
        let (run, happened) = (told.events.run(), &told.happened);
        if showing.as_ref().is_none_or(|(shown, _)| *shown != run) {
            let kwargs = told.record.map(|record| &record.kwargs);
            let modes = kwargs.map(made_with).unwrap_or_default();
            let has_children = kwargs.and_then(|it| it.get("subgraphs")) == Some(&json!(true));
            *showing = Some((run, Showing::new(*thread, modes, has_children)));
        }
        let mut frames = match (showing, &happened.data) {
            (Some((_, showing)), _) if *has_modes => showing.show(told.events, happened)?,
            (_, StreamData::Began { .. }) if happened.path.is_empty() => {
                vec![(happened.position, metadata(metadata_frame(run)))]
            }
            _ => Vec::new(),
        };
        if matches!(happened.data, StreamData::RunEnded(_)) {
            let done = json!({ "status": "run_done", "run_id": run });
            frames.push((happened.position.part(2), metadata(done)));
        }
        let at = happened.at;
        let named = |(position, frame)| (at, Frame { id: Some(id(run, at, position)), ..frame });
        Ok(frames.into_iter().map(named).collect())
    }
}

fn metadata(data: Value) -> Frame {
    Frame { event: "metadata".to_owned(), data, id: None }
}

/// The id of a frame among those of all runs: two short runs may do the same in the same
/// millisecond.
fn id(run: Uuid, Millis(at): Millis, position: Position) -> String {
    const RUN_BITS: u32 = 16;
    let [.., high, low] = *run.as_bytes();
    let of_run = u64::from(u16::from_be_bytes([high, low]));
    format!("{at}-{}", (position.sequence() << RUN_BITS) | of_run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: &str) -> Frame {
        Frame { event: "custom".to_owned(), data: Value::Null, id: Some(id.to_owned()) }
    }

    /// What is sent of frames with these times and ids.
    fn sent(mut seen: Seen, frames: &[(u64, &str)]) -> Vec<String> {
        let passed = frames.iter().flat_map(|(at, id)| seen.pass(Millis(*at), frame(id)));
        passed.filter_map(|frame| frame.id).collect()
    }

    #[test]
    fn what_was_seen_is_not_sent_again() {
        let all = [(5, "5-1"), (7, "7-2"), (7, "7-9"), (7, "7-3"), (8, "8-4")];
        assert_eq!(sent(Seen::up_to(Millis(7), 9), &all), ["7-3", "8-4"]);
        assert_eq!(sent(Seen::Before(Millis(8)), &all), ["8-4"]);
        assert_eq!(sent(Seen::Nothing, &all).len(), 5);
    }

    #[test]
    fn nothing_is_lost_behind_a_frame_that_is_gone() {
        let left = [(7, "7-2"), (7, "7-3"), (8, "8-4")];
        assert_eq!(sent(Seen::up_to(Millis(7), 1), &left), ["7-2", "7-3", "8-4"]);
        assert_eq!(sent(Seen::up_to(Millis(6), 1), &left), ["7-2", "7-3", "8-4"]);
    }

    #[test]
    fn a_run_that_waited_longer_brings_back_no_other() {
        // The first of them was made first, and began when the second was over.
        let all = [(9, "9-1"), (9, "9-2"), (3, "3-1"), (4, "4-1"), (4, "4-2")];
        assert_eq!(sent(Seen::up_to(Millis(4), 1), &all), ["9-1", "9-2", "4-2"]);
    }
}
