//! One tail of a log for all its readers in this process.
//!
//! A reader that is alone reads by itself. Once there are two of a run, a task reads the log and
//! keeps the newest events for all of them; it goes on whenever the foremost of them wants more, so
//! that one that stalls holds up nobody and costs no more than a few events. Whoever falls behind
//! what is kept reads the storage until it has caught up.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rethread_core::event::{Event, EventKind};
use rethread_core::ids::{PartitionId, RunId};
use tokio::sync::watch;

use super::log::LogReader;
use crate::error::{ClientError, Result};
use crate::thread::Thread;

/// How much is kept for readers that are a little behind: so many events, or so many bytes.
const KEPT: (usize, usize) = (4_096, 4 << 20);

/// The logs that are read in this process.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    logs: Mutex<HashMap<Name, Weak<Log>>>,
}

type Name = (PartitionId, RunId);

/// One log that is read.
#[derive(Debug, Default)]
struct Log {
    tail: Mutex<Weak<Tail>>,
}

impl Tails {
    /// Takes a seat among the readers of a run.
    pub(super) fn enter(self: &Arc<Self>, thread: &Thread, run: RunId) -> Seat {
        let name = (thread.partition(), run);
        let mut logs = lock(&self.logs);
        let known = logs.get(&name).and_then(Weak::upgrade);
        let log = known.unwrap_or_else(|| {
            let log = Arc::new(Log::default());
            logs.insert(name, Arc::downgrade(&log));
            log
        });
        Seat { tails: Arc::clone(self), name, log: Some(log) }
    }
}

/// A reader's place among those of the same run.
#[derive(Debug)]
pub(super) struct Seat {
    tails: Arc<Tails>,
    name: Name,
    /// None only while it is dropped.
    log: Option<Arc<Log>>,
}

impl Seat {
    /// Whether there are other readers of the run.
    pub(super) fn has_company(&self) -> bool {
        self.log.as_ref().is_some_and(|log| Arc::strong_count(log) > 1)
    }

    /// Reads together with the others from now on. If nobody does yet, a task begins with `log`.
    pub(super) fn join(&self, log: LogReader) -> Joined {
        let begin = |log: LogReader| {
            let (news_sender, news) = watch::channel(());
            let (wanted, wanted_receiver) = watch::channel(0);
            let kept = Arc::new(Mutex::new(Kept::behind(log.after)));
            let tail = Arc::new(Tail { kept: Arc::clone(&kept), news, wanted });
            tokio::spawn(follow(log, kept, news_sender, wanted_receiver));
            tail
        };
        let tail = match &self.log {
            Some(known) => {
                let mut known = lock(&known.tail);
                let running = known.upgrade().filter(|tail| tail.goes_on());
                let tail = running.unwrap_or_else(|| begin(log));
                *known = Arc::downgrade(&tail);
                tail
            }
            None => begin(log),
        };
        Joined { news: tail.news.clone(), tail }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut logs = lock(&self.tails.logs);
        self.log = None;
        if logs.get(&self.name).is_some_and(|log| log.strong_count() == 0) {
            logs.remove(&self.name);
        }
    }
}

/// What the readers of a log share. The task that reads it ends with the last of them.
#[derive(Debug)]
struct Tail {
    kept: Arc<Mutex<Kept>>,
    /// Changes when there is more; closed when the task has ended.
    news: watch::Receiver<()>,
    /// Number of the event behind which the foremost reader wants more.
    wanted: watch::Sender<u64>,
}

impl Tail {
    fn goes_on(&self) -> bool {
        self.news.has_changed().is_ok() && lock(&self.kept).error.is_none()
    }
}

/// The newest events of a log.
#[derive(Debug)]
struct Kept {
    events: VecDeque<(Arc<Event>, usize)>,
    bytes: usize,
    /// Number of the next event to come.
    next: u64,
    /// Why no more comes.
    error: Option<ClientError>,
}

impl Kept {
    fn behind(after: u64) -> Self {
        Self { events: VecDeque::new(), bytes: 0, next: after + 1, error: None }
    }

