//! The events of a run, in order, each once: alone from the storage, or together with the other
//! readers of the same run in this process.

mod end;
mod log;
mod tail;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::{self, BoxStream};
use rethread_core::event::{Event, EventKind};
use rethread_core::ids::RunId;

use crate::error::Result;
use crate::thread::Thread;
use log::{BATCH, LogReader};
use tail::{Joined, Seat, Taken};

pub(crate) use end::RunEnd;
pub(crate) use tail::Tails;

/// Reads the events of one run in order, without a gap and without a repetition.
#[derive(Debug)]
pub(crate) struct EventReader {
    log: LogReader,
    /// Number of the last event that was given out.
    after: u64,
    buffer: VecDeque<Arc<Event>>,
    /// Among the readers of this run, once it has begun to read.
    seat: Option<Seat>,
    /// What it reads together with the others.
    joined: Option<Joined>,
    /// Whether the place where the reader begins is known to be within the log.
    is_placed: bool,
    is_ended: bool,
}

impl EventReader {
    pub(crate) fn new(thread: Thread, run: RunId, after: u64) -> Self {
        Self {
            log: LogReader::new(thread, run, after),
            after,
            buffer: VecDeque::new(),
            seat: None,
            joined: None,
            is_placed: after == 0,
            is_ended: false,
        }
    }

    pub(crate) fn thread(&self) -> &Thread {
        &self.log.thread
    }

    pub(crate) fn run(&self) -> RunId {
        self.log.run
    }

    /// Number of the last event that was given out.
    pub(crate) fn after(&self) -> u64 {
        self.after
    }

    /// The next event; none behind the end of the run.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        if !self.is_placed {
            self.is_ended = self.log.is_at_end().await?;
            self.is_placed = true;
        }
        if self.is_ended {
            return Ok(None);
        }
        loop {
            if let Some(event) = self.buffer.pop_front() {
                self.after = event.seq;
                self.is_ended = matches!(event.kind, EventKind::RunEnded(_));
                if self.is_ended {
                    (self.joined, self.seat) = (None, None);
                }
                return Ok(Some(Arc::unwrap_or_clone(event)));
            }
            self.fill().await?;
        }
    }

    /// Waits until the buffer holds the next event.
    async fn fill(&mut self) -> Result<()> {
        let (thread, run) = (&self.log.thread, self.log.run);
        let seat = self.seat.get_or_insert_with(|| thread.client().tails().enter(thread, run));
        if self.joined.is_none() && seat.has_company() {
            self.joined = Some(seat.join(LogReader::new(thread.clone(), run, self.after)));
            self.log.rest();
        }
        self.log.after = self.after;
        let Some(joined) = &mut self.joined else { return self.fill_alone().await };
        match joined.next(self.after, BATCH).await? {
            Taken::Events(events) => self.buffer.extend(events),
            // Too far behind the others: at its own pace.
            Taken::Behind => {
                let found = self.log.read(self.after, BATCH).await?;
                if found.is_empty() {
                    self.joined = None;
                    return self.fill_alone().await;
                }
                let mut wanted = self.after + 1;
                for found in found.into_iter().map(|found| found.event) {
                    if found.seq == wanted {
                        wanted += 1;
                        self.buffer.push_back(Arc::new(found));
                    }
                }
                if self.buffer.is_empty() {
                    // A gap, which may close.
                    return self.fill_alone().await;
                }
            }
            Taken::Over => {
                self.joined = None;
                return self.fill_alone().await;
            }
        }
        Ok(())
    }

    async fn fill_alone(&mut self) -> Result<()> {
        let batch = self.log.next_batch().await?;
        self.buffer.extend(batch.into_iter().map(|found| Arc::new(found.event)));
        Ok(())
    }
}

/// The events of a run: numbered without a gap, each once, ending behind
/// [`EventKind::RunEnded`].
///
/// While the storage cannot be reached it waits, for as long as
/// [`crate::ClientOptions::retry_for`] says. It ends behind an error; a new stream from the
/// number of the last event goes on.
#[must_use = "a stream does nothing until it is polled"]
pub struct EventStream {
    run: RunId,
    events: BoxStream<'static, Result<Event>>,
}

impl EventStream {
    pub(crate) fn new(reader: EventReader) -> Self {
        let run = reader.run();
        let next = |mut reader: EventReader| async move {
            Ok(reader.next().await?.map(|event| (event, reader)))
        };
        Self { run, events: Box::pin(stream::try_unfold(reader, next)) }
    }
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.as_mut().poll_next(context)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("run", &self.run).finish_non_exhaustive()
    }
}
