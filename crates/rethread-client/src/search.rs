//! Looking for a run that has no events: it may wait for its turn, or be long over.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rethread_core::ids::RunId;
use rethread_core::message::{Command, InboxMessage};
use rethread_core::record::{Record, RecordError};
use rethread_storage::InboxCursor;
use tokio::time::Instant;

use crate::error::Result;
use crate::thread::Thread;

/// How old an accepted run is, at least, before it is looked for.
const YOUNG: Duration = Duration::from_secs(60);
/// How long a run without a date is waited for before it is looked for.
const UNDATED: Duration = Duration::from_secs(10);
/// Messages that are looked through. In a fuller inbox a run counts as being there.
const INBOX_MAX: usize = 200;
/// Wait before the next look at a run that was found, doubled each time, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Looks for a run now and then.
#[derive(Debug)]
pub(crate) struct Search {
    began: Instant,
    /// Nothing is looked at before.
    next: Option<Instant>,
    wait: Duration,
    /// Whether the last look found nothing.
    was_missing: bool,
}

impl Search {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), next: None, wait: WAITS.0, was_missing: false }
    }

    /// Whether nothing will come of the run any more: it stands nowhere, at two looks in a row,
    /// since a replica may be a little behind. A run that was just asked for, or of which nobody
    /// knows whether it ever was, is waited for.
    pub(crate) async fn is_over(&mut self, thread: &Thread, run: RunId) -> Result<bool> {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return Ok(false);
        }
        let is_old = match age(run) {
            Some(age) => age >= YOUNG,
            None => self.began.elapsed() >= UNDATED && thread.header().await?.is_some(),
        };
        if !is_old {
            return Ok(false);
        }
        if stands_somewhere(thread, run).await? {
            self.was_missing = false;
            self.next = Some(now + self.wait);
            self.wait = (self.wait * 2).min(WAITS.1);
            return Ok(false);
        }
        Ok(std::mem::replace(&mut self.was_missing, true))
    }
}

/// How long ago the id was made, if it says.
fn age(run: RunId) -> Option<Duration> {
    let (seconds, nanos) = run.as_uuid().get_timestamp()?.to_unix();
    let made = Duration::new(seconds, nanos);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.saturating_sub(made))
}

/// Whether the run is accepted, in progress or has events. Looked for in the order in which it
/// moves on, so that it is not missed on its way.
pub(crate) async fn stands_somewhere(thread: &Thread, run: RunId) -> Result<bool> {
    let (client, partition) = (thread.client(), thread.partition());
    let status = client.read(|storage| storage.partition_status(partition)).await?;
    if status.inbox > INBOX_MAX as u64 {
        return Ok(true);
    }
    if status.inbox > 0 {
        let start = [(partition, InboxCursor::START)];
        let read = client.read(|storage| {
            Box::pin(async move { storage.read_inboxes(&start, INBOX_MAX, Duration::ZERO).await })
        });
        let is_it = |message| match InboxMessage::from_record(message) {
            Ok(InboxMessage::Command(command)) => command.run == run,
            // Left there until a newer coordinator reads it: it may be the run.
            Err(RecordError::TooNew { .. }) => true,
            // What nobody can read will have no events.
            _ => false,
        };
        if read.await?.iter().any(|item| is_it(&item.message)) {
            return Ok(true);
        }
    }
    if let Some((header, loaded)) = thread.load().await? {
        let is_it = |record| Command::from_record(record).is_ok_and(|waiting| waiting.run == run);
        if header.run == run || loaded.waiting.iter().any(|record| is_it(record)) {
            return Ok(true);
        }
    }
    let events = client.read(|storage| storage.read_events(partition, run, 0, 1)).await?;
    Ok(!events.is_empty())
}
