//! Reading the event log of a run in the storage: catch-up by number, a wake-up, and a look every
//! few seconds in case the wake-up is lost.

use std::time::Duration;

use rethread_core::event::{Event, EventKind};
use rethread_core::header::ThreadStatus;
use rethread_core::ids::{PartitionId, RunId};
use rethread_core::record::Record;
use rethread_storage::EventWatch;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{ClientError, Result};
use crate::patience::Patience;
use crate::search::Search;
use crate::stream::Cursor;
use crate::thread::Thread;

/// Most events that one read fetches, which bounds what a slow reader holds in memory.
pub(super) const BATCH: usize = 256;
/// Events at the end of a log that tell how the run ended.
const END: usize = 4;
/// How long a gap may take to close: it is a reader that was faster than a replica at most.
const GAP_LASTS: Duration = Duration::from_secs(1);
/// How long a run may take to start before a hint is logged.
const START_LASTS: Duration = Duration::from_secs(10);
/// Pause before a watch whose source is gone is made anew.
const WATCH_PAUSE: Duration = Duration::from_millis(200);

/// An event as it was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) event: Event,
    /// Size of its record, in bytes.
    pub(super) bytes: usize,
}

/// Reads the log of one run from the storage, in order and without a gap.
#[derive(Debug)]
pub(super) struct LogReader {
    pub(super) thread: Thread,
    partition: PartitionId,
    pub(super) run: RunId,
    /// Number of the last event that was read.
    pub(super) after: u64,
    watch: Option<EventWatch>,
    /// Whether the last read gave everything there was: the watch wakes for what has come since.
    is_caught_up: bool,
    /// When a hint is due, unless the run has started or the hint was given.
    hint_at: Option<Instant>,
    search: Search,
}

impl LogReader {
    pub(super) fn new(thread: Thread, run: RunId, after: u64) -> Self {
        Self {
            partition: thread.partition(),
            thread,
            run,
            after,
            watch: None,
            is_caught_up: false,
            hint_at: (after == 0).then(|| Instant::now() + START_LASTS),
            search: Search::new(),
        }
    }

    /// Waits for the next events, of which there is at least one.
    pub(super) async fn next_batch(&mut self) -> Result<Vec<Found>> {
        let mut patience = None;
        loop {
            if self.is_caught_up && self.watch.is_some() {
                self.wait_for_more().await?;
                self.is_caught_up = false;
                continue;
            }
            if self.watch.is_none() {
                // Before the read, so that it wakes for what the read does not see.
                let (partition, run) = (self.partition, self.run);
                let client = self.thread.client();
                let watch = client.read(|storage| storage.watch_events(partition, run)).await?;
                self.watch = Some(watch);
            }
            let found = self.read(self.after, BATCH).await?;
            let Some(first) = found.first().map(|found| found.event.seq) else {
                self.wait_for_more().await?;
                self.hint_if_late();
                continue;
            };
            let count = found.len();
            let mut batch = Vec::with_capacity(found.len());
            for one in found {
                if one.event.seq == self.after + 1 {
                    self.after += 1;
                    batch.push(one);
                }
            }
            if !batch.is_empty() {
                self.is_caught_up = count < BATCH && batch.len() == count;
                return Ok(batch);
            }
            let patience = patience.get_or_insert_with(|| Patience::lasting(GAP_LASTS));
            if !patience.pause().await {
                return Err(self.lagged(first));
            }
        }
    }

    /// Waits for the end of the run; the last events, of which the last is the end. What stands
    /// before is never read. For a reader that begins at the start.
    pub(super) async fn end(&mut self) -> Result<Vec<Event>> {
        let (partition, run) = (self.partition, self.run);
        loop {
            if self.watch.is_none() {
                // Before the read, so that it wakes for what the read does not see.
                let client = self.thread.client();
                let watch = client.read(|storage| storage.watch_end(partition, run)).await?;
                self.watch = Some(watch);
            }
            let client = self.thread.client();
            let records = client.read(|storage| storage.last_events(partition, run, END)).await?;
            if let Some(last) = records.last() {
                self.hint_at = None;
                if matches!(self.decode(last)?.kind, EventKind::RunEnded(_)) {
                    return records.iter().map(|record| self.decode(record)).collect();
                }
            }
            self.wait_for_more().await?;
            self.hint_if_late();
        }
    }

    fn decode(&self, record: &[u8]) -> Result<Event> {
        let what = || format!("event log of run {}", self.run);
        Event::from_record(record).map_err(|error| ClientError::corrupt(what(), &error))
    }

    /// The events behind these, without waiting for one.
    pub(super) async fn read(&self, after: u64, max: usize) -> Result<Vec<Found>> {
        let (partition, run) = (self.partition, self.run);
        let client = self.thread.client();
        let read = client.read(|storage| storage.read_events(partition, run, after, max));
        let records = read.await?;
        let found = records
            .iter()
            .map(|record| Ok(Found { event: self.decode(record)?, bytes: record.len() }));
        found.collect()
    }

    /// Looks at the event that the reader begins behind; says whether it is the last. Nothing
    /// comes behind that, and nothing is known to come behind one that is not stored.
    pub(super) async fn is_at_end(&self) -> Result<bool> {
        let Some(before) = self.after.checked_sub(1) else { return Ok(false) };
        let found = self.read(before, 1).await?;
        match found.first().map(|found| &found.event) {
            Some(event) if event.seq == self.after => {
                Ok(matches!(event.kind, EventKind::RunEnded(_)))
            }
            Some(event) => Err(self.lagged(event.seq)),
            None => Err(self.gone()),
        }
    }

    /// Stops to be woken: somebody else reads.
    pub(super) fn rest(&mut self) {
        self.watch = None;
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
    async fn check_log_is_kept(&mut self) -> Result<()> {
        if self.after > 0 {
            // A log goes as a whole, so the last event that was given out tells of the others.
            let last = self.read(self.after - 1, 1).await?;
            return if last.is_empty() { Err(self.gone()) } else { Ok(()) };
        }
        let header = self.thread.header().await?;
        let is_over = match header.filter(|header| header.run == self.run) {
            // The end may have been written behind the last look.
            Some(header) => {
                header.status != ThreadStatus::Running && self.read(0, 1).await?.is_empty()
            }
            None => self.search.is_over(&self.thread, self.run).await?,
        };
        if is_over { Err(self.gone()) } else { Ok(()) }
    }

    fn gone(&self) -> ClientError {
        ClientError::EventsGone { run: self.run, after: self.after }
    }

    /// The error where the log goes on with a later event than the next one.
    fn lagged(&self, first: u64) -> ClientError {
        let cursor = Cursor::behind(first.saturating_sub(1));
        ClientError::Lagged { run: self.run, after: self.after, cursor }
    }
}