    fn push(&mut self, event: Event, bytes: usize) {
        self.next = event.seq + 1;
        self.bytes += bytes;
        self.events.push_back((Arc::new(event), bytes));
        let (events_max, bytes_max) = KEPT;
        while self.events.len() > events_max || self.bytes > bytes_max && self.events.len() > 1 {
            let Some((_, bytes)) = self.events.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    /// The events behind this number; none if they are still to come.
    fn take(&self, after: u64, max: usize) -> Option<Taken> {
        let first = self.next - self.events.len() as u64;
        let Some(place) = (after + 1).checked_sub(first) else { return Some(Taken::Behind) };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let behind = self.events.iter().skip(place).take(max);
        let events: Vec<_> = behind.map(|(event, _)| Arc::clone(event)).collect();
        (!events.is_empty()).then_some(Taken::Events(events))
    }
}

/// What a reader gets of the shared tail.
#[derive(Debug)]
pub(super) enum Taken {
    /// The next events.
    Events(Vec<Arc<Event>>),
    /// They are no longer kept here.
    Behind,
    /// Nobody reads for the others any more: it reads by itself, or joins anew.
    Over,
}

/// A reader that reads together with others.
#[derive(Debug)]
pub(super) struct Joined {
    tail: Arc<Tail>,
    news: watch::Receiver<()>,
}

impl Joined {
    /// Waits for events behind this number.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn next(&mut self, after: u64, max: usize) -> Result<Taken> {
        loop {
            self.news.mark_unchanged();
            {
                let kept = lock(&self.tail.kept);
                if let Some(taken) = kept.take(after, max) {
                    return Ok(taken);
                }
                match &kept.error {
                    // Said of the place where the foremost reader was.
                    Some(ClientError::EventsGone { .. } | ClientError::Lagged { .. }) => {
                        return Ok(Taken::Over);
                    }
                    Some(error) => return Err(error.clone()),
                    None => {}
                }
            }
            self.tail.wanted.send_if_modified(|wanted| {
                let is_more = *wanted < after;
                *wanted = after.max(*wanted);
                is_more
            });
            if self.news.changed().await.is_err() {
                let kept = lock(&self.tail.kept);
                let is_told = kept.error.is_some() || kept.next > after + 1;
                if !is_told {
                    return Ok(Taken::Over);
                }
            }
        }
    }
}

/// Reads the log for its readers, until none is left.
async fn follow(
    mut log: LogReader,
    kept: Arc<Mutex<Kept>>,
    news: watch::Sender<()>,
    mut wanted: watch::Receiver<u64>,
) {
    loop {
        let last = log.after;
        if wanted.wait_for(|wanted| *wanted >= last).await.is_err() {
            return;
        }
        let batch = tokio::select! {
            biased;
            () = all_left(wanted.clone()) => return,
            batch = log.next_batch() => batch,
        };
        let mut is_over = false;
        {
            let mut kept = lock(&kept);
            match batch {
                Ok(batch) => {
                    for found in batch {
                        is_over |= matches!(found.event.kind, EventKind::RunEnded(_));
                        kept.push(found.event, found.bytes);
                    }
                }
                Err(error) => {
                    kept.error = Some(error);
                    is_over = true;
                }
            }
        }
        news.send_replace(());
        if is_over {
            all_left(wanted).await;
            return;
        }
    }
}

async fn all_left(mut wanted: watch::Receiver<u64>) {
    while wanted.changed().await.is_ok() {}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds a lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rethread_core::ids::Millis;
    use rethread_core::payload::Payload;

    use super::*;

    fn event(seq: u64) -> Event {
        let kind = EventKind::Custom { call: None, attempt: 1, value: Payload::NULL };
        Event { seq, at: Millis(seq), kind }
    }

    fn numbers(taken: Option<Taken>) -> Vec<u64> {
        match taken {
            Some(Taken::Events(events)) => events.iter().map(|event| event.seq).collect(),
            other => panic!("no events: {other:?}"),
        }
    }

    #[test]
    fn what_is_kept_has_a_bound_in_events_and_in_bytes() {
        let mut kept = Kept::behind(10);
        for seq in 11..=10_010 {
            kept.push(event(seq), 8);
        }
        assert_eq!(kept.events.len(), KEPT.0);
        assert_eq!(kept.bytes, KEPT.0 * 8);
        for seq in 10_011..=10_020 {
            kept.push(event(seq), KEPT.1 / 4);
        }
        assert_eq!(kept.events.len(), 4, "of large ones there are few");
        kept.push(event(10_021), KEPT.1 * 2);
        assert_eq!(kept.events.len(), 1, "and of one that is too large itself");
        assert_eq!(numbers(kept.take(10_020, 9)), [10_021]);
    }

    #[test]
    fn each_reader_takes_what_is_behind_its_place() {
        let mut kept = Kept::behind(3);
        assert!(kept.take(3, 9).is_none() && kept.take(8, 9).is_none(), "still to come");
        assert!(matches!(kept.take(2, 9), Some(Taken::Behind)));
        for seq in 4..=6 {
            kept.push(event(seq), 1);
        }
        assert_eq!(numbers(kept.take(3, 9)), [4, 5, 6]);
        assert_eq!(numbers(kept.take(4, 1)), [5]);
        assert!(kept.take(6, 9).is_none());
        assert!(matches!(kept.take(0, 9), Some(Taken::Behind)));
    }
}
