//! Reading the event log of a run: catch-up by number, a wake-up, and a look every few seconds
//! in case the wake-up is lost.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::stream::{self, BoxStream};
use rethread_core::event::{Event, EventKind};
use rethread_core::header::ThreadStatus;
use rethread_core::ids::{PartitionId, RunId};
use rethread_core::record::Record;
use rethread_storage::EventWatch;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{ClientError, Result};
use crate::patience::Patience;
use crate::thread::Thread;

/// Most events that one read fetches, which bounds what a slow reader holds in memory.
const BATCH: usize = 256;
/// How long a gap may take to close: it is a reader that was faster than a replica at most.
const GAP_LASTS: Duration = Duration::from_secs(1);
/// How long a run may take to start before a hint is logged.
const START_LASTS: Duration = Duration::from_secs(10);
/// Pause before a watch whose source is gone is made anew.
const WATCH_PAUSE: Duration = Duration::from_millis(200);

/// Reads the events of one run in order, without a gap and without a repetition.
#[derive(Debug)]
pub(crate) struct EventReader {
    thread: Thread,
    partition: PartitionId,
    run: RunId,
    /// Number of the last event that was given out.
    after: u64,
    buffer: VecDeque<Event>,
    watch: Option<EventWatch>,
    /// Whether the place where the reader begins is known to be within the log.
    is_placed: bool,
    is_ended: bool,
    /// When a hint is due, unless the run has started or the hint was given.
    hint_at: Option<Instant>,
}

impl EventReader {
    pub(crate) fn new(thread: Thread, run: RunId, after: u64) -> Self {
        Self {
            partition: thread.partition(),
            thread,
            run,
            after,
            buffer: VecDeque::new(),
            watch: None,
            is_placed: after == 0,
            is_ended: false,
            hint_at: (after == 0).then(|| Instant::now() + START_LASTS),
        }
    }

    pub(crate) fn thread(&self) -> &Thread {
        &self.thread
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Number of the last event that was given out.
    pub(crate) fn after(&self) -> u64 {
        self.after
    }

    /// The next event; none behind the end of the run.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        if !self.is_placed {
            self.place().await?;
        }
        if self.is_ended {
            return Ok(None);
        }
        loop {
            if let Some(event) = self.buffer.pop_front() {
                self.after = event.seq;
                self.is_ended = matches!(event.kind, EventKind::RunEnded(_));
                return Ok(Some(event));
            }
            self.fill().await?;
        }
    }

    /// The first event of the run, if it is stored.
    pub(crate) async fn first(&self) -> Result<Option<Event>> {
        Ok(self.read(0, 1).await?.into_iter().next())
    }

    /// Looks at the event that the reader begins behind: nothing comes behind the last one, and
    /// nothing is known to come behind one that is not stored.
    async fn place(&mut self) -> Result<()> {
        let found = self.read(self.after - 1, 1).await?;
        let Some(event) = found.first() else { return Err(self.gone()) };
        self.is_ended = event.seq == self.after && matches!(event.kind, EventKind::RunEnded(_));
        self.is_placed = true;
        Ok(())
    }

    /// Waits until the buffer holds the next event.
    async fn fill(&mut self) -> Result<()> {
        let mut patience = None;
        loop {
            if self.watch.is_none() {
                // Before the read, so that it wakes for what the read does not see.
                let (partition, run) = (self.partition, self.run);
                let client = self.thread.client();
                let watch = client.read(|storage| storage.watch_events(partition, run)).await?;
                self.watch = Some(watch);
            }
            let found = self.read(self.after, BATCH).await?;
            if found.is_empty() {
                self.wait_for_more().await?;
                self.hint_if_late();
                continue;
            }
            let mut wanted = self.after + 1;
            for event in found {
                if event.seq == wanted {
                    wanted += 1;
                    self.buffer.push_back(event);
                }
            }
            if !self.buffer.is_empty() {
                return Ok(());
            }
            let patience = patience.get_or_insert_with(|| Patience::lasting(GAP_LASTS));
            if !patience.pause().await {
                return Err(self.gone());
            }
        }
    }

    async fn wait_for_more(&mut self) -> Result<()> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let poll_interval = self.thread.client().options().poll_interval;
        match timeout(poll_interval, watch.changed()).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.watch = None;
                sleep(WATCH_PAUSE.min(poll_interval)).await;
                Ok(())
            }
            Err(_) => self.check_log_is_kept().await,
        }
    }

    /// Says once that nothing happens at all, which is what a missing coordinator looks like.
    fn hint_if_late(&mut self) {
        if self.after == 0 && self.hint_at.is_some_and(|at| at <= Instant::now()) {
            self.hint_at = None;
            tracing::warn!(
                run_id = %self.run, thread_id = %self.thread.id(),
                "run has not started: is a coordinator running for this namespace?"
            );
        }
    }

    /// Whether more may come: not of a log that was dropped while nobody read it, nor of a run
    /// that has ended and has no events.
    async fn check_log_is_kept(&self) -> Result<()> {
        if self.after > 0 {
            // A log goes as a whole, so the last event that was given out tells of the others.
            let last = self.read(self.after - 1, 1).await?;
            return if last.is_empty() { Err(self.gone()) } else { Ok(()) };
        }
        let Some(header) = self.thread.header().await? else { return Ok(()) };
        let is_over = header.run == self.run && header.status != ThreadStatus::Running;
        // The end may have been written behind the last look.
        if is_over && self.first().await?.is_none() {
            return Err(self.gone());
        }
        Ok(())
    }

    async fn read(&self, after: u64, max: usize) -> Result<Vec<Event>> {
        let (partition, run) = (self.partition, self.run);
        let client = self.thread.client();
        let read = client.read(|storage| storage.read_events(partition, run, after, max));
        let records = read.await?;
        let decode = |record| {
            Event::from_record(record)
                .map_err(|error| ClientError::corrupt(format!("event log of run {run}"), &error))
        };
        records.iter().map(|record| decode(record)).collect()
    }

    fn gone(&self) -> ClientError {
        ClientError::EventsGone { run: self.run, after: self.after }
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
